"""The loop body that moves Trainings on: read what is, decide (`core.pipelines.training`), do what was decided.

Statuses live in memory while a Training runs and are written at most twice a second, and at once when it ends. That is safe because
nothing depends on them: what is finished is on the volume, and a new controller finds it there.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from lykeion.core.pipelines.begin import begin, refused
from lykeion.core.pipelines.training import decide
from lykeion.core.resources.pipeline import Pipeline
from lykeion.core.resources.training import OVER, Training, TrainingStatus
from lykeion.core.values import ModelVersion, Observed, Ref
from lykeion.daemons.earlier import earlier
from lykeion.daemons.lookup import Lookup
from lykeion.daemons.planning import plan
from lykeion.errors import Conflict, Invalid, LykeionError, NotFound, Problem, Unavailable
from lykeion.ports import Children, Clock, Components, Containers, Outputs, Resources

WRITE_EVERY = timedelta(seconds=0.5)


@dataclass(slots=True)
class Moving:
    """A Training that is not over, as this controller knows it: newer than what is written."""

    training: Training
    written: TrainingStatus
    written_at: datetime
    previous: Mapping[str, Training]  # step -> the earlier run to compare it with


class Trainings:
    """Moves every Training of the install on (or `only` one), by passes. `repository` is the URL that they publish to."""

    def __init__(
        self,
        resources: Resources,
        children: Children,
        outputs: Outputs,
        components: Components,
        resolve: Callable[[str], ModelVersion | None],
        repository: str,
        clock: Clock,
        only: str | None = None,
        *,
        containers: Containers,
    ) -> None:
        self.resources, self.children, self.outputs, self.components = resources, children, outputs, components
        self.resolve, self.repository, self.clock, self.only, self.containers = resolve, repository, clock, only, containers
        self.moving: dict[str, Moving] = {}
        self.seen = -1

    def pass_(self) -> float | None:
        """One pass over all that move; in how many seconds to look again at the latest."""
        self.take_in()
        pauses = [self.move(moving) for moving in list(self.moving.values())]
        return min((pause for pause in pauses if pause is not None), default=None)

    def take_in(self) -> None:
        """What people asked for since the last pass: new Trainings, cancelled ones, deleted ones."""
        changes = self.resources.changes()
        if changes == self.seen:
            return
        self.seen = changes
        wanted = {training.name: training for training in self.unfinished()}
        for name, moving in list(self.moving.items()):
            if name not in wanted or wanted[name].metadata.uid != moving.training.metadata.uid:  # deleted, perhaps made anew
                for child in self.children.observe(Ref("Training", name)):
                    self.children.delete(child)
                del self.moving[name]
        for name, training in wanted.items():
            known = self.moving.get(name)
            if known is None:
                self.moving[name] = Moving(training, training.status, self.clock.now(), earlier(self.resources, training))
            else:
                known.training = training.model_copy(update={"status": known.training.status})

    def unfinished(self) -> list[Training]:
        found = (training for training in self.resources.unfinished("Training") if isinstance(training, Training))
        return [training for training in found if self.only in (None, training.name)]

    def move(self, moving: Moving) -> float | None:
        """One Training, one pass."""
        now = self.clock.now()
        training = moving.training
        ref = Ref("Training", training.name)
        if training.status.pipeline is None and training.spec.state == "Run":
            training = training.model_copy(update={"status": self.begun(training, now)})
        observed = Observed(
            resource=training,
            children=self.children.observe(ref),
            now=now,
            outputs=Lookup(self.outputs.find),
            versions=Lookup(self.resolve),
            previous=moving.previous,
        )
        decision = decide(observed, self.repository)
        for child in decision.apply:
            self.children.apply(child)
        moving.training = training.model_copy(update={"status": decision.status})
        with suppress(Unavailable):  # a full disk: an event is a remark, the status says the same and is written later
            for event in decision.events:
                self.resources.record(event, now)
        over = decision.status.phase in OVER
        if decision.status is not moving.written and (over or now - moving.written_at >= WRITE_EVERY):
            self.write(moving, now)
        if over and moving.written is moving.training.status:
            for name in (*decision.delete, *observed.children):
                self.children.delete(name)
            self.moving.pop(training.name, None)
        unwritten = None if decision.status is moving.written else WRITE_EVERY.total_seconds()
        return min((pause for pause in (decision.look_again, unwritten) if pause is not None), default=None)

    def settle(self) -> None:
        """Whoever takes over begins where we end."""
        for moving in self.moving.values():
            if moving.training.status is not moving.written:
                self.write(moving, self.clock.now())

    def write(self, moving: Moving, now: datetime) -> None:
        """Write the status down. Who changed the resource meanwhile is heard on the next pass; on a full disk it is tried again."""
        try:
            stored = self.resources.write_status(moving.training)
        except (Conflict, NotFound):
            self.seen = -1
        except Unavailable:
            moving.written_at = now
        else:
            status = moving.training.status
            assert isinstance(stored, Training)
            moving.training = stored.model_copy(update={"status": status})
            moving.written, moving.written_at = status, now

    def begun(self, training: Training, now: datetime) -> TrainingStatus:
        """The first status: a snapshot to run from, or why it cannot be run."""
        generation = training.metadata.generation
        try:
            spec = training.spec
            pipeline = pipeline_of(training, self.resources)
            planned = plan(pipeline, spec.parameters, spec.window, self.components, spec.steps, containers=self.containers)
            return begin(planned, spec.steps, Lookup(self.resolve), generation, now)
        except LykeionError as error:  # also where the repository cannot be read: nothing has been done yet, so it is run again as a whole
            return refused(error, generation, now)


def pipeline_of(training: Training, resources: Resources) -> Pipeline:
    """The pipeline that it runs, wherever it is written, as it is now. Raises Invalid where there is none of that name."""
    if training.spec.pipeline is not None:
        return Pipeline(metadata=training.metadata, spec=training.spec.pipeline)
    assert training.spec.pipeline_ref is not None  # the spec has one of the two
    try:
        pipeline = resources.get("Pipeline", training.spec.pipeline_ref.name)
    except NotFound as error:
        raise Invalid([Problem(str(error), field="spec.pipelineRef.name", value=training.spec.pipeline_ref.name)]) from error
    assert isinstance(pipeline, Pipeline)
    return pipeline
