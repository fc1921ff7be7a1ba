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
from threading import get_ident

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
    """Compiles for an image whose Python is `python` ("3.11").

    `cache`: a folder of what it made, for code that changes file by file; it may be deleted at any time. Without one nothing is kept:
    of a layer that is made once and found by its key from then on, making thousands of files would cost as much as compiling.
    """

    python: str
    interpreter: Interpreter = HERE
    cache: Path | None = None

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
        codes = self._compile(sources) if self.cache is None else self._kept(sources, self.cache)
        return given + [Entry(self.beside(path), data=code) for path, code in codes.items()]

    def beside(self, path: str) -> str:
        """Where the compiled form of a source lies."""
        folder, slash, name = path.rpartition("/")
        return f"{folder}{slash}__pycache__/{name.removesuffix('.py')}.cpython-{self.python.replace('.', '')}.pyc"

    def _kept(self, sources: Sequence[Entry], cache: Path) -> dict[str, bytes]:
        """Path -> what it is compiled to; from the cache, into which goes what was not there."""
        places = {entry.path: self._place(entry, cache) for entry in sources}
        found: dict[str, bytes] = {}
        for path, place in places.items():
            with suppress(FileNotFoundError):
                found[path] = place.read_bytes()
                touched(place)
        made = self._compile([entry for entry in sources if entry.path not in found])
        for path, code in made.items():
            beside = places[path].with_suffix(f".{os.getpid()}.{get_ident()}")
            with suppress(OSError):  # who cannot keep it goes on
                beside.parent.mkdir(parents=True, exist_ok=True)
                beside.write_bytes(code)
                beside.replace(places[path])
        together = found | made
        return {entry.path: together[entry.path] for entry in sources if entry.path in together}

    def _place(self, entry: Entry, cache: Path) -> Path:
        source = entry.data if entry.data is not None else Path(entry.source).read_bytes()
        name = sha256(f"{self.key}\n{entry.path}\n".encode() + source).hexdigest()
        return cache / name[:2] / f"{name[2:]}.pyc"

    def _compile(self, wanted: Sequence[Entry]) -> dict[str, bytes]:
        """Path -> what it is compiled to, of those that are Python. Many are shared between processes."""
        if not wanted:
            return {}
        command = [*self.interpreter.command(), "-S", "-s", "-P", "-W", "ignore", pyc_worker.__file__]
        workers = min(os.cpu_count() or 1, 1 + len(wanted) // WORTH_A_PROCESS)
        with ThreadPoolExecutor(workers) as pool:
            done = pool.map(lambda first: compile_some(command, wanted[first::workers]), range(workers))
            made = {path: code for some in done for path, code in some.items()}
        return {entry.path: code for entry in wanted if (code := made[entry.path])}


def compile_some(command: Sequence[str], wanted: Sequence[Entry]) -> dict[str, bytes]:
    """In one process. Path -> code, b"" where it is no Python."""
    told = b"".join(marshal.dumps((entry.source, entry.data or b"", f"/{entry.path}"), MARSHAL) for entry in wanted)
    ended = subprocess.run(command, input=told, capture_output=True, env={"PYTHONHASHSEED": "0"}, check=False)
    codes = list(answers(ended.stdout))
    if ended.returncode or len(codes) != len(wanted):
        last = wanted[min(len(codes), len(wanted) - 1)].path
        said = ended.stderr.decode("utf-8", "replace").strip()[-500:]
        raise LykeionError(f"compiling {last} with {command[0]} failed: {said or f'code {ended.returncode}'}")
    return {entry.path: code for entry, code in zip(wanted, codes, strict=True)}


def answers(told: bytes) -> Iterator[bytes]:
    """What the worker has answered, as far as it came."""
    stream = BytesIO(told)
    with suppress(EOFError, ValueError, TypeError):
        while True:
            yield bytes(marshal.load(stream))


def is_compiled(entry: Entry) -> bool:
    """A package's tests are a third of its source, and nothing that runs imports them."""
    return entry.type == "file" and entry.path.endswith(".py") and not TESTS.intersection(entry.path.split("/"))
