"""What a container is started with, whatever runs it, and what such a runtime promises.

The promise, which tests check of each: a root that cannot be written, no capabilities, no network unless asked for, /tmp in memory, only
what is mounted as writable stays, never host root's identity, and all of its processes are gone when this process's children are and
`held` is over.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NoReturn, Protocol

NOBODY = 65532  # whom a container runs as whose image names nobody, or root
TMP_BYTES = 1 << 30  # of /tmp, which is memory
SHM_BYTES = 64 << 20
MOST = 4096  # files, and processes


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine, and where it is in the container."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """One container. All mounts are below `MOUNTS`.

    `memory` in bytes, 0 is none; `grouped`: the step's cgroup limits all processes in it, so that none needs a limit of its own.
    `mark`: a file that says what has to be ended, and `parent` the process that does it when this one was killed; 0: nobody.
    """

    rootfs: Path
    argv: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    user: int
    group: int
    folder: str
    mark: Path
    parent: int = 0
    network: bool = False
    memory: int = 0
    grouped: bool = False

    @property
    def scratch(self) -> Path:
        """A folder for what a runtime keeps meanwhile, which it makes where it needs one, and whose name nothing else has."""
        return scratch_of(self.mark)

    @property
    def name(self) -> str:
        """What a daemon calls it."""
        return self.scratch.name

    @property
    def each(self) -> int:
        """What each of its processes may allocate, where it is a child of this process; 0 is no limit."""
        return 0 if self.grouped else self.memory


MOUNTS = "/lykeion"


def scratch_of(mark: Path) -> Path:
    """The scratch folder of the attempt whose mark that is, so that who cleans up after a killed step knows it. A short path, as podman
    wants one; nobody else can know it before."""
    return Path(f"/tmp/lykeion-{sha256(os.fsencode(mark)).hexdigest()[:16]}")


class Runtime(Protocol):
    """Runs containers as children of whoever starts them, or of a daemon."""

    @property
    def name(self) -> str: ...

    def unfit(self) -> str:
        """Why it cannot be used here, and what would help; "" where it can. Tries it out, which takes up to a second."""

    def held(self, launch: Launch) -> AbstractContextManager[None]:
        """Around `become`: what has to be there before, and what has to be gone after. Raises LykeionError, OSError."""

    def become(self, launch: Launch) -> NoReturn:
        """Turn this process, a fork that has one thread, into the container. Raises OSError."""


def bind(mount: Mount) -> str:
    """As one line of CSV, which `--mount` is read as."""
    fields = ["type=bind", f"src={mount.source}", f"dst={mount.target}", *([] if mount.writable else ["readonly"])]
    quoted = ('"' + field.replace('"', '""') + '"' if set(field) & set(',"') else field for field in fields)  # nerdctl knows no quotes
    return ",".join(quoted)
