"""What a run is planned from: the pipeline with its parameters filled in, and what its components say of themselves.

Whatever is wrong is told at once: `plan` raises all problems of a pipeline that can be read, `faults` adds those to what a file shows.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lykeion.core.pipelines.begin import Surroundings, unknown_steps
from lykeion.core.pipelines.check import check
from lykeion.core.pipelines.graph import closure
from lykeion.core.pipelines.image_steps import pinned
from lykeion.core.pipelines.parameters import GIVEN, read_parameters
from lykeion.core.pipelines.signature import Signature
from lykeion.core.pipelines.template import Values, fill_spec
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.parse import Parsed, Reading, all_problems, in_order, lines_of, touches
from lykeion.core.resources.pipeline import Pipeline, PipelineSpec
from lykeion.core.resources.places import Lines, Place
from lykeion.core.resources.training import WindowSpec
from lykeion.errors import Invalid, NotFound, Problem
from lykeion.ports import Components, Containers

LOCK = "spec.environment.requirements"


def plan(
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    window: WindowSpec | None,
    components: Components,
    only: Sequence[str] = (),
    *,
    containers: Containers,
) -> Surroundings:
    """Raises Invalid with everything that keeps the pipeline from being run: parameters, components, images, what does not fit together.

    Raises Unavailable where its images cannot be run here, or their registry does not answer.
    """
    source = pipeline.metadata.annotations.get(SOURCE_FILE, "")
    folder = str(Path(source).parent) if source else ""
    values, wrong = read_parameters(pipeline.spec, parameters)
    wrong += unknown_steps(pipeline.spec, only)
    signatures, unfound = described(pipeline.spec, folder, components)
    spec = pipeline.spec
    if not wrong:
        try:
            spec = fill_spec(spec, Values(values, (window.start.isoformat(), window.end.isoformat()) if window else None))
        except Invalid as error:
            wrong += error.problems
    if wrong or unfound or check(spec, signatures, filled=True):
        place = Place(source, lines_written(pipeline, source), ("spec",))
        unfit = check(spec, signatures, source, place.lines, filled=not wrong)
        raise Invalid(once([*wrong, *(placed(problem, spec, place) for problem in unfound), *unfit]))
    if any(step.image for step in spec.steps):
        needed = closure(spec, only or (step.name for step in spec.steps))
        spec = with_images(spec, needed, containers, Place(source, lines_written(pipeline, source), ("spec",)))
    return Surroundings(spec, folder, signatures)


def lines_written(pipeline: Pipeline, source: str) -> Lines | None:
    """The line of each field, which costs a parse; None where the file is gone, or says something else by now."""
    try:
        return lines_of(Path(source).read_bytes().decode("utf-8"), source, pipeline) if source else None
    except (OSError, UnicodeDecodeError):
        return None


def once(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem once, though it was found twice: rather with its line."""
    found: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        key = (problem.field, problem.message)
        if key not in found or not found[key].line:
            found[key] = problem
    return list(found.values())


def placed(problem: Problem, spec: PipelineSpec, place: Place) -> Problem:
    """What is wrong with a component, where the pipeline names it."""
    number = next((at for at, step in enumerate(spec.steps) if step.component and step.component == problem.value), None)
    if number is None or problem.file:
        return problem
    return place.at("steps", number, "component").problem(problem.message, problem.remedy, problem.value)


def faults(reading: Reading, parsed: Parsed, folder: str, parameters: Mapping[str, Any], components: Components) -> list[Problem]:
    """All that is wrong with a pipeline whose file has problems: those, its components', and those of the parameters that were given."""
    spec = parsed.resource.spec
    signatures, unfound = described(spec, folder, components)
    wrong = [
        problem
        for problem in read_parameters(spec, parameters, GIVEN)[1]
        if not any(touches(f"spec.{problem.field}", field) for field in parsed.repaired)
    ]
    place = parsed.place.at("spec")
    here = [*all_problems(reading, signatures), *(placed(problem, spec, place) for problem in unfound)]
    return [*in_order(here), *wrong]


def described(spec: PipelineSpec, folder: str, components: Components) -> tuple[Mapping[str, Signature], list[Problem]]:
    """What the components say of themselves, as far as they can be asked, and what is wrong with the others."""
    wanted = list(dict.fromkeys(step.component for step in spec.steps if step.component))
    lock, problems = lock_of(spec, folder)
    signatures, found = asked(components, folder, wanted, lock)
    if found and len(wanted) > 1:  # those that are well were remembered, so that asking for each again costs little
        for component in wanted:
            signatures |= asked(components, folder, [component], lock)[0]
    return signatures, [*problems, *found]


def asked(components: Components, folder: str, wanted: Sequence[str], lock: Path | None) -> tuple[dict[str, Signature], list[Problem]]:
    """All of their signatures, or why they cannot be had."""
    try:
        return dict(components.describe_all(folder, wanted, lock)), []
    except Invalid as error:
        return {}, list(error.problems)
    except OSError as error:
        return {}, [Problem(f"cannot be read: {error.strerror}", file=str(error.filename or folder))]


def with_images(spec: PipelineSpec, needed: Collection[str], containers: Containers, place: Place) -> PipelineSpec:
    """The pipeline with the images of the steps that are needed by digest. Raises Invalid with all that there are not, Unavailable."""
    images: dict[str, str] = {}
    problems: list[Problem] = []
    for number, step in enumerate(spec.steps):
        if step.image is None or step.name not in needed or step.image in images:
            continue
        try:
            images[step.image] = containers.pinned(step.image)
        except Invalid as error:
            problems += (place.at("steps", number, "image").problem(one.message, one.remedy, step.image) for one in error.problems)
        except NotFound as error:
            problems.append(place.at("steps", number, "image").problem(str(error), "", step.image))
    if problems:
        raise Invalid(problems)
    return pinned(spec, images)


def lock_of(spec: PipelineSpec, folder: str) -> tuple[Path | None, list[Problem]]:
    """The requirements file of the pipeline, and what is wrong where it is named but not there."""
    if spec.environment.requirements is None:
        return None, []
    path = Path(folder) / spec.environment.requirements
    if path.is_file():
        return path, []
    return None, [Problem("no such file", field=LOCK, value=str(path), remedy="write its path relative to the pipeline's file")]
