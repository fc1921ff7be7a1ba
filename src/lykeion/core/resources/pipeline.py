"""Pipeline: steps that make outputs from outputs, and which outputs are published as versions of models."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from lykeion.core.resources.metadata import Condition, Duration, Memory, Name, Resource, Strict

INPUT_PATTERN = r"^(models:[^@\s]+@[^@\s]+|[a-z][-a-z0-9]*\.[A-Za-z_][A-Za-z0-9_]*)$"
OUTPUT_PATTERN = r"^[a-z][-a-z0-9]*\.[A-Za-z_][A-Za-z0-9_]*$"


class Parameter(Strict):
    """A parameter of the pipeline, given by `-p name=value` or by a Training. Without a default it must be given."""

    type: Literal["string", "integer", "number", "boolean", "uri"] = "string"
    default: str | int | float | bool | None = None
    description: str = ""


class ModelInput(Strict):
    """An input from the model repository: what an alias or a version number names when the run is planned.

    `otherwise`: the output to take while the model does not exist yet; its step runs only then.
    """

    model: str
    alias: str | None = None
    version: int | None = Field(default=None, ge=1)
    otherwise: Annotated[str, Field(pattern=OUTPUT_PATTERN)] | None = None

    @model_validator(mode="after")
    def one_of_alias_and_version(self) -> "ModelInput":
        if (self.alias is None) == (self.version is None):
            raise ValueError("say either alias or version")
        return self

    @property
    def selector(self) -> str:
        return f"{self.model}@{self.alias or self.version}"


class Retry(Strict):
    """How often a failed step is tried again, and how long to wait before the first time; the wait doubles each time."""

    limit: int = Field(default=0, ge=0, le=100)
    backoff: Duration = 1.0


class StepResources(Strict):
    """What one worker of a step may use. Memory is a limit: a worker that needs more fails."""

    cpu: float = Field(default=1.0, gt=0)
    memory: Memory | None = None


def check_variable(name: str) -> str:
    """What a process's environment can hold; what others than a shell would take is taken."""
    if not name or "=" in name or "\0" in name:
        raise ValueError(f"{name!r} is no name of a variable: it needs a character, and may hold no '=' and no zero byte")
    return name


def check_value(value: str) -> str:
    if "\0" in value:
        raise ValueError("the value of a variable may hold no zero byte")
    return value


class Step(Strict):
    """One step: a component (Python) or a container image, what it is given, and how it is run."""

    name: Name
    component: str | None = None
    image: str | None = None
    command: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    """Of an `image` step; a component says its own."""
    network: bool = False
    """Of an `image` step: whether it may reach other machines. Then its result is not cached."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    inputs: dict[str, Annotated[str, Field(pattern=INPUT_PATTERN)] | ModelInput] = {}
    parallelism: int = Field(default=1, ge=1, le=1024)
    resources: StepResources = StepResources()
    retry: Retry = Retry()
    timeout: Duration | None = None
    cache: Literal["always", "never"] | Duration = "always"
    """`never`: run every time. A duration: a result older than that is made anew."""
    env: dict[Annotated[str, AfterValidator(check_variable)], Annotated[str, AfterValidator(check_value)]] = {}

    @model_validator(mode="after")
    def one_of_component_and_image(self) -> "Step":
        if (self.component is None) == (self.image is None):
            raise ValueError("a step has either a component or an image")
        if self.image is None and (self.command or self.outputs or self.network):
            raise ValueError("command, outputs and network belong to a step with an image; a component says its own")
        return self

    def sources(self) -> Iterator[tuple[str, "str | ModelInput"]]:
        """(input's name, where it comes from): "step.output" or a model. A "models:NAME@X" string is a ModelInput here."""
        for name, given in self.inputs.items():
            if isinstance(given, str) and given.startswith("models:"):
                model, _, selector = given.removeprefix("models:").rpartition("@")
                chosen = {"version": int(selector)} if selector.isdecimal() else {"alias": selector}
                yield name, ModelInput(model=model, **chosen)
            else:
                yield name, given


class Deploy(Strict):
    """Which Serving a published version is for, and the alias that it moves there.

    `image`: the alias waits until the image builder has put an image of the version into the registry.
    """

    serving: str
    track: str = "stable"
    image: bool = False


class Publish(Strict):
    """An output that becomes a version of a model when all steps have succeeded.

    The alias of `deploy` (else `stable`) moves to it, unless `requires` (over `metrics.NAME`) does not hold.
    """

    output: Annotated[str, Field(pattern=OUTPUT_PATTERN)]
    model: str
    requires: str | None = None
    deploy: Deploy | None = None


class Environment(Strict):
    """What the steps run in. `requirements`: a hash-locked file, relative to the pipeline's; its content is part of every identity."""

    requirements: str | None = None


class PipelineSpec(Strict):
    environment: Environment = Environment()
    parameters: dict[str, Parameter] = {}
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=5000)]
    publish: tuple[Publish, ...] = ()


class PipelineStatus(Strict):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class Pipeline(Resource):
    plural: ClassVar[str] = "pipelines"

    kind: Literal["Pipeline"] = "Pipeline"
    spec: PipelineSpec
    status: PipelineStatus | None = None
