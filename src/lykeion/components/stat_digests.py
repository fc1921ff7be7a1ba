"""Remembers the digests of files by what `stat` says of them, so that an unchanged catalogue costs a `stat` per picture.

An entry counts only while path, size, mtime, ctime and inode are all the same. A file that changed within the clock's grain of when it
was read could change again unseen, so it is not remembered until it has rested.
"""

import os
import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from lykeion.components.item_cache import DIGEST, read_table, write_table
from lykeion.errors import Corrupt
from lykeion.outside import check_regular, open_outside

REST_NS = 100_000_000  # well above the grain of any file system's clock that is in use
SCHEMA = pa.schema(
    [("path", pa.string()), ("size", pa.int64()), ("mtime", pa.int64()), ("ctime", pa.int64()), ("inode", pa.uint64()), ("digest", DIGEST)]
)


class Stat(NamedTuple):
    """What a file must still have, for its digest to count. Times in nanoseconds."""

    size: int
    mtime: int
    ctime: int
    inode: int

    @staticmethod
    def of(status: os.stat_result) -> "Stat":
        return Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    def rested(self, now: int) -> bool:
        return max(self.mtime, self.ctime) + REST_NS < now


class StatDigests:
    """Read from one file, written back whole by the one process that looks at all files (`save`)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.before = remembered(file)
        self.seen: dict[str, tuple[Stat, bytes]] = {}

    def known(self, path: str, stat: Stat) -> bytes | None:
        """The file's SHA-256, where it was worked out before and nothing says that the file changed."""
        found = self.before.get(path)
        return found[1] if found is not None and found[0] == stat else None

    def digest(self, path: str) -> bytes:
        """The file's SHA-256, read only where it must be. Raises OSError, NotAFile among them."""
        status = os.stat(path)
        check_regular(status, path)  # what a device said before says nothing of now
        stat = Stat.of(status)
        known = self.known(path, stat)
        if known is None:
            now = time.time_ns()
            with open_outside(path) as file:
                known = file_digest(file, "sha256").digest()
                after = Stat.of(os.fstat(file.fileno()))
            if after != stat or not stat.rested(now):
                return known
        self.seen[path] = (stat, known)
        return known

    def save(self) -> None:
        """Keep what was seen since; entries of other files go."""
        if self.seen == self.before:
            return
        paths, entries = list(self.seen), list(self.seen.values())
        columns = [[getattr(stat, name) for stat, _ in entries] for name in Stat._fields]
        write_table(self.file, pa.table([paths, *columns, [digest for _, digest in entries]], schema=SCHEMA))


def remembered(file: Path) -> Mapping[str, tuple[Stat, bytes]]:
    """What the file holds; read once per process for as long as it stays the same."""
    try:
        return load(file, Stat.of(file.stat()))
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=2)
def load(file: Path, _stat: Stat) -> Mapping[str, tuple[Stat, bytes]]:
    """Nothing where the file is absent or damaged: it is a cache."""
    try:
        table = read_table(file)
    except (FileNotFoundError, Corrupt):
        return {}
    paths, *stats, digests = (column.to_pylist() for column in table.columns)
    return {path: (Stat(*stat), digest) for path, digest, *stat in zip(paths, digests, *stats, strict=True)}
