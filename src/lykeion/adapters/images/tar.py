"""The bytes of a layer: a tar whose entries are in one order, owned by root, without times, so that the same content is the same tar.

ustar, with a pax header only where ustar cannot say it (long or non-ASCII names, files over 8 GiB).
"""

import tarfile
from collections.abc import Iterable, Iterator
from hashlib import sha256

from lykeion.core.images.entries import Entry
from lykeion.errors import Corrupt

BLOCK = tarfile.BLOCKSIZE
CHUNK = 1 << 20
TYPES = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}
END = bytes(2 * BLOCK)


def stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The tar of entries that are `arranged`, in pieces of about 1 MiB. Raises Corrupt where a file is not what its entry says."""
    waiting = bytearray()
    for entry in entries:
        size = length(entry)
        waiting += header(entry, size)
        if entry.data is not None:
            waiting += entry.data
        elif size > CHUNK:
            yield bytes(waiting)
            waiting.clear()
            yield from pieces(entry)
        elif size or entry.source:
            waiting += b"".join(pieces(entry))
        waiting += bytes(-size % BLOCK)
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting + END)


def length(entry: Entry) -> int:
    if entry.type != "file":
        return 0
    return entry.size if entry.data is None else len(entry.data)


def header(entry: Entry, size: int) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type, info.mode, info.size = TYPES[entry.type], entry.mode, size
    if entry.type in ("link", "hardlink"):
        info.linkname = entry.target
    if entry.type == "link":
        info.mode = 0o777
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def pieces(entry: Entry) -> Iterator[bytes]:
    """The bytes of a file, as many as its entry says."""
    left, content = entry.size, sha256()
    try:
        with open(entry.source, "rb", buffering=0) as file:
            while left and (piece := file.read(min(left, CHUNK))):
                left -= len(piece)
                if entry.sha256:
                    content.update(piece)
                yield piece
            grown = bool(file.read(1))
    except OSError as error:
        raise Corrupt(f"{entry.source} cannot be read for the image: {error.strerror}") from error
    if left or grown or (entry.sha256 and content.hexdigest() != entry.sha256):
        raise Corrupt(f"{entry.source} {entry.is_not}")
