"""Mounts that only this process and its children see. For root."""

import os
from ctypes import get_errno

from lykeion.adapters.local.containment import libc

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def private_mounts() -> None:
    """From now on this process has mounts of its own. Raises OSError."""
    checked(libc.unshare(CLONE_NEWNS), "a mount namespace")
    mount(None, "/", MS_REC | MS_PRIVATE)


def mount(source: str | None, target: str, flags: int = 0, kind: str = "", options: str = "") -> None:
    """As mount(2). Raises OSError."""
    names = [os.fsencode(name) if name else None for name in (source, target, kind)]
    checked(libc.mount(*names, flags, options.encode() or None), target)


def unmount(target: str) -> None:
    """As umount(2). Raises OSError."""
    checked(libc.umount(os.fsencode(target)), target)


def checked(code: int, what: str) -> None:
    if code:
        raise OSError(get_errno(), os.strerror(get_errno()), what)
