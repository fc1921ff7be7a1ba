"""How a Training begins: the snapshot that it runs from, so that later edits of files and aliases cannot change a run half-way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lykeion.core.pipelines.graph import order
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources.metadata import Condition, set_condition
from lykeion.core.resources.pipeline import ModelInput, PipelineSpec, Step
from lykeion.core.resources.places import Place
from lykeion.core.resources.suggest import did_you_mean
from lykeion.core.resources.training import StepStatus, TrainingStatus
from lykeion.core.values import ModelVersion
from lykeion.errors import LykeionError, Problem

NOT_NEEDED = "NotNeeded"
STEPS = Place(path=("spec", "steps"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was read before a run could be planned. `pipeline` is rendered: no `${parameters.…}` is left in it.

    `signatures` is by component reference.
    """

    pipeline: PipelineSpec
    folder: str
    signatures: Mapping[str, Signature]


def begin(
    given: Surroundings, only: tuple[str, ...], versions: Mapping[str, ModelVersion], generation: int, now: datetime
) -> TrainingStatus:
    """The first status of a Training: its snapshot, the versions its model inputs name now, and which steps it needs at all.

    `only`: some of the pipeline's steps (see `unknown_steps`), or none for all.
    """
    steps = order(given.pipeline)
    models = {
        source.selector: resolved(versions.get(source.selector))
        for step in steps
        for _, source in step.sources()
        if isinstance(source, ModelInput)
    }
    wanted = needed(given.pipeline, steps, only, models)
    return TrainingStatus(
        observed_generation=generation,
        phase="Running",
        conditions=set_condition((), Condition(type="Succeeded", status="Unknown", reason="Running"), now),
        started_at=now,
        pipeline=given.pipeline,
        folder=given.folder,
        components=dict(given.signatures),
        models=models,
        steps=tuple(
            StepStatus(name=step.name)
            if step.name in wanted
            else StepStatus(name=step.name, phase="Skipped", reason=NOT_NEEDED, message=why_not_needed(only))
            for step in steps
        ),
    )


def unknown_steps(spec: PipelineSpec, names: Iterable[str], place: Place = STEPS) -> list[Problem]:
    """The steps that a Training is to run must be some of its pipeline's."""
    known = [step.name for step in spec.steps]
    return [
        place.at(number).problem(f"the pipeline has no step {name!r}", did_you_mean(name, known, "its steps are"), name)
        for number, name in enumerate(names)
        if name not in known
    ]


def refused(error: LykeionError, generation: int, now: datetime) -> TrainingStatus:
    """The status of a Training that cannot begin: it is Invalid as it is written, or what it needs is Unavailable, Corrupt, …"""
    condition = Condition(type="Succeeded", status="False", reason=type(error).__name__, message=str(error))
    return TrainingStatus(
        observed_generation=generation,
        phase="Failed",
        conditions=set_condition((), condition, now),
        started_at=now,
        finished_at=now,
    )


def resolved(version: ModelVersion | None) -> dict[str, Any]:
    """As the status keeps it; empty where the model does not exist yet."""
    return {} if version is None else {"model": version.model, "version": version.version, "digest": version.digest}


def why_not_needed(only: tuple[str, ...]) -> str:
    return f"not asked for: this run is for {', '.join(only)}" if only else "the model that it would make exists already"


def edges(step: Step, models: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The steps whose outputs this one takes in this run: those behind `otherwise` only where the model does not exist."""
    taken = set()
    for _, source in step.sources():
        if not isinstance(source, ModelInput):
            taken.add(source.partition(".")[0])
        elif source.otherwise and not models.get(source.selector):
            taken.add(source.otherwise.partition(".")[0])
    return taken


def needed(spec: PipelineSpec, steps: tuple[Step, ...], only: tuple[str, ...], models: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The steps to run: what was asked for and what that takes; without asking, all but those that only an existing model would take."""
    otherwise = {
        source.otherwise.partition(".")[0]
        for step in steps
        for _, source in step.sources()
        if isinstance(source, ModelInput) and source.otherwise
    }
    consumers: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for name in edges(step, models):
            consumers[name].append(step.name)
    every_consumer = {name for step in steps for name in sources_named(step)}
    published = {publish.output.partition(".")[0] for publish in spec.publish}
    wanted: set[str] = set()
    for step in reversed(steps):
        is_root = step.name in only if only else step.name not in otherwise and (step.name not in every_consumer or step.name in published)
        if is_root or any(name in wanted for name in consumers[step.name]):
            wanted.add(step.name)
    return wanted


def sources_named(step: Step) -> set[str]:
    """The steps that this one names in any way."""
    return {(source.otherwise or "" if isinstance(source, ModelInput) else source).partition(".")[0] for _, source in step.sources()} - {""}
