"""The item cache: what was once worked out for one picture, kept beyond the run that did it, by the picture's digest.

    cache/pictures/ab/<hex>                  the bytes of a picture, named by their SHA-256
    cache/picture-facts/<verdicts>/…         digest -> width, height, media type, or why it cannot be used
    cache/features/<extractor>/segment-*     digest -> raw features
    cache/features/<extractor>/refused/<v>/… digest -> why it could not be decoded
    cache/extractors/<extractor>/            the network

Segments are Arrow files that are only ever added: each is written by one process, made visible by a rename, and never changed. So any
number of writers and readers need no lock; the same row in two segments is the same work done twice, and either copy is good.
"""

import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lykeion.errors import Corrupt

Digests = npt.NDArray[np.bytes_]
Ids = npt.NDArray[np.intp]

DIGEST = pa.binary(32)
SEGMENT_ROWS = 1024  # what a kill can lose
COMPACT_ABOVE = 256  # segments, before small ones are put together
WORTH = 10  # a tenth of the rows must go, for the others to be written anew


def segment_files(folder: Path) -> list[str]:
    try:
        return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.startswith("segment-") and name.endswith(".arrow"))
    except FileNotFoundError:
        return []


def read_table(path: str | Path) -> pa.Table:
    """An Arrow file, mapped into memory rather than read. Raises Corrupt."""
    try:
        with pa.memory_map(str(path)) as mapped:
            return pa.ipc.open_file(mapped).read_all()
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise Corrupt(f"{path} is damaged: {error}") from error


@lru_cache(maxsize=8192)
def segment(path: str) -> pa.Table:
    """A segment, opened once per process: it never changes. Raises Corrupt, FileNotFoundError."""
    return read_table(path)


@lru_cache(maxsize=8192)
def sorted_digests(path: str) -> tuple[Digests, Ids]:
    """A segment's digests, sorted, and the rows that they are of: to look up few among many."""
    unsorted = as_numpy(segment(path)["digest"])
    order = np.argsort(unsorted, kind="stable")
    return unsorted[order], order


def as_numpy(digests: pa.Array | pa.ChunkedArray) -> Digests:
    """In place. All have 32 bytes, so that numpy's padding of shorter ones with zeros plays no part."""
    joined = digests.combine_chunks() if isinstance(digests, pa.ChunkedArray) else digests
    return np.frombuffer(joined.buffers()[1], "S32")[joined.offset : joined.offset + len(joined)]


def write_table(path: Path, table: pa.Table) -> None:
    """Durable, and visible only when whole."""
    write_batches(path, (table,))


def write_batches(path: Path, tables: Iterable[pa.Table]) -> None:
    """`write_table` of tables of one schema (at least one), which need not be in memory together."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    remaining = iter(tables)
    first = next(remaining)
    try:
        with beside.open("wb") as file:
            with pa.ipc.new_file(file, first.schema) as writer:
                for table in chain((first,), remaining):
                    writer.write_table(table)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def find(folder: Path, digests: pa.Array, schema: pa.Schema) -> pa.Table:
    """The rows of those of `digests` (distinct) that the segments in `folder` know, each once, in no promised order.

    `schema` may name fewer columns than the segments have; the others are not read.
    """
    found = [schema.empty_table()]
    wanted = as_numpy(digests)
    for path in segment_files(folder):
        try:
            there, rows = sorted_digests(path)
        except FileNotFoundError:  # put together with others just now
            return find(folder, digests, schema)
        places = np.searchsorted(there, wanted)
        known = places < len(there)
        known[known] = there[places[known]] == wanted[known]
        if known.any():
            found.append(segment(path).select(schema.names).take(pa.array(rows[places[known]])))
    joined = pa.concat_tables(found).combine_chunks()
    first: dict[bytes, int] = {}
    for row, digest in enumerate(joined["digest"].to_pylist()):
        first.setdefault(digest, row)
    return joined if len(first) == joined.num_rows else joined.take(pa.array(list(first.values()), pa.int64()))


class SegmentWriter:
    """Collects rows and adds a segment every `SEGMENT_ROWS`, and at the end. A context manager."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder = folder
        self.schema = schema
        self.rows: list[Mapping[str, Any]] = []

    def add(self, **row: Any) -> None:
        self.rows.append(row)
        if len(self.rows) >= SEGMENT_ROWS:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            table = pa.Table.from_pylist(self.rows, self.schema)
            write_table(self.folder / f"segment-{uuid.uuid4().hex}.arrow", table)
            self.rows = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.flush()  # also when the step fails: what was worked out is true


