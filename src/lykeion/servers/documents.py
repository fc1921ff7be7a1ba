"""Following a small JSON document that is replaced as a whole: what it says now, and the digest to acknowledge."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

INTERVAL = 0.2  # seconds between two looks


@dataclass(frozen=True, slots=True)
class Read:
    """A document as it was read. `digest`: of the file's bytes."""

    content: Any
    digest: str


@dataclass(slots=True)
class Follower:
    """Looks at the file's stat, and at its bytes only where that has changed. A file that is no JSON is passed over."""

    path: Path
    seen: tuple[int, int, int] = (0, 0, 0)
    problem: str = ""

    def changed(self) -> Read | None:
        """What the document says, where it was not told yet; None where nothing is new (or there is none)."""
        try:
            found = self.path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self.seen:
                return None
            data = self.path.read_bytes()
        except FileNotFoundError:
            self.problem = f"there is no {self.path.name} yet"
            return None
        self.seen = stamp
        try:
            content = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            self.problem = f"{self.path.name} cannot be read: {error}"
            return None
        self.problem = ""
        return Read(content, "sha256:" + sha256(data).hexdigest())


def read(path: Path) -> Read | None:
    return Follower(path).changed()
