"""Locks between processes: one file each, held by flock, so that a dead holder holds nothing. The file says who holds it."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from lykeion.errors import Unavailable

INSTANT = 0.1  # seconds


class Lock:
    """`with Lock(path, "lykeion up"):` — only one process at a time. The file stays: removing it would let two hold "it".

    `notes` can be read by others while it is held (`noted`).
    """

    def __init__(self, path: Path, what: str, **notes: str) -> None:
        self.path, self.what, self.notes = path, what, notes
        self.descriptor = -1

    @property
    def held(self) -> bool:
        return self.descriptor >= 0

    def acquire(self) -> None:
        """Take it. Raises Unavailable with the holder's name where another process has it.

        Whoever asks `is_held` has it for an instant: that is waited for.
        """
        end = time.monotonic() + INSTANT
        while not self.try_acquire():
            if time.monotonic() < end:
                time.sleep(INSTANT / 20)
                continue
            raise Unavailable(f"{self.path.name}: held by {holder(self.path)}; wait for it, or end it ({self.path})")

    def try_acquire(self) -> bool:
        """Take it, without waiting; False where another process has it."""
        if self.held:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        with suppress(OSError):  # a full disk: it is held all the same, only nobody can read by whom
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({**self.notes, "pid": os.getpid(), "what": self.what}).encode(), 0)
        self.descriptor = descriptor
        return True

    def release(self) -> None:
        if self.held:
            os.ftruncate(self.descriptor, 0)
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> "Lock":
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def holder(path: Path) -> str:
    """Who wrote itself into a lock file: "lykeion up (process 123)"."""
    said = noted(path)
    return f"{said['what']} (process {said['pid']})" if said.keys() >= {"what", "pid"} else "another process"


def noted(path: Path) -> Mapping[str, Any]:
    """What the holder of a lock wrote into it; empty where that cannot be read."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
