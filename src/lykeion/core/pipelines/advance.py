"""What one step of a Training does next: wait, find its result in the cache, start an attempt, take over a result, retry, or fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lykeion.core.pipelines.contract import StepFile
from lykeion.core.pipelines.image_steps import signature_of
from lykeion.core.pipelines.inputs import Blocked, Inputs, Waiting, gather
from lykeion.core.pipelines.keys import effective_parameters
from lykeion.core.pipelines.material import material_of, window_of
from lykeion.core.pipelines.reasons import why_missed
from lykeion.core.pipelines.signature import Signature
from lykeion.core.pipelines.template import split_env
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.pipeline import Step
from lykeion.core.resources.training import StepStatus, Training
from lykeion.core.values import Child, Observed, Ref, Resources, StepResult, Task

NOT_ITS_FAULT = frozenset({"Lost"})  # the engine lost the worker: not an attempt of the step's
LOSSES_ALLOWED = 3
QUEUED = "Queued"
LONGEST_BACKOFF = 300.0


@dataclass(frozen=True, slots=True)
class Advance:
    """What follows for one step. `status` is the same object where nothing changed."""

    status: StepStatus
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """The run that a step belongs to: its snapshot, and how its steps are by now."""

    training: Training
    observed: Observed
    steps: Mapping[str, StepStatus]
    signatures: Mapping[str, Signature]
    models: Mapping[str, Mapping[str, Any]]
    folder: str

    @property
    def window(self) -> tuple[str, str] | None:
        return window_of(self.training)


def advance(step: Step, run: Run) -> Advance:
    """One step, one pass. Pure; called for every step that has not ended."""
    status = run.steps[step.name]
    if status.attempts and status.retry_at is None:
        child = run.observed.children.get(task_name(run.training, step, status.attempts))
        if child is not None:
            return attempted(step, status, child, run)
    inputs = gather(step, run.steps, run.models)
    if isinstance(inputs, Waiting):
        return Advance(changed(status, reason="WaitingForInput", message=f"waiting for step {inputs.step}"))
    if isinstance(inputs, Blocked):
        phase = "Failed" if inputs.failed else "Skipped"
        return Advance(ended(status, phase, run.observed.now, reason=inputs.reason, message=inputs.message))
    signature = signature_of(step, run.signatures)
    if signature.fingerprint and not status.fingerprint:
        return fingerprinted(step, signature, inputs, status, run)
    if not status.key:
        return looked_up(step, signature, inputs, status, run)
    return again(step, signature, inputs, status, run)


def changed(status: StepStatus, **fields: Any) -> StepStatus:
    """`status` with these fields; the same object where they are as they were."""
    if all(getattr(status, name) == value for name, value in fields.items()):
        return status
    return status.model_copy(update=fields)


def ended(status: StepStatus, phase: str, now: datetime, **fields: Any) -> StepStatus:
    return changed(status, **{"phase": phase, "finished_at": now, "retry_at": None, **fields})


def looked_up(step: Step, signature: Signature, inputs: Inputs, status: StepStatus, run: Run) -> Advance:
    """The key is known: take the cached result, or say why there is none and start."""
    material = material_of(step, signature, inputs, status, run.training)
    key, now = material.key, run.observed.now
    refresh = run.training.spec.cache == "Refresh"
    found = None if refresh else run.observed.outputs.get(key)
    if found is not None and not found.uncached:
        taken = taken_over(
            status.model_copy(update={"key": key, "cache": "hit", "started_at": status.started_at or now}), found, "Cached", now
        )
        return Advance(taken)
    if refresh:
        why = "this run was told not to use the cache"
    elif found is not None:
        why = found.uncached
    else:
        why = why_missed(step, material, run.training, run.steps, run.observed.previous.get(step.name))
    uncached = step.cache == "never" or signature.reads_outside
    known = status.model_copy(update={"key": key, "cache": "off" if uncached else "miss", "why": why, "reason": "", "message": ""})
    return started(step, signature, inputs, known, run)


def started(step: Step, signature: Signature, inputs: Inputs, status: StepStatus, run: Run) -> Advance:
    """A new attempt."""
    status = changed(status, attempts=status.attempts + 1, phase="Waiting", reason=QUEUED, message="", retry_at=None)
    return Advance(status, (task(step, signature, inputs, status, run),))


def attempted(step: Step, status: StepStatus, child: Child, run: Run) -> Advance:
    """An attempt was started: how is it?"""
    now = run.observed.now
    if child.phase == "Pending" and status.reason == QUEUED:  # as most of very many steps are
        return Advance(status)
    if child.phase == "Succeeded":
        result = child.results[step.name]
        done = taken_over(observed_progress(status, child), result, "Succeeded", child.finished or now)
        return Advance(changed(done, cache="off", why=result.uncached) if result.uncached else done)
    if child.phase == "Failed":
        return Advance(failed(step, observed_progress(status, child), child, now))
    return Advance(observed_progress(status, child))


def again(step: Step, signature: Signature, inputs: Inputs, status: StepStatus, run: Run) -> Advance:
    """Its key is known and nothing runs: a retry waits, or another engine took over."""
    if status.retry_at is not None:
        return started(step, signature, inputs, status, run) if run.observed.now >= status.retry_at else Advance(status)
    found = run.observed.outputs.get(status.key)  # what the engine before finished is on the volume, the rest starts again
    usable = found is not None and run.training.spec.cache == "Use" and not found.uncached
    if found is not None and (usable or is_of(run, found)):
        return Advance(taken_over(status, found, "Succeeded", run.observed.now))
    return Advance(status, (task(step, signature, inputs, status, run),))


def is_of(run: Run, found: StepResult) -> bool:
    """Whether a result was made while this run was under way: one that may not be used again counts in its own run."""
    began = run.training.status.started_at
    return found.created is not None and began is not None and found.created >= began


def observed_progress(status: StepStatus, child: Child) -> StepStatus:
    running = child.phase != "Pending"
    return changed(
        status,
        phase="Running" if running else "Waiting",
        reason="" if running else QUEUED,
        message="",
        started_at=status.started_at or child.started,
        done=child.done,
        total=child.total,
        unit=child.unit,
        cpu_seconds=round(child.cpu, 4),
    )


def taken_over(status: StepStatus, result: StepResult, phase: str, now: datetime) -> StepStatus:
    return ended(
        status, phase, now, reason="", message="", outputs=dict(result.outputs), metrics=dict(result.metrics), result=dict(result.result)
    )


def failed(step: Step, status: StepStatus, child: Child, now: datetime) -> StepStatus:
    """Try again after a pause that doubles, or give up: at once where another attempt would end the same."""
    lost = child.reason in NOT_ITS_FAULT
    losses = status.losses + lost
    own = status.attempts - losses
    fields = {"reason": child.reason or "Error", "message": child.message, "log_tail": child.log_tail, "losses": losses}
    enough = losses > LOSSES_ALLOWED if lost else own > step.retry.limit or child.hopeless or child.reason == "Cancelled"
    if enough:
        return ended(status, "Failed", child.finished or now, **fields)
    pause = 0.0 if lost else min(step.retry.backoff * 2 ** (own - 1), LONGEST_BACKOFF)
    return changed(status, phase="Waiting", retry_at=now + timedelta(seconds=pause), **fields)


def fingerprinted(step: Step, signature: Signature, inputs: Inputs, status: StepStatus, run: Run) -> Advance:
    """Ask what the component would read outside, in a worker, since it is the user's code."""
    name = f"{run.training.name}.{step.name}.fingerprint"
    child = run.observed.children.get(name)
    if child is None:
        asked = task(step, signature, inputs, status, run, mode="fingerprint")
        return Advance(changed(status, reason="Fingerprint", message="looking at what it reads outside"), (asked,))
    if child.phase == "Failed":
        fields = {"reason": child.reason or "Error", "log_tail": child.log_tail, "message": unseen(child.message, step, signature, run)}
        return Advance(ended(status, "Failed", run.observed.now, **fields))
    if child.phase != "Succeeded":
        return Advance(status)
    said = str(child.results[step.name].result["fingerprint"])
    if not said:  # it would make every state of the outside the same
        message = "its fingerprint is empty: return a digest, an ETag or a watermark"
        return Advance(ended(status, "Failed", run.observed.now, reason="Error", message=message))
    return advance(step, with_step(run, changed(status, fingerprint=said)))


