"""Writes `items.arrow` batch by batch, the hash of every id beside it, and gives attributes that are all numbers the type of numbers."""

import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lykeion.components.item_cache import read_table
from lykeion.components.listings import Listing
from lykeion.components.tables import ITEM_COLUMNS, ITEM_HASHES_FILE, ITEMS_FILE

BATCH = 8192
SPOOL = "items.spool"
PLAIN_NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?$"  # a code such as 007 stays text


class ItemWriter:
    """`add` listings that have the same attributes; the files are there when the context ends well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batch: list[Listing] = []
        self.hashes: list[np.ndarray[Any, Any]] = []
        self.schema: pa.Schema | None = None
        self.writer: Any = None

    def __enter__(self) -> Self:
        return self

    def add(self, listing: Listing) -> None:
        self.batch.append(listing)
        if len(self.batch) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self.schema is None:
            self.schema = schema_of(self.batch)
            self.writer = pa.ipc.new_file(self.folder / SPOOL, self.schema)
        texts = {field.name for field in self.schema if field.type == pa.string()}
        rows = [row(listing, texts) for listing in self.batch]
        self.writer.write_table(pa.Table.from_pylist(rows, self.schema))
        self.hashes.append(np.array([hash_of(listing.id) for listing in self.batch], np.uint64))
        self.batch = []

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.flush()
            np.save(self.folder / ITEM_HASHES_FILE, np.concatenate(self.hashes), allow_pickle=False)
        if self.writer is not None:
            self.writer.close()
        if kind is None:
            settle_types(self.folder / SPOOL, self.folder / ITEMS_FILE)


def hash_of(item_id: str) -> int:
    """What `partition_of` takes modulo the number of partitions."""
    return int.from_bytes(blake2b(item_id.encode(), digest_size=8).digest(), "big")


def row(listing: Listing, texts: set[str]) -> Mapping[str, Any]:
    """The row of `items.arrow`. texts: the columns that are text, whatever the value is."""
    named = listing._asdict()
    for name, value in named.pop("attributes").items():
        simple = plain(value)
        named[name] = str(simple) if name in texts and simple is not None else simple
    return named


def plain(value: Any) -> str | float | bool | None:
    """What an index can filter by; whatever is more than that counts as its text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return float(value)
    return str(value)


def schema_of(batch: list[Listing]) -> pa.Schema:
    """The fixed columns, and each attribute as text, or as number or truth where every value of the first batch is one."""
    schema = ITEM_COLUMNS
    for name in batch[0].attributes if batch else ():
        kinds: set[type] = {type(plain(listing.attributes.get(name))) for listing in batch} - {type(None)}
        kind = pa.float64() if kinds == {float} else pa.bool_() if kinds == {bool} else pa.string()
        schema = schema.append(pa.field(name, kind))
    return schema


def settle_types(spool: Path, target: Path) -> None:
    """Attributes that came as text and are numbers all through become numbers. Batch by batch; the spool goes."""
    table = read_table(spool)
    numeric = {field.name for field in list(table.schema)[len(ITEM_COLUMNS) :] if field.type == pa.string() and numbers(table[field.name])}
    if not numeric:
        os.rename(spool, target)
        return
    schema = pa.schema([pa.field(field.name, pa.float64()) if field.name in numeric else field for field in table.schema])
    with pa.ipc.new_file(target, schema) as writer:
        for batch in table.to_batches():
            columns = [
                as_number(column) if name in numeric else column for name, column in zip(batch.schema.names, batch.columns, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    spool.unlink()


def numbers(column: pa.ChunkedArray) -> bool:
    """Whether all values are plain numbers, and at least one is there; empty ones count as absent."""
    some = False
    for chunk in column.chunks:
        filled = chunk.filter(pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(chunk), ""), False))
        if not pc.all(pc.match_substring_regex(filled, PLAIN_NUMBER), min_count=0).as_py():
            return False
        some = some or len(filled) > 0
    return some


def as_number(column: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed).cast(pa.float64())
