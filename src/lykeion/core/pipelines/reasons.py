"""Why a step is not found in the cache, in a person's words: what differs from which earlier run.

It is compared with the newest ended run of the pipeline in which the step succeeded; where there is none, with the newest that got as far
as its key. All of it is read from the runs' snapshots, so that a failure or a garbage collection in between hides nothing.
"""

from collections.abc import Iterable, Mapping

from lykeion.core.pipelines.image_steps import IMAGE
from lykeion.core.pipelines.inputs import MADE
from lykeion.core.pipelines.keys import KeyMaterial
from lykeion.core.pipelines.material import material_in
from lykeion.core.pipelines.signature import LOCK, Signature
from lykeion.core.resources.pipeline import ModelInput, Step
from lykeion.core.resources.training import StepStatus, Training

ENDS = {"Failed": "failed", "Cancelled": "was cancelled", "Skipped": "was skipped"}


def comparable(step: str, earlier: Iterable[Training]) -> Training | None:
    """The run to compare a step with. `earlier`: ended runs, newest first; read no further than is needed."""
    tried = None
    for training in earlier:
        status = status_in(training, step)
        if status is None or not status.key:
            continue
        if status.phase in MADE:
            return training
        tried = tried or training
    return tried


def status_in(training: Training, step: str) -> StepStatus | None:
    return next((status for status in training.status.steps if status.name == step), None)


def why_missed(step: Step, material: KeyMaterial, training: Training, steps: Mapping[str, StepStatus], before: Training | None) -> str:
    """Why there is no result under the key of `material`. `training`: this run, whose steps are by now as in `steps`."""
    if material.nonce:
        return "the step is not cached (cache: never, or it reads something outside and has no fingerprint)"
    if before is None:
        return "no earlier run of this step is known"
    status, then = status_in(before, step.name), material_in(before, step.name)
    assert status is not None  # `comparable` chose the run
    ended = "" if status.phase in MADE else f"it {ENDS.get(status.phase, 'did not end')} in {before.name}"
    if then is None:
        return f"{before.name} was run by a version of Lykeion that made keys otherwise"
    if then.key == material.key:
        return f"{ended}, with the same code, parameters and inputs" if ended else f"the result of {before.name} is no longer on the volume"
    differences = material.differs_from(then, details(step, material, then, training, steps, before))
    since = f" (since {before.name}; {ended})" if ended else f" (since {before.name})"
    return "; ".join(differences) + since


def details(
    step: Step, material: KeyMaterial, then: KeyMaterial, training: Training, steps: Mapping[str, StepStatus], before: Training
) -> dict[str, str]:
    """Part of the key -> what is known of its change beyond that it changed."""
    told = {
        f"inputs.{name}": input_change(name, step, steps, training, before)
        for name, digest in material.inputs.items()
        if then.inputs.get(name, digest) != digest
    }
    now, old = training.status.components.get(step.component or ""), component_in(before, step.name)
    if now and old and not material.identity.startswith(IMAGE):
        told["identity"] = ", ".join(changes_of_code(now, old, lock_of(training)))
    if now and material.fingerprint != then.fingerprint:
        told["fingerprint"] = changed_outside(step, now, before)
    return {part: sentence for part, sentence in told.items() if sentence}


def changed_outside(step: Step, now: Signature, before: Training) -> str:
    """Which places it reads that it did not read then, else those that it reads, of which one changed. "" where it names none."""
    old = step_in(before, step.name)
    places = {name: str(step.with_[name]) for name, given in now.parameters.items() if given.type == "uri" and step.with_.get(name)}
    others = {name: str(old.with_[name]) for name in places if old and old.with_.get(name) and str(old.with_[name]) != places[name]}
    if others:
        return ", ".join(f"{name} was {other}, is {places[name]}" for name, other in others.items())
    return f"what the component reads outside changed: {', '.join(places.values())}" if places else ""


def step_in(training: Training, name: str) -> Step | None:
    spec = training.status.pipeline
    return next((step for step in spec.steps if step.name == name), None) if spec else None


def component_in(training: Training, step: str) -> Signature | None:
    there = step_in(training, step)
    return training.status.components.get((there and there.component) or "")


def input_change(name: str, step: Step, steps: Mapping[str, StepStatus], training: Training, before: Training) -> str:
    """Which step made it otherwise, or which version it names now."""
    source = dict(step.sources())[name]
    if isinstance(source, ModelInput):
        now, old = (run.status.models.get(source.selector) for run in (training, before))
        if now and old:
            return f"input {name} changed: {source.selector} was version {old['version']}, is {now['version']}"
        if now or source.otherwise is None:
            return f"input {name} changed: {source.selector} is another version"
        source = source.otherwise
    maker = steps[source.partition(".")[0]]
    return f"input {name} changed: step {maker.name} {'was run again and ' if maker.phase == 'Succeeded' else ''}made something else"


def lock_of(training: Training) -> str:
    """The file of requirements, as the pipeline names it."""
    spec = training.status.pipeline
    return (spec.environment.requirements if spec else None) or "the requirements file"


def changes_of_code(now: Signature, then: Signature, lock: str = "the requirements file") -> list[str]:
    """Which files and packages of a component are not what they were; empty where that cannot be told."""
    if not (now.python and then.python):  # it was described by a version of Lykeion that did not say
        return []
    names = sorted(now.sources.keys() | then.sources.keys())
    differences = [change(name, now.sources, then.sources) for name in names if now.sources.get(name) != then.sources.get(name)]
    for name in sorted(now.environment.keys() | then.environment.keys()):
        new, old = now.environment.get(name), then.environment.get(name)
        if new != old:
            versions = f"{name} {old or 'not installed'} then, {new or 'not installed'} now"
            differences.append(f"{lock} changed" if name == LOCK else versions)
    if now.python != then.python:
        differences.append(f"Python {then.python} then, {now.python} now")
    functions = [one.component.rpartition(":")[2] for one in (then, now)]
    if functions[0] != functions[1]:
        differences.append(f"the function is {functions[1]}, was {functions[0]}")
    names = [one.component.rpartition("/")[2] for one in (then, now)]  # the folder of the pipeline is no part of the identity
    if functions[0] == functions[1] and names[0] != names[1] and not differences:
        differences.append(f"the component is {names[1]}, was {names[0]}")
    return differences or ["Lykeion's own code changed, which the component uses"]


def change(name: str, now: Mapping[str, str], then: Mapping[str, str]) -> str:
    return f"{name} {'changed' if name in now and name in then else 'is new' if name in now else 'is not there any more'}"