def unseen(message: str, step: Step, signature: Signature, run: Run) -> str:
    """Why it cannot be told what a step would read outside: which parameter says where that is, and where that was written."""
    file = run.training.metadata.annotations.get(SOURCE_FILE, "the pipeline's file")
    told = []
    for name, declared in signature.parameters.items():
        value = step.with_.get(name)
        if declared.type == "uri" and value:
            by = next((parameter for parameter, one in run.training.spec.parameters.items() if one == value), None)
            told.append(f"{name} is the parameter {by}: -p {by}=…" if by else f"{name} is {value!r} in {file}, step {step.name}")
    return f"looking at what it reads: {message}" + (f" ({'; '.join(told)})" if told else "")


def with_step(run: Run, status: StepStatus) -> Run:
    return Run(run.training, run.observed, {**run.steps, status.name: status}, run.signatures, run.models, run.folder)


def task_name(training: Training, step: Step, attempt: int) -> str:
    return f"{training.name}.{step.name}.{attempt}"


def task(step: Step, signature: Signature, inputs: Inputs, status: StepStatus, run: Run, mode: str = "run") -> Task:
    """The work of one attempt (or of the fingerprint), as an engine is told."""
    runs = mode == "run"
    file = StepFile(
        step=step.name,
        component=signature.component,
        key=status.key if runs else "",
        mode="run" if runs else "fingerprint",
        folder=run.folder,
        parameters=effective_parameters(step.with_, signature, run.folder),
        inputs=inputs.paths,
        digests=inputs.digests,
        outputs=tuple(sorted(signature.outputs)) if runs else (),
        window=run.window,
        partition_count=signature.partitions,
        attempt=status.attempts,
        closure=signature.closure,
        sources=signature.sources,
        command=step.command,
        material=material_of(step, signature, inputs, status, run.training).to_dict() if runs else {},
    )
    env, secrets = split_env(step.env)
    return Task(
        name=task_name(run.training, step, status.attempts) if runs else f"{run.training.name}.{step.name}.fingerprint",
        owner=Ref("Training", run.training.name),
        steps=(file,),
        image=step.image,
        network=step.network,
        imports=signature.imports,
        models=inputs.models,
        partitions=signature.partitions if runs else 0,
        parallelism=step.parallelism if runs else 1,
        resources=Resources(step.resources.cpu, step.resources.memory),
        env=env,
        secrets=secrets,
        attempt=status.attempts,
        timeout=step.timeout,
    )
