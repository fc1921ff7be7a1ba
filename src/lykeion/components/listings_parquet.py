"""Listings from Parquet, in batches, each column with the type that the file says."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lykeion.components.column_types import kept_type, why_left_out
from lykeion.components.listings import COLUMNS, Listing, Rejected, check_columns, listing, text
from lykeion.errors import Invalid

BATCH = 4096
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY, LAST_DAY = ((end.replace(tzinfo=UTC) - EPOCH).days for end in (datetime.min, datetime.max))
A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def parquet_types(path: Path) -> tuple[dict[str, pa.DataType], dict[str, str]]:
    """Of a file's own columns, beside those of every listing: the types they are kept with; and of those that are left out, why.

    Raises Invalid where the file cannot be read.
    """
    with opened(path) as file:
        schema = file.schema_arrow
    own = [field for field in schema if field.name not in COLUMNS and not pa.types.is_null(field.type)]
    kept = {field.name: kind for field in own if (kind := kept_type(field.type)) is not None}
    return kept, {field.name: why_left_out(field.type) for field in own if field.name not in kept}


def parquet_listings(path: Path) -> Iterator[Listing | Rejected]:
    """Raises Invalid where the file as a whole cannot be read."""
    with opened(path) as file:
        check_columns(file.schema_arrow.names, str(path))
        _, left_out = parquet_types(path)
        try:
            for batch in file.iter_batches(BATCH, use_threads=False):
                yield from rows_of(batch, left_out)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error


def opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> Invalid:
    return Invalid(f"uri: {path} cannot be read as Parquet: {str(error).splitlines()[0]}")


def rows_of(batch: pa.RecordBatch, left_out: Mapping[str, str]) -> Iterator[Listing | Rejected]:
    columns: dict[str, pa.Array] = {}
    bad: dict[int, tuple[str, Any]] = {}
    for name, given in zip(batch.schema.names, batch.columns, strict=True):
        if name in left_out:
            continue
        column = bare(given)
        for row, value in beyond_the_calendar(column):
            bad.setdefault(row, (f"its {name} is no time within the years 1 to 9999", value))
        if bad and pa.types.is_temporal(column.type):
            column = pc.if_else(pa.array([row not in bad for row in range(len(column))]), column, None)
        columns[name] = widened(column) if name in COLUMNS else as_kept(column)
    for number, row in enumerate(pa.RecordBatch.from_pydict(columns).to_pylist()):
        yield Rejected(text(row.get("id")), *bad[number]) if number in bad else listing(row)


def bare(column: pa.Array) -> pa.Array:
    """Values instead of numbers of a dictionary, and storage instead of an extension."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def as_kept(column: pa.Array) -> pa.Array:
    kept = kept_type(column.type)
    return column if kept is None or kept == column.type else column.cast(kept, safe=not pa.types.is_timestamp(kept))


def widened(column: pa.Array) -> pa.Array:
    """Short floats as the numbers that they are written as: 4.3 and not 4.300000190734863. Times to the microsecond."""
    if pa.types.is_floating(column.type) and not pa.types.is_float64(column.type):
        return column.cast(pa.string()).cast(pa.float64())
    return as_kept(column) if pa.types.is_temporal(column.type) else column


def beyond_the_calendar(column: pa.Array) -> Iterator[tuple[int, int]]:
    """Rows with times that Python's calendar does not have, and those as the file counts them."""
    if pa.types.is_timestamp(column.type):
        a_day, counts = A_DAY[column.type.unit], column.cast(pa.int64())
    elif pa.types.is_date(column.type):
        is_days = pa.types.is_date32(column.type)
        a_day, counts = (1, column.cast(pa.int32())) if is_days else (A_DAY["ms"], column.cast(pa.int64()))
    else:
        return
    least, most = pc.min_max(counts).as_py().values()
    if least is not None and (least < FIRST_DAY * a_day or most >= (LAST_DAY + 1) * a_day):
        for row, count in enumerate(counts.to_pylist()):
            if count is not None and not FIRST_DAY * a_day <= count < (LAST_DAY + 1) * a_day:
                yield row, count
