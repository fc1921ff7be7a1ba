"""The way in: which files a folder holds, their digests, and their bytes into the store."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lykeion.core.content import is_executable
from lykeion.core.models import layer
from lykeion.core.models.manifest import MANIFEST, VersionFile
from lykeion.errors import Corrupt, Invalid, Problem

if TYPE_CHECKING:  # the ports bring pydantic's models with them, which a step that publishes can do without
    from hashlib import _Hash

    from lykeion.ports import ObjectStore

CHUNK = 1 << 20
BLOCK = 1 << 17  # bytes that stay in the processor's cache between the two digests


@dataclass(frozen=True, slots=True)
class Payload:
    """A file to publish: its path in the version, where it is now, its size in bytes, when it was last written (ns), if it is a program."""

    path: str
    file: Path
    size: int
    written: int
    executable: bool

    @staticmethod
    def of(path: str, file: Path) -> "Payload":
        now = file.stat()
        return Payload(path, file, now.st_size, now.st_mtime_ns, is_executable(now.st_mode))


def payload(folder: Path) -> tuple[list[Payload], list[str]]:
    """The files below a folder, sorted by path, and the folders in which nothing lies.

    Raises Invalid for what cannot be published, all of it at once.
    """
    found: list[Payload] = []
    empty: list[str] = []
    problems: list[Problem] = []

    def unreadable(error: OSError) -> None:
        if Path(error.filename) != folder or folder.exists():
            problems.append(Problem("it cannot be read", file=error.filename, remedy="give yourself the right to read it"))

    for above, folders, names in os.walk(folder, onerror=unreadable):
        if not folders and not names and Path(above) != folder:
            empty.append(Path(above).relative_to(folder).as_posix())
        for name in names:
            file = Path(above, name)
            path = file.relative_to(folder).as_posix()
            if not file.is_file():
                problems.append(Problem("it is no regular file", file=str(file), remedy="publish files and folders only"))
            elif not os.access(file, os.R_OK):
                problems.append(Problem("it cannot be read", file=str(file), remedy="give yourself the right to read it"))
            elif not path.isprintable():
                problems.append(Problem(f"its name cannot be kept: {path!r}", file=str(folder), remedy="use printable characters"))
            elif path == MANIFEST:
                problems.append(Problem("the repository keeps this name for itself", file=str(file), remedy="name the file differently"))
            else:
                found.append(Payload.of(path, file))
        links = [Path(above, name) for name in folders if Path(above, name).is_symlink()]
        problems += [Problem("it is a link to a folder", file=str(link), remedy="put the files there") for link in links]
    problems += [
        Problem(f"its name cannot be kept: {path!r}", file=str(folder), remedy="use printable characters")
        for path in empty
        if not path.isprintable()
    ]
    if not found and not problems:
        problems.append(Problem("there is nothing to publish: no such folder, or no file in it", file=str(folder)))
    if problems:
        raise Invalid(problems)
    return sorted(found, key=lambda each: each.path), sorted(empty)


def measure(given: Payload) -> VersionFile:
    """Read a file once, for its digest and that of its image layer. Raises Corrupt where it is not as long as it was said to be."""
    content, in_layer, size = sha256(), sha256(layer.header(given.path, given.size, given.executable)), 0
    buffer = memoryview(bytearray(BLOCK))
    with given.file.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            block = buffer[:count]
            content.update(block)
            in_layer.update(block)
            size += count
    if size != given.size:
        raise Corrupt(f"{given.file} changed while it was read; publish what nobody writes to any more")
    in_layer.update(layer.trailer(size))
    return VersionFile(given.path, size, content.hexdigest(), in_layer.hexdigest(), given.executable)


def send(store: "ObjectStore", key: str, given: Payload, expected: VersionFile) -> None:
    """Bring a file into the store. Raises Corrupt where it is not (any more) what was expected; then nothing is left of it."""
    if store.adopt(key, given.file):
        same = Payload.of(given.path, given.file) == given
    else:
        content = sha256()
        store.upload(key, digested(given.file, content), executable=given.executable)
        same = content.hexdigest() == expected.sha256
    if not same:
        store.delete([key])
        raise Corrupt(f"{given.file} changed while it was uploaded; nothing was published. Publish what nobody writes to any more")


def digested(file: Path, digest: "_Hash") -> Iterator[bytes]:
    """The bytes of a file, which `digest` has seen."""
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            yield chunk


def stored_digest(store: "ObjectStore", key: str) -> tuple[int, str]:
    """(size, SHA-256 in hex) of an object, by reading it."""
    content, size = sha256(), 0
    for chunk in store.read(key):
        content.update(chunk)
        size += len(chunk)
    return size, content.hexdigest()
