"""The digest of content: of bytes, of one JSON value, and of a set of files. The same function names outputs, versions and documents."""

import gc
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

DEEPEST = 64  # levels of what a step says


class FileDigest(NamedTuple):
    """One file of a folder: its path in it (with "/"), its size in bytes, the SHA-256 of its bytes in hex, whether it is a program.

    A folder in which nothing lies is listed too, since a program may count on it: `empty_folder`.
    """

    path: str
    size: int
    sha256: str
    executable: bool = False


def is_executable(mode: int) -> bool:
    """Whether a file of this `st_mode` is a program: its owner may run it."""
    return bool(mode & 0o100)


def empty_folder(path: str) -> FileDigest:
    """A folder in which nothing lies: no file's path ends in "/"."""
    return FileDigest(f"{path}/", 0, "")


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8. NaN and infinities are refused (ValueError), since readers differ on them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def read_json(data: bytes | str) -> Any:
    """A JSON value that somebody else wrote. Raises ValueError where it is none, also for one that is nested too deep to be read.

    Garbage is not collected meanwhile: where a deep one has used up the stack, what closes files and connections could not run.
    """
    with uncollected():
        try:
            return json.loads(data)
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error


@contextmanager
def uncollected() -> Iterator[None]:
    """The garbage collector rests meanwhile, as far as it was on."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def strict(value: Any, **how: Any) -> str:
    """JSON that every reader reads: NaN and infinities, which a metric may be, are null. `how` as for `json.dumps`."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, **how)
    except ValueError:
        return json.dumps(finite(value), allow_nan=False, ensure_ascii=False, **how)


def finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(inner) for name, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def legible(value: Any, deepest: int = DEEPEST) -> Any:
    """A JSON value as everybody can keep and show it: bytes that are no UTF-8 (of a file's name, say), which Python reads as half
    surrogate pairs, are spelled out. Raises ValueError where it is nested too deep."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if not isinstance(value, dict | list | tuple):
        return value
    if not deepest:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        return {legible(name): legible(inner, deepest - 1) for name, inner in value.items()}
    return [legible(inner, deepest - 1) for inner in value]


def digest_of(data: bytes) -> str:
    """ "sha256:<hex>"."""
    return f"sha256:{sha256(data).hexdigest()}"


def digest_of_value(value: Any) -> str:
    """Of a JSON value: that of its canonical form."""
    return digest_of(canonical(value))


def digest_of_files(files: Iterable[FileDigest]) -> str:
    """Of a folder: independent of order, names of folders above it, times, owners, and modes but for what makes a file a program."""
    return digest_of_value(sorted((*file[:3], "program") if file.executable else file[:3] for file in files))
