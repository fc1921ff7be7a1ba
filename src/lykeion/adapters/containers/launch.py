"""What a container is started with, whatever runs it, and what such a runtime promises.

The promise, which tests check of each: a root that cannot be written, no capabilities, no network unless asked for, /tmp in memory, only
what is mounted as writable stays, never host root's identity, and all of its processes are gone when this process's children are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

NOBODY = 65532  # whom a container runs as whose image names nobody, or root
TMP_BYTES = 1 << 30  # of /tmp, which is memory
SHM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine, and where it is in the container."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """One container. All mounts are below `MOUNTS`. `scratch`: a folder for what a runtime keeps meanwhile. `memory` in bytes: a limit
    on what each process may allocate, where no cgroup limits all of them; 0 is none."""

    rootfs: Path
    argv: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    user: int
    group: int
    folder: str
    scratch: Path
    network: bool = False
    memory: int = 0


MOUNTS = "/lykeion"


class Runtime(Protocol):
    """Runs containers as children of whoever starts them."""

    name: str

    def unfit(self) -> str:
        """Why it cannot be used here, and what would help; "" where it can. Tries it out, which takes up to a second."""

    def become(self, launch: Launch) -> NoReturn:
        """Turn this process, a fork that has one thread, into the container. Raises OSError."""
