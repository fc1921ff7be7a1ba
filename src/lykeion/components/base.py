"""The SDK of a component's author: a typed Python function becomes a step.

    from lykeion import component, Input, Output

    @component(role="feature")
    def embed(images: Input, vectors: Output, *, size: Annotated[int, Range(1, 256)] = 32) -> None:
        for picture in sorted(images.path.iterdir()): ...
        (vectors.path / "vectors.npy").write_bytes(...)

Positional parameters annotated `Input` and `Output` are directories; keyword-only parameters are what `with:` may set. Two
annotations are filled in by the runner instead: `Step` (progress, metrics, caches) and `Window` (which makes the window part of the
cache key). Standard library only: the parent that forks steps imports this.
"""

import inspect
import json
import os
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from operator import index
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, overload

from lykeion.core.content import legible
from lykeion.core.pipelines.contract import PROGRESS_FILE
from lykeion.core.pipelines.signature import ParameterSignature, ParameterType, Signature

T = TypeVar("T", covariant=True)
F = TypeVar("F", bound=Callable[..., None])

PARTITIONS = 64  # of a partitioned step, unless its component says otherwise


class Range(NamedTuple):
    """`Annotated[int, Range(1, 256)]`: the bounds of a parameter, ends included."""

    minimum: float | None = None
    maximum: float | None = None


class Choice:
    """`Annotated[str, Choice("cpu", "cuda")]`: the values that a parameter may take."""

    def __init__(self, *values: Any) -> None:
        self.values = values


class Uri(str):
    """Where something outside is: a path or a URL. It is no part of the cache key where the component has a fingerprint: what counts
    is what is there, not what it is called."""

    __slots__ = ()


