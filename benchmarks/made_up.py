"""Rows of an index that are made up: one picture an item, of which nothing is known but its number."""

import numpy as np
import pyarrow as pa

from lykeion.search.rows import ROW_SCHEMA


def made_up_rows(count: int) -> pa.Table:
    """`count` rows of `ROW_SCHEMA`; attributes are for the caller to append."""
    columns = {
        "item": [f"item-{number:07d}" for number in range(count)],
        "item_hash": np.arange(count, dtype=np.uint64),
        "number": np.zeros(count, np.int16),
        "picture": [number.to_bytes(32, "big") for number in range(count)],
        "updated_at": [None] * count,
        "deleted": [False] * count,
    }
    return pa.table(columns, schema=ROW_SCHEMA)
