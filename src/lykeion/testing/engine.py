"""A small engine in memory for Trainings: it ends the tasks that `decide` asks for as the test says, and remembers results by key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lykeion.core.content import digest_of_value
from lykeion.core.pipelines.training import decide
from lykeion.core.resources import Training
from lykeion.core.values import Child, Decision, ModelVersion, Observed, StepResult, Task
from lykeion.testing.builders import NOON

REPOSITORY = "file:///repository"


def succeeded(task: Task, now: datetime) -> Child:
    """How a task is that ended well: the digest of an output follows from the key."""
    (step,) = task.steps
    outputs = {name: digest_of_value([step.key, name]) for name in step.outputs}
    result = {"version": 7, "digest": "sha256:x", "moved": True, "why_not": step.parameters.get("why_not", "")}
    if step.mode == "fingerprint":
        result = {"fingerprint": "as it is now"}
    found = StepResult(step.key, outputs, result=result, material=step.material, created=now)
    return Child(task.name, "Task", "Succeeded", started=now, finished=now, results={step.step: found})


@dataclass(slots=True)
class InstantEngine:
    outcome: Callable[[Task, datetime], Child] = succeeded
    now: datetime = NOON
    children: dict[str, Child] = field(default_factory=dict)
    outputs: dict[str, StepResult] = field(default_factory=dict)
    versions: Mapping[str, ModelVersion] = field(default_factory=dict)
    previous: Mapping[str, Training] = field(default_factory=dict)
    started: list[Task] = field(default_factory=list)
    events: list[str] = field(default_factory=list)

    def observe(self, training: Training) -> Observed:
        return Observed(training, dict(self.children), self.now, self.outputs, self.versions, self.previous)

    def once(self, training: Training) -> tuple[Training, Decision]:
        """One pass; what it asks for is done at once."""
        decision = decide(self.observe(training), REPOSITORY)
        for task in decision.apply:
            assert isinstance(task, Task)
            self.started.append(task)
            child = self.outcome(task, self.now)
            self.children[task.name] = child
            self.outputs |= {result.key: result for result in child.results.values() if result.outputs and not result.uncached}
        for name in decision.delete:
            self.children.pop(name, None)
        self.events += [event.reason for event in decision.events]
        return training.model_copy(update={"status": decision.status}), decision

    def run(self, training: Training, passes: int = 200) -> Training:
        """Passes until it is over; time goes on where the decision says to look again."""
        for _ in range(passes):
            if training.status.phase in ("Succeeded", "Failed", "Cancelled"):
                return training
            training, decision = self.once(training)
            self.now += timedelta(seconds=decision.look_again or 0)
        raise AssertionError(f"not over after {passes} passes: {training.status}")

    def ran(self) -> list[str]:
        return [task.steps[0].step for task in self.started]

    def forget_children(self) -> None:
        self.children.clear()
