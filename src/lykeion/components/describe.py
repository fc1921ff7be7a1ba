"""Import components and print what they say of themselves, in a process of its own: `python -m lykeion.components.describe`.

Reads {"folder", "components": [reference, …]} as JSON from standard input. For each component one line of JSON, as soon as it is known:
{"component", "signature", "files"} or {"component", "problem"}; so where the process dies, it is known over which. What the author's
code prints goes to standard error.
"""

import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from lykeion.components.base import describe
from lykeion.components.loading import AUTHORED, load, way_out
from lykeion.core.content import legible
from lykeion.errors import Problem


def main() -> None:
    wanted = json.load(sys.stdin)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for reference in wanted["components"]:
        answer(answers, reference, wanted["folder"])


def answer(answers: TextIO, reference: str, folder: str) -> None:
    modules, path, hooks = set(sys.modules), list(sys.path), list(sys.path_hooks)
    answers.write(json.dumps({"component": reference, **tell(reference, folder)}) + "\n")
    answers.flush()
    forget_local(modules)
    sys.path[:], sys.path_hooks[:] = path, hooks
    sys.path_importer_cache.clear()


def tell(reference: str, folder: str) -> dict[str, Any]:
    """What a component says of itself, or the problem with it."""
    try:
        component = load(reference, folder)
        said = describe(component, reference).to_json()
        json.dumps(said, allow_nan=False)
        return {"signature": said, "files": list(component.files)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code runs here, and may raise anything
        return {"problem": asdict(problem(error, reference, folder))}


def problem(error: BaseException, reference: str, folder: str) -> Problem:
    """In the author's words and at the author's line."""
    file, line = place(error, reference)
    named = str(error) if isinstance(error, AttributeError | TypeError | SyntaxError) else f"{type(error).__name__}: {error}"
    remedy = way_out(error, reference, folder)
    return Problem(legible(named), field="component", value=reference, file=file, line=line, remedy=remedy)


def place(error: BaseException, reference: str) -> tuple[str, int]:
    """The last line of the author's own code that was on the way to the error; the component's file where there was none."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    ours = str(Path(__file__).parents[1]) + os.sep
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((ours, "<")) and not is_library(frame.filename)
    ]
    where = reference.rpartition(":")[0]
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else (where if where.endswith(".py") else "", 0)


def is_library(file: str) -> bool:
    return "site-packages" in file or file.startswith(os.path.dirname(os.__file__) + os.sep)


def forget_local(before: set[str]) -> None:
    """Let the next component find its own modules: two folders may both have a `helper.py`."""
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        is_own = name.startswith("lykeion.") and not name.startswith(f"{AUTHORED}.")
        if file and not is_library(file) and not is_own:
            del sys.modules[name]


if __name__ == "__main__":
    main()
