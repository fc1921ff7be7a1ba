"""Compiled code beside the source: `unchecked-hash` .pyc, bit for bit the same wherever the same Python compiles.

A root that is read-only and a user without a cache would otherwise compile at every start, which is more than half of an import. Even
patch releases of one minor version compile some files differently: the whole version is part of the keys (`Compiler.key`), and an
interpreter of the image's own base may do the work (`interpreter`), so that the builder's does not matter.
"""

import marshal
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from lykeion.adapters.images import pyc_worker
from lykeion.adapters.images.caches import touched
from lykeion.core.images.entries import Entry
from lykeion.errors import LykeionError

FORMAT = 1  # of what pyc_worker writes for one source and one Python
WORTH_A_PROCESS = 100  # files
MARSHAL = 4  # the version that every Python from 3.4 on reads
TESTS = frozenset({"test", "tests"})


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that compiles. `version`: whole, with all that may change what it writes. `command` is asked when there is work."""

    version: str
    command: Callable[[], Sequence[str]]


HERE = Interpreter(platform.python_version(), lambda: [sys.executable])


@dataclass(frozen=True)
class Compiler:
    """Compiles for an image whose Python is `python` ("3.11"). `cache`: a folder of finished files; it may be deleted at any time."""

    python: str
    cache: Path
    interpreter: Interpreter = HERE

    @property
    def reason(self) -> str:
        """Why nothing is compiled; "" where it is."""
        if self.interpreter.version.startswith(f"{self.python}."):
            return ""
        return (
            f"Python {self.interpreter.version} compiles here and the image has Python {self.python}: no .pyc is put beside the sources, so"
            f" imports take twice the CPU; build with Python {self.python}, or on a base of Debian packages"
        )

    @cached_property
    def key(self) -> str:
        """Of all that decides what is compiled from one source: part of a layer's key."""
        return "" if self.reason else f"pyc {FORMAT} {sys.implementation.name} {self.interpreter.version}"

    def compiled(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries with a .pyc for each .py that is Python and no test, without those that were there."""
        given = [entry for entry in entries if "__pycache__" not in entry.path.split("/")]
        sources = [] if self.reason else [entry for entry in given if is_compiled(entry)]
        places = {entry.path: self._place(entry) for entry in sources}
        sizes = {entry.path: place.stat().st_size for entry in sources if (place := places[entry.path]).exists()}
        for path in sizes:
            touched(places[path])
        sizes |= self._compile([(entry, places[entry.path]) for entry in sources if entry.path not in sizes])
        return given + [
            Entry(self.beside(entry.path), source=str(places[entry.path]), size=sizes[entry.path])
            for entry in sources
            if entry.path in sizes
        ]

    def beside(self, path: str) -> str:
        """Where the compiled form of a source lies."""
        folder, slash, name = path.rpartition("/")
        return f"{folder}{slash}__pycache__/{name.removesuffix('.py')}.cpython-{self.python.replace('.', '')}.pyc"

    def _place(self, entry: Entry) -> Path:
        source = entry.data if entry.data is not None else Path(entry.source).read_bytes()
        name = sha256(f"{self.key}\n{entry.path}\n".encode() + source).hexdigest()
        return self.cache / name[:2] / f"{name[2:]}.pyc"

    def _compile(self, wanted: Sequence[tuple[Entry, Path]]) -> dict[str, int]:
        """Path -> size, of those that are Python. Many are shared between processes."""
        if not wanted:
            return {}
        command = [*self.interpreter.command(), "-S", "-s", "-P", "-W", "ignore", pyc_worker.__file__]
        workers = min(os.cpu_count() or 1, 1 + len(wanted) // WORTH_A_PROCESS)
        with ThreadPoolExecutor(workers) as pool:
            done = pool.map(lambda first: compile_some(command, wanted[first::workers]), range(workers))
            return {path: size for some in done for path, size in some.items()}


def compile_some(command: Sequence[str], wanted: Sequence[tuple[Entry, Path]]) -> dict[str, int]:
    """In one process."""
    told = b"".join(marshal.dumps((entry.source, entry.data or b"", f"/{entry.path}", str(to)), MARSHAL) for entry, to in wanted)
    ended = subprocess.run(command, input=told, capture_output=True, env={"PYTHONHASHSEED": "0"}, check=False)
    sizes = list(numbers(ended.stdout))
    if ended.returncode or len(sizes) != len(wanted):
        last = wanted[min(len(sizes), len(wanted) - 1)][0].path
        said = ended.stderr.decode("utf-8", "replace").strip()[-500:]
        raise LykeionError(f"compiling {last} with {command[0]} failed: {said or f'code {ended.returncode}'}")
    return {entry.path: size for (entry, _), size in zip(wanted, sizes, strict=True) if size >= 0}


def numbers(told: bytes) -> Iterator[int]:
    """What the worker has answered, as far as it came."""
    stream = BytesIO(told)
    with suppress(EOFError, ValueError, TypeError):
        while True:
            yield int(marshal.load(stream))


def is_compiled(entry: Entry) -> bool:
    """A package's tests are a third of its source, and nothing that runs imports them."""
    return entry.type == "file" and entry.path.endswith(".py") and not TESTS.intersection(entry.path.split("/"))
