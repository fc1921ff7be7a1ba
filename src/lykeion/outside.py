"""Reads files that others have made and named: never waiting for one, and only what is a regular file.

A pipe that nobody writes to would be waited for without end, and a device may never end.
"""

import errno
import os
import stat
from io import BufferedReader

KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


class NotAFile(OSError):
    """What bears this name is something else; `strerror` says what."""


def check_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    """Raises NotAFile for everything but a regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise NotAFile(errno.EINVAL, f"it is {KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file", os.fspath(path))


def open_outside(path: str | os.PathLike[str]) -> BufferedReader:
    """Open for reading bytes, links followed. Raises NotAFile and any other OSError."""
    check_regular(os.stat(path), path)  # opening a device can do something, and opening a pipe wakes who writes to it
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        check_regular(os.fstat(handle), path)  # it may have become something else since
        return open(handle, "rb")
    except OSError:
        os.close(handle)
        raise


def read_outside(path: str | os.PathLike[str]) -> bytes:
    """The whole of it. Raises NotAFile and any other OSError."""
    with open_outside(path) as file:
        return file.read()