class Window(NamedTuple):
    """The stretch of time that a batch is for, half-open: start <= t < end. UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Input(Generic[T]):
    """A directory that an earlier step made (or a model's files): read-only. `digest` names its content.

    `Input[Pictures]` takes only an output that says `Output[Pictures]`; a bare `Input` takes everything.
    """

    path: Path
    digest: str = ""

    def partition(self, number: int) -> Path:
        """The part of a partitioned step's output that holds partition `number`."""
        return self.path / partition_name(number)

    def files(self, pattern: str = "*") -> list[Path]:
        """The files that match `pattern`, those of every partition where there are partitions, in a stable order."""
        return sorted(found for found in self.path.rglob(pattern) if found.is_file())


@dataclass(frozen=True, slots=True)
class Output(Generic[T]):
    """A directory to write to. What is in it when the function returns is the output; nobody sees a half-written one."""

    path: Path


@dataclass(slots=True)
class Step:
    """What a running step may ask of its runner."""

    name: str = "step"
    cache: Path = Path("cache")
    staging: Path | None = None
    partition: int = 0
    partition_count: int = 1
    attempt: int = 1
    deadline: float | None = None
    window: Window | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    uncached: str = ""

    def progress(self, done: int, total: int, unit: str = "") -> None:
        """Say how far it is: seen by everyone who watches the Training. Cheap enough for every few items. Raises TypeError."""
        if self.staging is not None:
            write_progress(self.staging, done, total, unit)

    def metric(self, name: str, value: float) -> None:
        """Keep a number beside the step's result. Of several partitions it is the sum."""
        self.metrics[name] = self.metrics.get(name, 0.0) + float(value)

    def mine(self, item_id: str) -> bool:
        """Whether an item belongs to this worker's partition."""
        return partition_of(item_id, self.partition_count) == self.partition

    def cache_folder(self, namespace: str) -> Path:
        """A folder of the volume that outlives runs: for work per item that is worth keeping."""
        folder = self.cache / namespace
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def partition_of(item_id: str, count: int) -> int:
    """Which of `count` partitions an item belongs to; the same on every machine and for ever."""
    return int.from_bytes(blake2b(item_id.encode(), digest_size=8).digest(), "big") % count


def partition_name(number: int) -> str:
    return f"part-{number:05d}"


def write_progress(staging: Path, done: int, total: int, unit: str) -> None:
    """Raises TypeError where what is said cannot be counted."""
    try:
        said = {"done": index(done), "total": index(total), "unit": legible(str(unit))}
    except TypeError as error:
        raise TypeError(f"progress({done!r}, {total!r}): say whole numbers, how many are done and how many there are") from error
    write_atomically(staging / PROGRESS_FILE, json.dumps(said))


def write_atomically(path: Path, text: str) -> None:
    """Whoever reads `path` sees the old text or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    os.replace(beside, path)


@dataclass(frozen=True, slots=True)
class Component:
    """A function that is a step. It can still be called as a function, by a test for instance."""

    function: Callable[..., None]
    role: str = ""
    partitions: int = 0  # 0: the step has one worker
    files: tuple[str, ...] = ()
    fingerprint: Callable[..., str] | None = None
    reads_outside: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        self.function(*args, **kwargs)


@overload
def component(function: F, /) -> Component: ...
@overload
def component(
    *,
    role: str = "",
    partitions: int = 0,
    files: Iterable[str] = (),
    fingerprint: Callable[..., str] | None = None,
    reads_outside: bool = False,
) -> Callable[[F], Component]: ...
def component(
    function: F | None = None,
    /,
    *,
    role: str = "",
    partitions: int = 0,
    files: Iterable[str] = (),
    fingerprint: Callable[..., str] | None = None,
    reads_outside: bool = False,
) -> Component | Callable[[F], Component]:
    """Make a step of a function.

    role: what AutoFlow may use it as ("source", "feature", "estimator" …).
    partitions: into how many parts its items fall (`PARTITIONS` is a good number); the function is called once for each, with
        `step.partition` set, and each part is kept when it is done. `parallelism` in the pipeline is how many workers share them.
    files: other files whose content decides the result (a vocabulary, a query), relative to the component's file.
    fingerprint: for a component that reads something outside its inputs: a function of the same inputs and parameters (those that
        it names) that says what is there now (a file's digest, an ETag). It is part of the cache key.
    reads_outside: it reads something outside and has no fingerprint, so it runs every time.
    """

    named = (files,) if isinstance(files, str) else tuple(files)
    if not all(isinstance(name, str) for name in named):
        raise TypeError(f"files={files!r}: say a list of paths, relative to the component's file")
    if partitions < 0:
        raise TypeError(f"partitions={partitions}: say into how many parts its items fall, or nothing")
    if fingerprint is not None and not callable(fingerprint):
        raise TypeError(f"fingerprint={fingerprint!r}: say a function that tells what is there now")

    def make(function: F) -> Component:
        return Component(function, role, partitions, named, fingerprint, reads_outside)

    return make if function is None else make(function)


TYPES: Mapping[Any, ParameterType] = {
    str: "string",
    Uri: "uri",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "list",
    dict: "map",
}


def describe(given: Component, reference: str) -> Signature:
    """What the annotations of a component's function say. `identity`, `imports` and `closure` are added by who read its source.

    Raises TypeError where the function cannot be a step, with the parameter's name and the way out.
    """
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    parameters: dict[str, ParameterSignature] = {}
    optional: list[str] = []
    windowed = False
    if any(is_so(inspect.unwrap(given.function)) for is_so in (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)):
        raise TypeError(f"{reference}: it is called and has done its work when it returns: write it without `async` and `yield`")
    for parameter, annotation in annotated(given.function):
        require_name(parameter)
        name, kind = parameter.name, typing.get_origin(annotation) or annotation
        if kind is Input or kind is Output:
            (inputs if kind is Input else outputs)[name] = type_name(annotation)
            if parameter.default is None:
                optional.append(name)
        elif kind is Window:
            windowed = True
        elif kind is Step:
            continue
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            parameters[name] = parameter_signature(parameter, annotation)
        else:
            raise TypeError(f"{reference}: {name}: annotate it Input or Output, or put it behind `*` to make it a parameter of `with:`")
    return Signature(
        component=reference,
        inputs=inputs,
        optional=tuple(optional),
        outputs=outputs,
        parameters=parameters,
        role=given.role,
        description=(inspect.getdoc(given.function) or "").split("\n\n")[0].replace("\n", " "),
        partitions=given.partitions,
        windowed=windowed,
        fingerprint=given.fingerprint is not None,
        reads_outside=given.reads_outside,
    )


def require_name(parameter: inspect.Parameter) -> None:
    """Raises TypeError for a parameter that nothing can be passed to by its name."""
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise TypeError(f"{parameter}: a step is given what it names: name each input, output and parameter")
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise TypeError(f"{parameter.name}: everything is passed by its name: take the `/` away")


def annotated(function: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any]]:
    """Each parameter with its annotation; `Input | None` counts as `Input`."""
    hints = typing.get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        yield parameter, without_none(hints.get(parameter.name, str))


def without_none(annotation: Any) -> Any:
    """`Input` for `Input | None`."""
    choices = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
    is_optional = type(None) in typing.get_args(annotation) and typing.get_origin(annotation) is not Annotated
    return choices[0] if is_optional else annotation


def type_name(annotation: Any) -> str:
    """`Input[Pictures]` -> "Pictures"; a bare `Input` -> ""."""
    return next((getattr(argument, "__name__", str(argument)) for argument in typing.get_args(annotation)), "")


def parameter_signature(parameter: inspect.Parameter, annotation: Any) -> ParameterSignature:
    bare = annotation
    notes: tuple[Any, ...] = ()
    if typing.get_origin(annotation) is Annotated:
        bare, *rest = typing.get_args(annotation)
        notes = tuple(rest)
    if typing.get_origin(bare) is typing.Literal:
        notes, bare = (*notes, Choice(*typing.get_args(bare))), type(typing.get_args(bare)[0])
    kind = TYPES.get(typing.get_origin(bare) or bare)
    if kind is None:
        raise TypeError(f"{parameter.name}: a parameter of `with:` is str, int, float, bool, list or dict, not {bare}")
    bounds = next((note for note in notes if isinstance(note, Range)), Range())
    choices = next((tuple(note.values) for note in notes if isinstance(note, Choice)), ())
    required = parameter.default is inspect.Parameter.empty
    return ParameterSignature(kind, required, None if required else parameter.default, bounds.minimum, bounds.maximum, choices)


def arguments(function: Callable[..., Any], offered: Mapping[str, Any], step: Step) -> dict[str, Any]:
    """What to call `function` with: of the inputs, outputs and parameters `offered`, those that it names, and a Step or Window.

    Each step's process asks this once, so it does without `inspect.signature`, which costs as much as all the rest of a short call.
    """
    code = inspect.unwrap(function).__code__
    hints = typing.get_type_hints(function, include_extras=True)
    chosen: dict[str, Any] = {}
    for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        annotation = without_none(hints.get(name))
        if annotation is Step:
            chosen[name] = step
        elif annotation is Window:
            chosen[name] = step.window
        elif name in offered:
            chosen[name] = offered[name]
    return chosen
