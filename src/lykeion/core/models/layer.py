"""The canonical image layer of one file of a model: an uncompressed tar that needs no copy of the file.

The layer is `header(path, size)`, the file's bytes, then `trailer(size)`: one entry `model/<path>`, mode 0644 (of a program 0755),
owner 0:0 without names, mtime 0, in ustar form, with a pax header in front only where ustar cannot say it (paths that are long or not
ASCII, more than 8 GiB); then padding to 512 bytes and two empty blocks. Same path, bytes and mode give the same digest everywhere, so a
registry can be told a layer's digest before anything is sent.
"""

import tarfile

BLOCK = 512
ROOT = "model/"


def mode(executable: bool) -> int:
    """Of a file of a version in an image."""
    return 0o755 if executable else 0o644


def header(path: str, size: int, executable: bool = False) -> bytes:
    """What comes before the file's bytes."""
    entry = tarfile.TarInfo(ROOT + path)
    entry.size, entry.mode, entry.mtime = size, mode(executable), 0
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def trailer(size: int) -> bytes:
    """What comes after the file's bytes."""
    return b"\0" * (-size % BLOCK + 2 * BLOCK)


def length(path: str, size: int) -> int:
    """Of the whole layer, in bytes."""
    return len(header(path, size)) + size + len(trailer(size))
