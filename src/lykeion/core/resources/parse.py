"""YAML text -> resources, or every problem in it at once, each with file, line, field, value and the way out.

    for resource in parse(text, "pipeline.yaml"): ...

`parse_with_lines` keeps the lines, for checks that need more than the file (what components say of themselves). `read` raises nothing: it
gives what could be read beside what is wrong, so that such checks can add their problems to the same list.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lykeion.core.pipelines import check
from lykeion.core.pipelines.begin import unknown_steps
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources import API_VERSION, KINDS, Pipeline, Resource, Training, yaml_text
from lykeion.core.resources.places import Lines, Path, Place, written
from lykeion.core.resources.repair import read as read_on
from lykeion.core.resources.sentences import described
from lykeion.core.resources.suggest import did_you_mean, nearest
from lykeion.errors import Invalid, Problem

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Parsed:
    """A resource and where it was written. `place.at("spec", …).problem(…)` makes a problem with its line."""

    resource: Resource
    place: Place
    repaired: frozenset[str] = frozenset()  # fields that are not what was written

    @property
    def lines(self) -> Lines | None:
        return self.place.lines


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds and what is wrong with it. Where there are problems, resources may be incomplete: good only to look for more."""

    resources: tuple[Parsed, ...]
    problems: tuple[Problem, ...]


def parse(text: str, file: str) -> tuple[Resource, ...]:
    """The resources of a file, which may hold many documents. Raises Invalid with every problem, in the order of the file."""
    return tuple(parsed.resource for parsed in parse_with_lines(text, file))


def parse_with_lines(text: str, file: str) -> tuple[Parsed, ...]:
    """As `parse`, with the line of every field."""
    reading = read(text, file)
    if reading.problems:
        raise Invalid(reading.problems)
    return reading.resources


def read(text: str, file: str) -> Reading:
    """What could be read of a file, and every problem that the file alone shows, in its order."""
    resources: list[Parsed] = []
    problems: list[Problem] = []
    empty = True
    for document in yaml_text.documents(text, file):
        empty = False
        problems += document.problems
        if document.readable:
            parsed, found = resource_of(document.value, Place(file, document.lines))
            problems += found
            resources += [parsed] if parsed is not None else []
    problems += same_names(resources)
    if empty:
        problems.append(Problem("there is nothing in this file", file=file, line=1, remedy=f"write a resource: {', '.join(KINDS)}"))
    return Reading(tuple(resources), tuple(in_order(problems)))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By line, each once. Nobody reads more than MOST_SHOWN."""
    once = {(problem.line, problem.field, problem.message): problem for problem in problems}
    found = sorted(once.values(), key=lambda problem: problem.line)
    if len(found) > MOST_SHOWN:
        more = Problem(f"and {len(found) - MOST_SHOWN} more problems", file=found[-1].file, remedy="fix these first")
        return [*found[:MOST_SHOWN], more]
    return found


def all_problems(reading: Reading, signatures: Mapping[str, Signature]) -> list[Problem]:
    """The problems of a file together with those that its components' signatures show, though the file cannot be run as it stands."""
    found = list(reading.problems)
    for parsed in reading.resources:
        if isinstance(parsed.resource, Pipeline):
            more = check.check_components(parsed.resource.spec, signatures, parsed.place.at("spec"))
            found += [problem for problem in more if not any(touches(problem.field, field) for field in parsed.repaired)]
    return in_order(found)


def touches(field: str, other: str) -> bool:
    """Whether one of two fields is the other or lies in it."""
    short, long = sorted((field, other), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))


def lines_of(text: str, file: str, resource: Resource) -> Lines | None:
    """The lines of a resource that was read from `file` before, where the file still says the same of it."""
    for parsed in read(text, file).resources:
        if parsed.resource.kind == resource.kind and parsed.resource.name == resource.name and parsed.resource.spec == resource.spec:
            return parsed.place.lines
    return None


def resource_of(value: Any, place: Place) -> tuple[Parsed | None, list[Problem]]:
    """One document as a resource, as far as it can be read."""
    if not isinstance(value, dict):
        return None, [place.problem(f"a resource must be a mapping of fields, not {described(value)}", "begin with apiVersion: and kind:")]
    problems: list[Problem] = []
    version, name = value.get("apiVersion"), value.get("kind")
    if version != API_VERSION:
        remedy = f"write apiVersion: {API_VERSION}"
        message = "is missing" if "apiVersion" not in value else f"{described(version)} is not known"
        problems.append(place.at("apiVersion").problem(message, remedy, version))
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        message = "is missing" if "kind" not in value else f"there is no kind {name!r}"
        problems.append(place.at("kind").problem(message, did_you_mean(name, KINDS, "the kinds are"), name))
        kind = KINDS.get(nearest(name, KINDS) or "")
    if kind is None:
        return None, problems
    try:
        data = json.loads(json.dumps(value, allow_nan=False))
    except (ValueError, RecursionError):  # not from YAML: values that JSON cannot say
        return None, [*problems, place.problem("it holds what JSON cannot say", "use text, numbers, true, false, lists and mappings")]
    resource, found, changed = read_on(kind, {**data, "apiVersion": API_VERSION, "kind": kind.__name__}, place)
    problems += found
    if resource is None:
        return None, problems
    repaired = frozenset(written(path) for path in changed)
    problems += [problem for problem in own_problems(resource, place) if problem.field not in repaired]
    return Parsed(resource, place, repaired), problems


def own_problems(resource: Resource, place: Place) -> list[Problem]:
    """What a resource says that cannot be, as far as it shows without anything else."""
    if isinstance(resource, Pipeline):
        return check.check_alone(resource.spec, place.at("spec"))
    if isinstance(resource, Training) and resource.spec.pipeline is not None:
        spec = resource.spec.pipeline
        found = check.check_alone(spec, place.at("spec", "pipeline"))
        found += check.check_given(spec, resource.spec.parameters, place.at("spec", "parameters"))
        return found + unknown_steps(spec, resource.spec.steps, place.at("spec", "steps"))
    return []


def same_names(resources: Iterable[Parsed]) -> list[Problem]:
    """A file that says the same resource twice."""
    first: dict[tuple[str, str], int] = {}
    found: list[Problem] = []
    for parsed in resources:
        here = parsed.place.at("metadata", "name")
        problem = here.problem(f"this file has a {parsed.resource.kind} {parsed.resource.name!r} already", "", parsed.resource.name)
        key = (parsed.resource.kind, parsed.resource.name)
        if key in first:
            found.append(here.problem(problem.message, f"on line {first[key]}; rename one of them", parsed.resource.name))
        first.setdefault(key, problem.line)
    return found


__all__ = ["Lines", "Parsed", "Path", "Place", "Reading", "all_problems", "lines_of", "parse", "parse_with_lines", "read"]
