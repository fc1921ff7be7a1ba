"""Writes `items.arrow` batch by batch, the hash of every id beside it.

An attribute whose type nobody knows is text until all of its values are there.
"""

import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa

from lykeion.components.column_types import Types
from lykeion.components.item_cache import read_table
from lykeion.components.listings import Listing
from lykeion.components.tables import ITEM_COLUMNS, ITEM_HASHES_FILE, ITEMS_FILE
from lykeion.components.text_types import as_type, type_of_texts

BATCH = 8192
SPOOL = "items.spool"


class ItemWriter:
    """`add` listings that have the same attributes; the files are there when the context ends well.

    types: of attributes that are known, whether listings have them or not. Then `types` has those of all.
    """

    def __init__(self, folder: Path, types: Mapping[str, pa.DataType]) -> None:
        self.folder = folder
        self.types: Types = types
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
            self.schema = schema_of(self.batch, self.types)
            self.writer = pa.ipc.new_file(self.folder / SPOOL, self.schema)
        self.writer.write_table(pa.Table.from_pylist([row(listing) for listing in self.batch], self.schema))
        self.hashes.append(np.array([hash_of(listing.id) for listing in self.batch], np.uint64))
        self.batch = []

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.flush()
            np.save(self.folder / ITEM_HASHES_FILE, np.concatenate(self.hashes), allow_pickle=False)
        if self.writer is not None:
            self.writer.close()
        if kind is None:
            self.types = settle_types(self.folder / SPOOL, self.folder / ITEMS_FILE, self.types)


def hash_of(item_id: str) -> int:
    """What `partition_of` takes modulo the number of partitions."""
    return int.from_bytes(blake2b(item_id.encode(), digest_size=8).digest(), "big")


def row(listing: Listing) -> Mapping[str, Any]:
    """The row of `items.arrow`."""
    return {**{name: getattr(listing, name) for name in ITEM_COLUMNS.names}, **listing.attributes}


def schema_of(batch: list[Listing], types: Types) -> pa.Schema:
    """The fixed columns, then the attributes: those of the listings in their order, then those that none of them has."""
    names = dict.fromkeys([*(batch[0].attributes if batch else ()), *types])
    return pa.schema([*ITEM_COLUMNS, *(pa.field(name, types.get(name) or pa.string()) for name in names)])


def settle_types(spool: Path, target: Path, known: Types) -> Types:
    """Gives every attribute that came as text the type of its values, all of them together. Batch by batch; the spool goes.

    Returns the types of all attributes.
    """
    table = read_table(spool)
    attributes = list(table.schema)[len(ITEM_COLUMNS) :]
    types = {field.name: field.type if field.name in known else type_of_texts(table[field.name]) for field in attributes}
    schema = pa.schema([*ITEM_COLUMNS, *(field.with_type(types[field.name] or field.type) for field in attributes)])
    if schema == table.schema:
        os.rename(spool, target)
        return types
    with pa.ipc.new_file(target, schema) as writer:
        for batch in table.to_batches():
            columns = [
                column if field.type == column.type else as_type(column, field.type)
                for field, column in zip(schema, batch.columns, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    spool.unlink()
    return types
