"""What runs inside the process of a step, whatever started it: from the step file to the result or the error.

The component's function is called once, or once for each partition that this worker has. Its author's exceptions end here: as
`error.json` for the platform and, in the log, a plain traceback down from the author's own frames; or one sentence, where the component
said on purpose what is wrong with what it was given.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from errno import ENOSPC
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any

from lykeion.components import loading
from lykeion.components.base import Component, Input, Output, Step, Window, arguments, partition_name, write_atomically, write_progress
from lykeion.components.loading import SourceChanged, expect, load, way_out
from lykeion.core.content import legible
from lykeion.core.pipelines.contract import ERROR_FILE, RESULT_FILE, StepFile
from lykeion.errors import Invalid, LykeionError, Refused

Seal = Callable[[str, StepFile, int | None], None]  # folder, step, partition: makes what lies in the folder whole, as the last act

SUCCEEDED, FAILED, DISK_FULL = 0, 1, 28  # exit codes; a full disk may leave no room for error.json

# what the requirements, Python's version and the contract's version cover
LIBRARIES = tuple(os.path.dirname(os.path.realpath(path)) + os.sep for path in (os.path.dirname(__file__), os.__file__))
NAMED_LIBRARIES = frozenset({"site-packages", "dist-packages"})


def run(file: StepFile, seal: Seal) -> int:
    """Run one step whose paths are absolute; returns the exit code of its process."""
    newest = next(reversed(sys.modules))
    try:
        expect(file.sources, file.folder)
        component = load(file.component, file.folder)
        if file.mode == "fingerprint":
            write_result(Path(file.staging), {"fingerprint": fingerprint(component, file)})
        elif component.partitions:
            run_partitions(component, file, newest, seal)
        else:
            step = step_of(file)
            call(component, file, step, Path(file.staging))
            leave(file, step, Path(file.staging), newest)
            if file.outputs:
                sealed(seal, file.staging, file, None)
    except BaseException as error:  # noqa: BLE001 - the author's code may raise anything, SystemExit too; none of it may escape
        return report(error, file)
    return SUCCEEDED


def sealed(seal: Seal, folder: str, file: StepFile, partition: int | None) -> None:
    """Raises Invalid for what no output can hold, a link for one: that is said in a sentence."""
    try:
        seal(folder, file, partition)
    except ValueError as error:
        raise Invalid(f"an output of step {file.step} cannot be kept: {error}") from error


def step_of(file: StepFile) -> Step:
    window = Window(*map(datetime.fromisoformat, file.window)) if file.window else None
    return Step(file.step, Path(file.cache), Path(file.staging), attempt=file.attempt, deadline=file.deadline, window=window)


def offered(file: StepFile, folder: Path) -> dict[str, Any]:
    """The inputs, outputs and parameters of a step by name, its outputs in `folder`."""
    outputs: dict[str, Output[Any]] = {name: Output(folder / name) for name in file.outputs}
    inputs: dict[str, Input[Any]] = {name: Input(Path(path), file.digests.get(name, "")) for name, path in file.inputs.items()}
    return {**file.parameters, **inputs, **outputs}


def call(component: Component, file: StepFile, step: Step, folder: Path) -> None:
    for name in file.outputs:
        (folder / name).mkdir(parents=True, exist_ok=True)
    try:
        component.function(**arguments(component.function, offered(file, folder), step))
    except SystemExit as stop:
        if stop.code not in (None, 0):
            raise
    sys.stdout.flush()


def fingerprint(component: Component, file: StepFile) -> str:
    """What the component says is there outside, now. Raises TypeError where it says nothing that can be compared."""
    if component.fingerprint is None:
        raise TypeError(f"{file.component} has no fingerprint: give it one, or say reads_outside=True")
    said = component.fingerprint(**arguments(component.fingerprint, offered(file, Path(file.staging)), step_of(file)))
    if not isinstance(said, str):
        raise TypeError(f"the fingerprint of {file.component} is {type(said).__name__}, not str: return a digest, an ETag or a watermark")
    return said


@dataclass(slots=True)
class PartitionStep(Step):
    """A step that says its progress over all partitions of its worker: those to come are taken to be as big as those seen."""

    number: int = 0  # of the worker's partitions, how many came before
    share: int = 1  # how many the worker has
    before: int = 0  # items done in those that came before
    done: int = 0
    total: int = 0
    unit: str = ""

    def progress(self, done: int, total: int, unit: str = "") -> None:
        self.done, self.total, self.unit = done, total, unit
        self.say(self.before + done, (self.before + total) * self.share // (self.number + 1))

    def say(self, done: int, total: int) -> None:
        if self.staging is not None:
            write_progress(self.staging, done, total, self.unit)


def run_partitions(component: Component, file: StepFile, newest: str, seal: Seal) -> None:
    """Call the component for each partition; each is sealed by itself, so that what is done stays done."""
    count = file.partition_count or component.partitions
    numbers = range(count) if file.partitions is None else file.partitions
    plain = step_of(file)
    seen, unit = 0, ""
    for index, number in enumerate(numbers):
        step = PartitionStep(
            plain.name, plain.cache, plain.staging, number, count, plain.attempt, plain.deadline, plain.window,
            number=index, share=len(numbers), before=seen, unit=unit,
        )  # fmt: skip
        folder = Path(file.staging) / partition_name(number)
        call(component, file, step, folder)
        leave(file, step, folder, newest)
        sealed(seal, str(folder), file, number)
        seen, unit = seen + step.total, step.unit
        if unit:
            step.say(seen, seen * len(numbers) // (index + 1))
        else:
            write_progress(Path(file.staging), index + 1, len(numbers), "partitions")


def leave(file: StepFile, step: Step, folder: Path, newest: str) -> None:
    """Write what the step says of its outputs; of outputs without remarks, nothing."""
    uncached = step.uncached or undeclared(file, newest)
    if step.result or step.metrics or uncached or not file.outputs:
        write_result(folder, step.result, step.metrics, uncached)


def write_result(folder: Path, result: Mapping[str, Any], metrics: Mapping[str, float] | None = None, uncached: str = "") -> None:
    """Raises TypeError where a metric is no number, or the result is no JSON object."""
    if not isinstance(result, Mapping) or not isinstance(metrics or {}, Mapping):
        raise TypeError("step.result and step.metrics are dicts: write step.result[NAME] = …, and step.metric(NAME, number)")
    for name, value in (metrics or {}).items():
        if not isinstance(value, int | float) and not hasattr(value, "item"):
            raise TypeError(f"step.metrics[{name!r}] is {value!r}: a metric is a number; keep other things in step.result")
    try:
        said = legible({"metrics": metrics or {}, "result": result, "uncached": uncached})
    except ValueError as error:
        raise TypeError(f"step.result: {error}; write what is so big to an output") from error
    text = json.dumps(said, default=plain_number)
    (folder / RESULT_FILE).write_text(text)


def plain_number(value: Any) -> Any:
    """numpy's numbers, as JSON can hold them."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"step.result holds a {type(value).__name__}: JSON holds str, int, float, bool, list, dict and None")


