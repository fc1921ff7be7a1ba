"""YAML files that people name on the command line, as resources that know which file they came from."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lykeion.core.pipelines.keys import located
from lykeion.core.pipelines.parameters import given_parameters
from lykeion.core.resources import Pipeline, Resource
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.parse import parse, read
from lykeion.daemons.planning import faults, plan
from lykeion.errors import Invalid, Problem
from lykeion.ports import Components, Containers

ENDINGS = (".yaml", ".yml")
LONGEST = 4 << 20  # bytes of a file of resources, as the API takes


def read_resources(names: Sequence[str]) -> list[Resource]:
    """The resources in files, in folders' YAML files, and on stdin (`-`). Raises Invalid with every problem of every file."""
    problems: list[Problem] = []
    resources: list[Resource] = []
    for path in paths(names, problems):
        try:
            resources += [sourced(resource, path) for resource in parse(text_of(path), shown(path))]
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid(problems)
    return resources


def text_of(path: Path | None) -> str:
    """Of a file, or of stdin. Raises Invalid where it cannot be read."""
    try:
        if path is None:
            return sys.stdin.read()
        with path.open("rb") as file:  # a pipe is welcome here: a shell's <(…) is one
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise Invalid([Problem(f"it is longer than the {LONGEST >> 20} MiB that resources may have", file=shown(path))])
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid([Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=shown(path))]) from error


def shown(path: Path | None) -> str:
    return "<stdin>" if path is None else str(path)


def paths(names: Sequence[str], problems: list[Problem]) -> list[Path | None]:
    found: list[Path | None] = []
    for name in names:
        path = Path(name)
        if name == "-":
            found.append(None)
        elif path.is_dir():
            inside: list[Path | None] = [one for one in sorted(path.iterdir()) if one.suffix in ENDINGS]
            if not inside:
                problems.append(Problem("no .yaml file is in this folder", file=name))
            found += inside
        else:
            found.append(path)
    return found


def sourced(resource: Resource, path: Path | None) -> Resource:
    """Remember the file: the components of a pipeline are found beside it."""
    source = str(path.resolve()) if path else str(Path.cwd() / "<stdin>")
    metadata = resource.metadata.model_copy(update={"annotations": {**resource.metadata.annotations, SOURCE_FILE: source}})
    return resource.model_copy(update={"metadata": metadata})


def pipeline_to_run(
    name: str, words: Sequence[str], components: Components, containers: Containers, only: Sequence[str] = ()
) -> tuple[Pipeline, dict[str, Any]]:
    """The one Pipeline of a file, and its parameters with those given as `name=value` words.

    Raises Invalid with everything that keeps it from being run: in the file, in its components, in the words.
    """
    path = None if name == "-" else Path(name)
    reading = read(text_of(path), shown(path))
    found = [parsed for parsed in reading.resources if isinstance(parsed.resource, Pipeline)]
    given, wrong = assignments(words)
    if len(found) != 1:
        many = Problem(f"one Pipeline is needed, {len(found)} are here", file=shown(path))
        raise Invalid([*(reading.problems or [many]), *wrong])
    pipeline = sourced(found[0].resource, path)
    assert isinstance(pipeline, Pipeline)
    declared = pipeline.spec.parameters
    given = {
        key: located(value, str(Path.cwd())) if key in declared and declared[key].type == "uri" else value for key, value in given.items()
    }
    folder = str((path.resolve() if path else Path.cwd() / "<stdin>").parent)
    if reading.problems:
        raise Invalid([*faults(reading, found[0], folder, given, components), *wrong])
    try:
        plan(pipeline, given, None, components, only, containers=containers)
    except Invalid as error:
        wrong = [*error.problems, *wrong]
    if wrong:
        raise Invalid(wrong)
    return pipeline, given_parameters(pipeline.spec, given)


def pipeline_of(name: str) -> Pipeline:
    """The one Pipeline of a file. Raises Invalid with every problem of the file, or where there is not one."""
    found = [resource for resource in read_resources([name]) if isinstance(resource, Pipeline)]
    if len(found) != 1:
        raise Invalid([Problem(f"one Pipeline is needed, {len(found)} are here", file=name)])
    return found[0]


def assignments(words: Sequence[str]) -> tuple[dict[str, str], list[Problem]]:
    """`-p name=value` words as a mapping, and what is wrong with those that are none."""
    wrong = [word for word in words if "=" not in word]
    problems = [Problem("write name=value", field="-p", value=word, remedy=f"for instance -p {word}=…") for word in wrong]
    return dict(word.split("=", 1) for word in words if "=" in word), problems
