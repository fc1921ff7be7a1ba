"""Exact memory limits by cgroup, where this user may make them (version 1 or 2); elsewhere the address space is limited instead."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
GONE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Group:
    """The cgroup of one worker."""

    folder: Path

    @property
    def procs(self) -> str:
        """The file that takes the number of a process that joins."""
        return str(self.folder / "cgroup.procs")

    def ran_out(self) -> bool:
        """Whether the kernel killed anything in it for memory."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                words = (self.folder / name).read_text().split()
                return words[words.index("oom_kill") + 1] != "0" if "oom_kill" in words else False
        return False

    def remove(self) -> None:
        """Kill what is left in it, and remove it."""
        end = time.monotonic() + GONE_SECONDS
        while self.folder.exists() and time.monotonic() < end:
            with suppress(OSError):
                for process in (self.folder / "cgroup.procs").read_text().split():
                    os.kill(int(process), signal.SIGKILL)
                self.folder.rmdir()
                return
            time.sleep(0.001)


class Groups:
    """The cgroups of one home, in a folder that is made for the first task with a limit."""

    def __init__(self, home: Path) -> None:
        name = f"lykeion-{sha256(str(home).encode()).hexdigest()[:10]}"
        self.places: tuple[Path, ...] = (V1 / name, V2 / name)
        self.folder: Path | None = None

    def make(self, attempt: str, memory: int) -> Group | None:
        """A group that may use `memory` bytes; None where there are no cgroups to be had."""
        if self.folder is None:
            self.folder = next((place for place in self.places if makeable(place)), None)
        if self.folder is None:
            self.places = ()
            return None
        group = Group(self.folder / attempt)
        try:
            group.folder.mkdir()
            limit = next(name for name in ("memory.limit_in_bytes", "memory.max") if (group.folder / name).exists())
            (group.folder / limit).write_text(str(memory))
        except (OSError, StopIteration):
            group.remove()
            return None
        for swap, value in (("memory.memsw.limit_in_bytes", str(memory)), ("memory.swap.max", "0")):
            with suppress(OSError):
                if (group.folder / swap).exists():
                    (group.folder / swap).write_text(value)
        return group

    def clear(self) -> None:
        """Kill and remove what is there, also what an engine that died left."""
        for place in self.places:
            for each in place.iterdir() if place.is_dir() else ():
                if each.is_dir():
                    Group(each).remove()
            with suppress(OSError):
                place.rmdir()
        self.folder = None


def makeable(folder: Path) -> bool:
    """Whether groups with a memory limit can be made in `folder`; makes it."""
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        probe = folder / f"probe-{os.getpid()}"
        probe.mkdir(exist_ok=True)
        limited = (probe / "memory.limit_in_bytes").exists() or (probe / "memory.max").exists()
        probe.rmdir()
        if not limited:
            folder.rmdir()
        return limited
    return False
