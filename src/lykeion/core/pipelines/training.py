"""What a Training does next: `decide(observed, repository) -> Decision`. The same for both engines.

Each pass goes through the steps in topological order, so that a step that is found in the cache lets the next one be looked up in the
same pass: a run in which everything is cached takes one pass and no worker.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from lykeion.core.pipelines import publishing
from lykeion.core.pipelines.advance import Advance, Run, advance
from lykeion.core.resources.metadata import Condition, set_condition
from lykeion.core.resources.pipeline import PipelineSpec, Publish
from lykeion.core.resources.training import ENDED, GOOD, OVER, Published, StepStatus, Training, TrainingStatus
from lykeion.core.values import Child, Decision, Event, Observed, Ref, Task


def decide(observed: Observed, repository: str) -> Decision:
    """`observed.resource` is a Training with a snapshot (see `begin`). `repository` is the URL that it publishes to."""
    training: Training = observed.resource
    status = training.status
    if status.phase in OVER:  # its end is written down: the engine may forget the children
        return Decision(status, delete=tuple(observed.children))
    if training.spec.state == "Cancelled":
        return cancelled(training, observed)
    assert status.pipeline is not None  # `begin` put it there
    steps, tasks = advanced(training, status.pipeline, observed)
    pause = look_again(steps.values(), observed.now)
    moved = any(new is not old for new, old in zip(steps.values(), status.steps, strict=True))
    after = status.model_copy(update={"steps": tuple(steps.values())}) if moved else status
    if not all(step.phase in ENDED for step in steps.values()):
        return Decision(after, apply=tasks, events=events(training, steps), look_again=pause)
    bad = [step for step in steps.values() if step.phase not in GOOD]
    if bad:
        first = next((step for step in bad if step.phase == "Failed"), bad[0])
        message = f"step {first.name}: {first.message or first.reason}"
        ended = finished(after, "Failed", first.reason if first.phase == "Failed" else "StepFailed", message, observed.now)
        return Decision(ended, events=(*events(training, steps), event(training, "Warning", "TrainingFailed", message)))
    return published(training, after, steps, observed, repository)


def advanced(training: Training, spec: PipelineSpec, observed: Observed) -> tuple[dict[str, StepStatus], tuple[Task, ...]]:
    """Every step moved on as far as it goes now, and the tasks that this takes."""
    by_name = {step.name: step for step in spec.steps}
    steps = {status.name: status for status in training.status.steps}
    run = Run(training, observed, steps, training.status.components, training.status.models, training.status.folder)
    tasks: list[Task] = []
    for name, status in steps.items():
        if status.phase not in ENDED:
            result: Advance = advance(by_name[name], run)
            steps[name] = result.status
            tasks += result.tasks
    return steps, tuple(tasks)


def published(training: Training, status: TrainingStatus, steps: Mapping[str, StepStatus], observed: Observed, repository: str) -> Decision:
    """All steps have succeeded: publish one thing after the other, then it is over."""
    spec = status.pipeline
    assert spec is not None
    done = status.published
    publish = publishing.pending(spec, steps, done)
    while publish is not None:
        name, attempt = publishing.attempt(publish, training, observed)
        child = observed.children.get(name)
        last = publishing.attempt_before(name, attempt, observed)
        if last is not None and (attempt > publishing.TRIES or last.hopeless):
            message = f"publishing {publish.output} as {publish.model}: {last.message}"
            ended = finished(status, "Failed", "PublishFailed", message, observed.now)
            return Decision(ended, events=(event(training, "Warning", "PublishFailed", message),))
        if child is None:
            pause = publishing.pause(name, attempt, observed)
            if pause > 0:
                return Decision(status, events=events(training, steps), look_again=pause)
            task = publishing.publication(publish, name, training, steps, status.components, repository)
            return Decision(status, apply=(task,), events=events(training, steps))
        if child.phase != "Succeeded":
            return Decision(status)
        done = (*done, publication_of(publish, child))
        status = status.model_copy(update={"published": done})
        publish = publishing.pending(spec, steps, done)
    ended = finished(status, "Succeeded", "Succeeded", summary(status), observed.now)
    news = tuple(
        event(
            training,
            "Normal" if one.moved else "Warning",
            "Published",
            f"{one.model} version {one.version}" + (f": {one.why_not}" if one.why_not else ""),
        )
        for one in status.published
    )
    return Decision(ended, events=(*news, event(training, "Normal", "TrainingSucceeded", summary(status))))


def publication_of(publish: Publish, child: Child) -> Published:
    (step,) = child.results.values()
    result = step.result
    return Published(
        output=publish.output,
        model=publish.model,
        version=int(result["version"]),
        digest=str(result["digest"]),
        moved=publishing.alias_of(publish) if result["moved"] else "",
        why_not=str(result["why_not"]),
    )


def cancelled(training: Training, observed: Observed) -> Decision:
    steps = tuple(
        step if step.phase in ENDED else step.model_copy(update={"phase": "Cancelled", "finished_at": observed.now, "reason": "Cancelled"})
        for step in training.status.steps
    )
    status = training.status.model_copy(update={"steps": steps})
    return Decision(
        finished(status, "Cancelled", "Cancelled", "cancelled on request", observed.now),
        delete=tuple(observed.children),
        events=(event(training, "Normal", "TrainingCancelled", "cancelled on request"),),
    )


def finished(status: TrainingStatus, phase: str, reason: str, message: str, now: datetime) -> TrainingStatus:
    condition = Condition(type="Succeeded", status="True" if phase == "Succeeded" else "False", reason=reason, message=message)
    update = {"phase": phase, "finished_at": now, "conditions": set_condition(status.conditions, condition, now)}
    return status.model_copy(update=update)


def summary(status: TrainingStatus) -> str:
    cached = sum(step.phase == "Cached" for step in status.steps)
    ran = sum(step.phase == "Succeeded" for step in status.steps)
    return f"{ran} {'step' if ran == 1 else 'steps'} run, {cached} cached"


def look_again(steps: Iterable[StepStatus], now: datetime) -> float | None:
    """Seconds until the first retry is due."""
    due = [step.retry_at for step in steps if step.retry_at is not None]
    return max(0.0, (min(due) - now).total_seconds()) if due else None


def events(training: Training, steps: Mapping[str, StepStatus]) -> tuple[Event, ...]:
    """What changed since the last status, as far as a person wants to be told."""
    told = []
    for before, after in zip(training.status.steps, steps.values(), strict=True):
        if after is before:
            continue
        if after.phase == "Failed":
            told.append(event(training, "Warning", "StepFailed", f"step {after.name}: {after.message or after.reason}"))
        elif after.retry_at and not before.retry_at:
            told.append(event(training, "Warning", "StepRetried", f"step {after.name}: attempt {after.attempts} failed: {after.message}"))
    return tuple(told)


def event(training: Training, kind: str, reason: str, message: str) -> Event:
    return Event(Ref("Training", training.name), "Warning" if kind == "Warning" else "Normal", reason, message)
