"""Whether a step's inputs are there, and where: outputs of other steps, or versions from the model repository."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lykeion.core.resources.pipeline import ModelInput, Step
from lykeion.core.resources.training import ENDED, StepStatus
from lykeion.core.values import ModelVersion

UPSTREAM = "UpstreamDidNotSucceed"
MADE = frozenset({"Cached", "Succeeded"})


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a step, all of which are there: name -> path in the volume, name -> content digest, and the models to mount."""

    paths: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    models: tuple[ModelVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Some input is still being made."""

    step: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """Some input will never be there. `failed`: it is this step's own failure, not another's."""

    reason: str
    message: str
    failed: bool = False


def gather(step: Step, steps: Mapping[str, StepStatus], models: Mapping[str, Mapping[str, object]]) -> Inputs | Waiting | Blocked:
    """What a step would be given now."""
    paths: dict[str, str] = {}
    digests: dict[str, str] = {}
    mounted: list[ModelVersion] = []
    for name, source in step.sources():
        output = source
        if isinstance(source, ModelInput):
            found = models.get(source.selector)
            if found:
                version = ModelVersion(str(found["model"]), int(str(found["version"])), str(found["digest"]))
                paths[name], digests[name] = version.path, version.digest
                mounted.append(version)
                continue
            if source.otherwise is None:
                message = f"input {name}: there is no {source.selector} in the model repository (see `lykeion models list`)"
                return Blocked("ModelNotFound", message, failed=True)
            output = source.otherwise
        maker, _, port = str(output).partition(".")
        status = steps[maker]
        if status.phase not in ENDED:
            return Waiting(maker)
        if status.phase not in MADE:
            return Blocked(UPSTREAM, f"input {name}: step {maker} is {status.phase}")
        if port not in status.outputs:
            return Blocked("NoSuchOutput", f"input {name}: step {maker} left no output {port!r}", failed=True)
        paths[name], digests[name] = f"outputs/{status.key}/{port}", status.outputs[port]
    return Inputs(paths, digests, tuple(mounted))
