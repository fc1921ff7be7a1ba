"""`rows.arrow`: what is known of each row of an index, read in place: row number = faiss id = line of `rows.fp16`.

Rows are sorted by item, then picture number, so that the pictures of an item stand together. A file has chunks of at most
`CHUNK` rows (an Arrow text column of one chunk ends at 2 GiB).
"""

import math
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lykeion.core.search.filters import LONGEST_NAME, Filter, Kind
from lykeion.errors import Corrupt
from lykeion.search.conditions import TIME, holds, kind_of
from lykeion.search.exact import Bits, Ids

CHUNK = 1 << 20
OWN_COLUMNS = ("item", "item_hash", "number", "picture", "deleted")  # the rest are attributes of the item
SAID_IN_ANSWERS = ("id", "score", "duplicates")  # of an item that was found; an attribute of such a name could not be seen
SHOWN_AS = {"item": "id"}

ROW_SCHEMA = pa.schema(
    [
        pa.field("item", pa.string(), nullable=False),
        pa.field("item_hash", pa.uint64(), nullable=False),
        pa.field("number", pa.int16(), nullable=False),
        pa.field("picture", pa.binary(32), nullable=False),
        pa.field("updated_at", TIME),
        pa.field("deleted", pa.bool_(), nullable=False),
    ]
)


class RowTable:
    """The rows of an index: their items, attributes, and which of them a filter lets through. Safe for concurrent use."""

    def __init__(self, table: pa.Table) -> None:
        missing = [name for name in ROW_SCHEMA.names if name not in table.column_names]
        if missing:
            raise Corrupt(f"rows.arrow lacks {', '.join(missing)} (build the index again)")
        self.table = table
        self.count: int = table.num_rows
        self.starts = np.cumsum([0] + [len(chunk) for chunk in table.column("item").chunks])
        self.fields: Mapping[str, Kind] = {"id": "text", **fields_of(table.schema)}
        shown = [name for name in table.column_names if name not in ("item_hash", "deleted")]
        self._shown = table.select(shown).to_batches()
        self._hashes = [chunk.to_numpy() for chunk in table.column("item_hash").chunks]
        self.live: Bits | None = None if not pc.any(table.column("deleted")).as_py() else bits(pc.invert(table.column("deleted")))

    def hashes(self, rows: Ids) -> NDArray[np.uint64]:
        """Of the items of these rows: equal where the item is the same."""
        if len(self._hashes) == 1:
            return np.asarray(self._hashes[0][rows])
        found = np.empty(len(rows), np.uint64)
        chunk_of = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(chunk_of):
            here = chunk_of == number
            found[here] = self._hashes[number][rows[here] - self.starts[number]]
        return found

    def value(self, column: str, row: int) -> Any:
        """One value as Python sees it."""
        chunk = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.table.column(column).chunk(chunk)[row - int(self.starts[chunk])].as_py()

    def read(self, rows: Ids) -> list[dict[str, Any]]:
        """What is known of rows, in their order: `id`, `number`, `picture` (hex), then the item's attributes, as JSON can say them."""
        found: list[dict[str, Any]] = [{}] * len(rows)
        chunk_of = np.searchsorted(self.starts, rows, side="right") - 1
        for chunk in set(chunk_of.tolist()):
            places = np.flatnonzero(chunk_of == chunk)
            taken = self._shown[chunk].take(pa.array(rows[places] - self.starts[chunk]))
            columns = [(SHOWN_AS.get(name, name), list(map(plain, values_of(taken.column(name))))) for name in taken.schema.names]
            for place, values in zip(places.tolist(), zip(*(values for _, values in columns), strict=True), strict=True):
                found[place] = {name: value for (name, _), value in zip(columns, values, strict=True)}
        return found

    def rows_of(self, item: str) -> range:
        """The rows of an item, the first picture first; an empty range where the item has none. Bisection: rows are sorted by item."""
        first = self._first(lambda row: self.value("item", row) >= item)
        last = first
        while last < self.count and self.value("item", last) == item:
            last += 1
        return range(first, last)

    def _first(self, holds: Callable[[int], bool]) -> int:
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if holds(middle):
                high = middle
            else:
                low = middle + 1
        return low

    def matching(self, wanted: Filter) -> Bits:
        """One bit for each row: whether every condition holds for it and it is not deleted."""
        mask: pa.ChunkedArray | None = None
        for condition in wanted.conditions:
            one = holds(self.table.column("item" if condition.field == "id" else condition.field), condition)
            mask = one if mask is None else pc.and_(mask, one)
        passed = np.packbits(np.ones(self.count, np.bool_), bitorder="little") if mask is None else bits(mask)
        return passed if self.live is None else passed & self.live


def bits(mask: pa.ChunkedArray) -> Bits:
    """A boolean column as packed bits, lowest first; null is false."""
    return np.packbits(pc.fill_null(mask, False).to_numpy(), bitorder="little")


def fields_of(schema: pa.Schema) -> dict[str, Kind]:
    """The attributes that can be asked for, and how."""
    named = (field for field in schema if field.name not in OWN_COLUMNS and len(field.name) <= LONGEST_NAME)
    return {field.name: kind for field in named if (kind := kind_of(field.type)) is not None}


def values_of(column: pa.Array) -> list[Any]:
    """As Python sees them; a short float as the number that it is written as: 4.3 and not 4.300000190734863."""
    return list((column.cast(pa.string()).cast(pa.float64()) if pa.types.is_float32(column.type) else column).to_pylist())


def plain(value: Any) -> Any:
    """As JSON can say it: whole numbers of any size exactly, decimals as text, since most readers of JSON would round them."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def open_rows(path: Path, *, mmap: bool = True) -> RowTable:
    """`rows.arrow` in place (or read into memory). Raises Corrupt where it is no Arrow file."""
    try:
        source = pa.memory_map(str(path)) if mmap else pa.OSFile(str(path))
        return RowTable(pa.ipc.open_file(source).read_all())
    except (pa.ArrowInvalid, OSError) as wrong:
        raise Corrupt(f"{path}: {wrong} (build the index again)") from wrong


def write_rows(path: Path, table: pa.Table) -> None:
    """In chunks that a text column can hold."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        for batch in table.combine_chunks().to_batches(max_chunksize=CHUNK) if table.num_rows else ():
            writer.write_batch(batch)
