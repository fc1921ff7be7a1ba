"""Steps without an engine: what a run would do (`foresee`), and one step in this process, for a debugger (`run_alone`)."""

import json
import tempfile
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from lykeion.assembly import Platform
from lykeion.components.loading import load
from lykeion.components.runner import call, run, step_of
from lykeion.core.pipelines.begin import begin
from lykeion.core.pipelines.contract import ERROR_FILE, RESULT_FILE, StepFile
from lykeion.core.pipelines.graph import closure
from lykeion.core.pipelines.training import decide
from lykeion.core.resources import Metadata, Pipeline, PipelineRef, Training, TrainingSpec
from lykeion.core.values import Child, Decision, Observed, StepResult, Task
from lykeion.daemons.earlier import earlier
from lykeion.daemons.lookup import Lookup
from lykeion.daemons.planning import plan
from lykeion.errors import Invalid, NotFound, Problem

FORESEEN = "foreseen"


def foresee(platform: Platform, pipeline: Pipeline, parameters: Mapping[str, Any]) -> Training:
    """How a run would stand before its first step ran: each step is found in the cache, to be run and why, or not known yet."""
    training = planned(platform, pipeline, parameters, ())
    decision, _ = first_decision(platform, training)
    return training.model_copy(update={"status": decision.status})


def planned(platform: Platform, pipeline: Pipeline, parameters: Mapping[str, Any], only: tuple[str, ...]) -> Training:
    """A Training that has begun and is kept nowhere. Raises Invalid as `plan` does."""
    around = plan(pipeline, parameters, None, platform.components, only, containers=platform.containers)
    spec = TrainingSpec(pipeline_ref=PipelineRef(name=pipeline.name), parameters=dict(parameters), steps=only)
    status = begin(around, only, Lookup(platform.resolve), 0, platform.clock.now())
    return Training(metadata=Metadata(name=FORESEEN, uid=FORESEEN), spec=spec, status=status)


def first_decision(platform: Platform, training: Training) -> tuple[Decision, dict[str, Child]]:
    """What the controller would decide first, fingerprints taken in this process."""
    before = earlier(platform.resources, training)
    children: dict[str, Child] = {}
    while True:
        observed = Observed(
            training,
            children,
            platform.clock.now(),
            outputs=Lookup(platform.outputs.find),
            versions=Lookup(platform.resolve),
            previous=before,
        )
        decision = decide(observed, platform.repository_url)
        asked = [task for task in decision.apply if isinstance(task, Task) and task.steps[0].mode == "fingerprint"]
        new = {task.name: fingerprinted(platform, task) for task in asked if task.name not in children}
        if not new:
            return decision, children
        children |= new


def fingerprinted(platform: Platform, task: Task) -> Child:
    """As an engine would run it; what the author's code prints or raises is told as the step's."""
    with tempfile.TemporaryDirectory(prefix="lykeion-") as folder, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        staging = Path(folder)
        file = absolute(task.steps[0], platform.home.root, staging)
        ended = run(file, nothing_to_seal)
        said = json.loads((staging / (ERROR_FILE if ended else RESULT_FILE)).read_bytes())
    if ended:
        return Child(task.name, "Task", "Failed", reason="Error", message=said["message"])
    return Child(task.name, "Task", "Succeeded", results={file.step: StepResult("", {}, result=said["result"])})


def nothing_to_seal(_folder: str, _file: StepFile, _partition: int | None) -> None:
    """A fingerprint leaves no outputs."""


def absolute(file: StepFile, root: Path, staging: Path) -> StepFile:
    inputs = {name: str(root / path) for name, path in file.inputs.items()}
    return replace(file, inputs=inputs, staging=str(staging), cache=str(root / file.cache))


def needed_by(platform: Platform, name: str, parameters: Mapping[str, Any], step: str) -> tuple[str, ...]:
    """The steps that one needs, itself not counted. Raises NotFound where there is no such step."""
    pipeline = platform.resources.get("Pipeline", name)
    assert isinstance(pipeline, Pipeline)
    spec = plan(pipeline, parameters, None, platform.components, containers=platform.containers).pipeline
    if step not in {one.name for one in spec.steps}:
        raise NotFound(f"{name} has no step {step!r}: its steps are {', '.join(one.name for one in spec.steps)}")
    return tuple(sorted(closure(spec, [step]) - {step}))


def run_alone(platform: Platform, name: str, parameters: Mapping[str, Any], step: str) -> Path:
    """Run one step in this process, whether it is cached or not; returns the folder with its outputs. Its exceptions come through.

    Of a partitioned step every partition is run, one after the other.
    """
    pipeline = platform.resources.get("Pipeline", name)
    assert isinstance(pipeline, Pipeline)
    uncached = pipeline.spec.model_copy(
        update={"steps": tuple(one.model_copy(update={"cache": "never"}) if one.name == step else one for one in pipeline.spec.steps)}
    )
    decision, _ = first_decision(platform, planned(platform, pipeline.model_copy(update={"spec": uncached}), parameters, (step,)))
    if any(one.image for one in pipeline.spec.steps if one.name == step):
        remedy = "run it with the others, and look at its log: lykeion logs TRAINING STEP"
        raise Invalid([Problem(f"step {step} runs an image; only a component runs in this process", "--step", step, remedy=remedy)])
    task = next((one for one in decision.apply if isinstance(one, Task) and one.steps[0].step == step and one.steps[0].mode == "run"), None)
    if task is None:
        waiting = next(one.message for one in decision.status.steps if one.name == step)
        raise NotFound(f"step {step} cannot run yet: {waiting}")
    for model in task.models:
        platform.mount(model)
    folder = Path(tempfile.mkdtemp(prefix=f"lykeion-{step}-"))
    file = absolute(task.steps[0], platform.home.root, folder)
    component = load(file.component, file.folder)
    for number in range(component.partitions or 1):
        running = step_of(file)
        running.partition, running.partition_count = number, component.partitions or 1
        call(component, file, running, folder / f"part-{number:05d}" if component.partitions else folder)
    return folder
