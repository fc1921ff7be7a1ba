"""Training: one execution of a pipeline, kept as a resource, so that a batch can be looked at and run again."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources.metadata import Condition, Name, Resource, Strict
from lykeion.core.resources.pipeline import PipelineSpec

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Cancelled"]
StepPhase = Literal["Waiting", "Running", "Cached", "Succeeded", "Failed", "Skipped", "Cancelled"]

ENDED: frozenset[str] = frozenset({"Cached", "Succeeded", "Failed", "Skipped", "Cancelled"})
GOOD: frozenset[str] = frozenset({"Cached", "Succeeded", "Skipped"})
OVER: frozenset[str] = frozenset({"Succeeded", "Failed", "Cancelled"})


class PipelineRef(Strict):
    name: Name


class WindowSpec(Strict):
    """The stretch of time that a batch is for, half-open."""

    start: datetime
    end: datetime

    @model_validator(mode="after")
    def in_order(self) -> "WindowSpec":
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("write times with their zone, for instance 2026-01-01T00:00:00Z")
        if self.start >= self.end:
            raise ValueError("start must be before end")
        return self


class TrainingSpec(Strict):
    """Immutable but for `state`. `steps`: run only these and what they need. `cache: Refresh`: run what is cached too, and keep that."""

    pipeline_ref: PipelineRef | None = None
    pipeline: PipelineSpec | None = None
    parameters: dict[str, Any] = {}
    window: WindowSpec | None = None
    steps: tuple[str, ...] = ()
    cache: Literal["Use", "Refresh"] = "Use"
    state: Literal["Run", "Cancelled"] = "Run"

    @model_validator(mode="after")
    def one_of_reference_and_pipeline(self) -> "TrainingSpec":
        if (self.pipeline_ref is None) == (self.pipeline is None):
            raise ValueError("say either pipelineRef or pipeline")
        return self


class StepStatus(Strict):
    """How a step is. `cache`: "hit", "miss" (with `why`) or "off"; `key` is known once its inputs are.

    `losses`: of its attempts, those that ended because the engine lost their worker; they do not count as tries.
    """

    name: str
    phase: StepPhase = "Waiting"
    reason: str = ""
    message: str = ""
    key: str = ""
    cache: Literal["", "hit", "miss", "off"] = ""
    why: str = ""
    fingerprint: str = ""
    attempts: int = 0
    losses: int = 0
    done: int = 0
    total: int = 0
    unit: str = ""
    cpu_seconds: float = 0.0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retry_at: datetime | None = None
    outputs: dict[str, str] = {}
    metrics: dict[str, float] = {}
    result: dict[str, Any] = {}
    log_tail: str = ""

    @property
    def seconds(self) -> float:
        return (self.finished_at - self.started_at).total_seconds() if self.started_at and self.finished_at else 0.0


class Published(Strict):
    """A version that this Training published. `moved`: the alias that now names it; `why_not` where `requires` did not hold."""

    output: str
    model: str
    version: int
    digest: str = ""
    moved: str = ""
    why_not: str = ""


class TrainingStatus(Strict):
    """`pipeline`, `folder` and `components` are the snapshot that the run was planned from; `models` the versions its inputs named."""

    observed_generation: int = 0
    phase: Phase = "Pending"
    conditions: tuple[Condition, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pipeline: PipelineSpec | None = None
    folder: str = ""
    components: dict[str, Signature] = {}
    models: dict[str, dict[str, Any]] = {}
    steps: tuple[StepStatus, ...] = ()
    published: tuple[Published, ...] = ()

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The steps that left outputs, or took them from the cache: name and key."""
        return [(step.name, step.key) for step in self.steps if step.phase in ("Succeeded", "Cached") and step.key]


class Training(Resource):
    plural: ClassVar[str] = "trainings"

    kind: Literal["Training"] = "Training"
    spec: TrainingSpec
    status: TrainingStatus = Field(default_factory=TrainingStatus)