def compact(folder: Path, keep: frozenset[str], dry_run: bool = False) -> tuple[int, int]:
    """Put the segments of a folder together, without the rows of pictures (digests in hex) that are not to be kept.

    Returns (rows, bytes) that are freed, or would be. Where a tenth of the rows at most would go, and there are not many segments, it is
    not worth the writing: (0, 0); so it is where a segment is damaged, which its reader will say. One process at a time, while nobody adds
    segments; readers may go on.
    """
    before = segment_files(folder)
    kept = {bytes.fromhex(digest) for digest in keep}
    try:
        rows = [read_table(path).num_rows for path in before]
    except Corrupt:
        return 0, 0
    staying = list(fresh(before, kept))
    gone = sum(rows) - sum(len(each) for each in staying)
    if gone * WORTH <= sum(rows) and len(before) <= COMPACT_ABOVE:
        return 0, 0
    size = sum(os.stat(path).st_size for path in before)
    if dry_run:
        return gone, size * gone // max(1, sum(rows))
    together = folder / f"segment-{uuid.uuid4().hex}.arrow"
    if gone < sum(rows):
        write_batches(together, (read_table(path).take(pa.array(each)) for path, each in zip(before, staying, strict=True)))
    for path in before:
        os.unlink(path)
    return gone, size - (together.stat().st_size if together.exists() else 0)


def fresh(paths: Sequence[str], kept: set[bytes]) -> Iterator[Ids]:
    """For each segment its rows that stay: those of `kept` that no segment before had."""
    seen: set[bytes] = set()
    for path in paths:
        digests = read_table(path)["digest"].to_pylist()
        rows: dict[bytes, int] = {}
        for row, digest in enumerate(digests):
            if digest in kept and digest not in seen:
                rows.setdefault(digest, row)
        seen |= rows.keys()
        yield np.array(list(rows.values()), np.intp)


class PictureStore:
    """The bytes of pictures by their digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.folder / name[:2] / name

    def holds(self, digest: bytes, size: int) -> bool:
        """Whether it is there in its full size; what a crash has cut short counts as absent."""
        try:
            return self.path(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def add(self, data: bytes) -> bytes:
        """Keep a picture; returns its digest. Visible only when whole; the same bytes twice are kept once."""
        digest = sha256(data).digest()
        if not self.holds(digest, len(data)):
            target = self.path(digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(prefix=".new-", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                os.chmod(beside, 0o444)
                os.replace(beside, target)
            except BaseException:
                os.unlink(beside)
                raise
        return digest

    def read(self, digest: bytes) -> bytes:
        """Raises Corrupt where the picture is gone from the cache, or is not what its name says (it is then removed)."""
        path = self.path(digest)
        remedy = "run the pipeline again without its cache: `lykeion run FILE --no-cache`"
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise Corrupt(f"the picture {digest.hex()} is gone from the cache ({remedy})") from error
        if sha256(data).digest() != digest:
            path.unlink(missing_ok=True)
            raise Corrupt(f"the picture {digest.hex()} was damaged in the cache, and is removed now ({remedy})")
        return data

    def __iter__(self) -> Iterator[bytes]:
        for path in self.folder.glob("??/*"):
            if len(path.name) == 64:
                yield bytes.fromhex(path.name)


def digests(values: Sequence[bytes]) -> pa.Array:
    return pa.array(values, DIGEST)