def undeclared(file: StepFile, newest: str) -> str:
    """Why the result must not be found again: it depends on a source file that the digest of the code does not cover. "" where none.

    Looks at what was imported after the module `newest`.
    """
    if not file.folder:
        return ""
    covered = {os.path.realpath(os.path.join(file.folder, path)) for path in file.closure}
    for name in sorted(takewhile(newest.__ne__, reversed(sys.modules))):
        origin = getattr(sys.modules[name], "__file__", None)
        path = os.path.realpath(origin) if origin else ""
        if path and path not in covered and not path.startswith(LIBRARIES) and not NAMED_LIBRARIES.intersection(Path(path).parts):
            shown = os.path.relpath(path, os.path.realpath(file.folder))
            return f"it imported {shown}, which its cache key does not cover: import it by an import statement, or list it in files="
    return ""


def report(error: BaseException, file: StepFile) -> int:
    """Write `error.json` and what goes into the log; returns the exit code."""
    frames = authors_frames(error.__traceback__)
    told = isinstance(error, LykeionError)
    lines = [f"{error}\n"] if told else traceback.format_exception(type(error), error, frames)
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.write("".join(lines))
        sys.stderr.flush()
    said = {
        "type": type(error).__name__,
        "message": message_of(error, file),
        "traceback": "".join(lines),
        "retryable": not isinstance(error, ImportError | SyntaxError | NotImplementedError | SourceChanged | Invalid | Refused),
    }
    with suppress(OSError):
        write_atomically(Path(file.staging, ERROR_FILE), json.dumps(legible(said)))
    return DISK_FULL if isinstance(error, OSError) and error.errno == ENOSPC else FAILED


def message_of(error: BaseException, file: StepFile) -> str:
    """What went wrong in one line, with the way out where it is known."""
    if remedy := way_out(error, file.component, file.folder) or about_what_is_read_only(error, file):
        return f"{error}: {remedy}"
    if isinstance(error, SystemExit):
        return f"the component called sys.exit({error.code!r})"
    return str(error)


def about_what_is_read_only(error: BaseException, file: StepFile) -> str:
    """What to do where somebody writes to an input, or to a copy that has its mode; "" where it is neither."""
    if not isinstance(error, PermissionError) or not isinstance(error.filename, str):
        return ""
    path = Path(os.path.abspath(error.filename))
    if any(path.is_relative_to(given) for given in file.inputs.values()):
        return "an input is read-only: write to an output, or to a copy"
    if os.path.isfile(path) and not os.stat(path).st_mode & 0o200:
        copying = "shutil.copyfile, a folder with shutil.copytree(…, copy_function=shutil.copyfile)"
        return f"it was copied from an input with its mode, and inputs are read-only: copy a file with {copying}"
    return ""


def authors_frames(frames: TracebackType | None) -> TracebackType | None:
    """Without the platform's own frames at the top; all of them where there are no others."""
    kept = frames
    while kept is not None and kept.tb_frame.f_code.co_filename in (__file__, loading.__file__):
        kept = kept.tb_next
    return kept or frames
