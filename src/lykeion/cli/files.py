"""YAML files that people name on the command line, as resources that know which file they came from."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lykeion.core.resources import Pipeline, Resource
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.parse import parse
from lykeion.errors import Invalid, Problem

ENDINGS = (".yaml", ".yml")


def read_resources(names: Sequence[str]) -> list[Resource]:
    """The resources in files, in folders' YAML files, and on stdin (`-`). Raises Invalid with every problem of every file."""
    problems: list[Problem] = []
    resources: list[Resource] = []
    for path in paths(names, problems):
        try:
            text = sys.stdin.read() if path is None else path.read_bytes().decode("utf-8")
            resources += [sourced(resource, path) for resource in parse(text, "<stdin>" if path is None else str(path))]
        except Invalid as error:
            problems += error.problems
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=str(path)))
    if problems:
        raise Invalid(problems)
    return resources


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


def one_pipeline(name: str) -> Pipeline:
    """The one Pipeline of a file. Raises Invalid where there is none, or more than one."""
    pipelines = [resource for resource in read_resources([name]) if isinstance(resource, Pipeline)]
    if len(pipelines) != 1:
        raise Invalid([Problem(f"one Pipeline is needed, {len(pipelines)} are here", file=name)])
    return pipelines[0]


def assignments(words: Sequence[str]) -> dict[str, str]:
    """`-p name=value` words as a mapping. Raises Invalid with every word that is none."""
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise Invalid([Problem("write name=value", field="-p", value=word, remedy=f"for instance -p {word}=…") for word in wrong])
    return dict(word.split("=", 1) for word in words)
