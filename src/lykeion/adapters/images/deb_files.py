"""Reads Debian's package files in Python alone: an `ar` archive of two tars (deb(5)). Nothing in them is run."""

import gzip
import json
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import IO, cast

import zstandard

from lykeion.adapters.images.caches import touched
from lykeion.core.images.debs import link_target, place
from lykeion.core.images.entries import Entry
from lykeion.errors import Corrupt

MAGIC = b"!<arch>\n"
HEADER = 60
CONTROL_LARGEST = 1 << 20
LARGEST = 4 << 30  # bytes of one package, unpacked
UNREADABLE = (tarfile.TarError, lzma.LZMAError, zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError, ValueError, KeyError)
PERMISSIONS = 0o1777  # setuid and setgid are of no use without privileges


def unpacked(deb: Path, folder: Path) -> tuple[bytes, list[Entry]]:
    """A package's control file, and its entries as they lie in an image. Its files are kept in `folder`, numbered.

    `deb` is named by its SHA-256. Raises Corrupt where that is not so, it is no package, or holds what no image may.
    """
    told = folder / "entries.json"
    if not told.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(mkdtemp(prefix=".", dir=folder.parent))
        try:
            control, entries = unpack(deb, beside)
            (beside / "control").write_bytes(control)
            (beside / told.name).write_text(json.dumps([asdict(entry) for entry in entries]))
            try:
                beside.rename(folder)
            except OSError:
                if not told.exists():
                    raise  # else another builder was faster
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    touched(folder)
    entries = [Entry(**one) for one in json.loads(told.read_bytes())]
    return (folder / "control").read_bytes(), [replace(one, source=str(folder / one.source)) if one.source else one for one in entries]


def unpack(deb: Path, folder: Path) -> tuple[bytes, list[Entry]]:
    control, entries = b"", list[Entry]()
    if sha256(deb.read_bytes()).hexdigest() != deb.name:
        raise Corrupt(f"{deb} is not what its name says; delete it and build again")
    try:
        with deb.open("rb") as file:
            for name, size in members(file):
                kind, _, packing = name.partition(".tar")
                if kind == "control":
                    control = control_of(Part(file, size), packing)
                elif kind == "data":
                    entries = list(data_of(Part(file, size), packing, folder))
    except UNREADABLE as error:
        raise Corrupt(f"{deb} is no Debian package that can be read: {error}; delete it and build again") from error
    if not control or not entries:
        raise Corrupt(f"{deb} is no Debian package: it has no control and data; delete it and build again")
    return control, entries


class Part:
    """A member of an archive as a file to read. `file` stands at its beginning and is left wherever reading ended."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left = file, size

    def read(self, size: int = -1) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        data = self.file.read(wanted)
        self.left -= len(data)
        return data


def members(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    """(name, size) of each member of an `ar` archive; the file stands at the member's beginning."""
    if file.read(len(MAGIC)) != MAGIC:
        raise ValueError("it does not begin as an ar archive")
    start = len(MAGIC)
    while header := file.read(HEADER):
        if len(header) != HEADER or not header.endswith(b"`\n"):
            raise ValueError("a member has no header")
        size = int(header[48:58])
        if size < 0:
            raise ValueError("a member has no size")
        yield header[:16].decode("ascii").strip().rstrip("/"), size
        start += HEADER + size + size % 2
        file.seek(start)


def opened(part: Part, packing: str) -> IO[bytes]:
    """The tar in a member, unpacked as it is read."""
    source = cast("IO[bytes]", part)
    match packing:
        case "":
            return source
        case ".gz":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=source))
        case ".xz":
            return cast("IO[bytes]", lzma.LZMAFile(source))
        case ".zst":
            return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(source))
    raise ValueError(f"it is packed with {packing}, which is not known here")


def control_of(part: Part, packing: str) -> bytes:
    with tarfile.open(fileobj=opened(part, packing), mode="r|") as archive:
        for member in archive:
            if PurePosixPath(member.name).name == "control" and member.size <= CONTROL_LARGEST and (file := archive.extractfile(member)):
                return file.read()
    return b""


def data_of(part: Part, packing: str, folder: Path) -> Iterator[Entry]:
    total = 0
    with tarfile.open(fileobj=opened(part, packing), mode="r|") as archive:
        for number, member in enumerate(archive):
            if ".." in PurePosixPath(member.name).parts or member.name.startswith("/"):
                raise ValueError(f"{member.name} leads out of the image")
            total += member.size
            if total > LARGEST:
                raise ValueError(f"it holds more than {LARGEST >> 30} GiB")
            path, mode = place(member.name), member.mode & PERMISSIONS
            if not path and not member.isdev():
                continue
            if member.isdir():
                yield Entry(path, "folder", mode)
            elif member.issym():
                yield Entry(path, "link", target=link_target(member.name, member.linkname))
            elif member.islnk():
                yield Entry(path, "hardlink", target=place(member.linkname))
            elif member.isfile() and (file := archive.extractfile(member)):
                with (folder / str(number)).open("wb") as out:
                    shutil.copyfileobj(file, out)
                yield Entry(path, mode=mode, source=str(number), size=member.size)
            else:
                raise ValueError(f"{member.name} is a device, which no image may hold")
