"""The tables that photo search's components hand to each other, and their columns.

Types of outputs (`Output[Items]` fits `Input[Items]`): Items, Pictures, Features, Space. The columns are drawn in
docs/architecture/55-pictures-and-features.md.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lykeion.components.item_cache import DIGEST, read_table


class Items:
    """`items.arrow`: one row per item of a catalogue."""


class Pictures:
    """`part-*/pictures.arrow`: one row per usable picture; its bytes lie in the item cache."""


class Features:
    """`part-*/features.arrow`: one row per picture whose raw features lie in the item cache."""


class Space:
    """How raw features become vectors: see `lykeion.search.space`."""


ITEMS_FILE, ITEM_HASHES_FILE, CATALOGUE_FILE = "items.arrow", "item_hash.npy", "catalogue.json"
PICTURES_FILE, FEATURES_FILE = "pictures.arrow", "features.arrow"

TIME = pa.timestamp("us", tz="UTC")
ITEM_COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("description", pa.string()),
        ("category", pa.string()),
        ("price", pa.float64()),
        ("status", pa.string()),
        ("updated_at", TIME),
        ("pictures", pa.list_(pa.string())),
    ]
)
PICTURE_COLUMNS = pa.schema(
    [
        ("item", pa.string()),
        ("number", pa.int16()),
        ("digest", DIGEST),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("media_type", pa.string()),
    ]
)
FEATURE_COLUMNS = pa.schema([("item", pa.string()), ("number", pa.int16()), ("digest", DIGEST)])


def read_items(folder: Path) -> pa.Table:
    """The items of a catalogue, mapped into memory. Raises Corrupt."""
    return read_table(folder / ITEMS_FILE)


def item_hashes(folder: Path) -> np.ndarray[Any, Any]:
    """uint64 [rows of items.arrow]: `partition_of(id, n)` is this modulo n."""
    hashes: np.ndarray[Any, Any] = np.load(folder / ITEM_HASHES_FILE, mmap_mode="r", allow_pickle=False)
    return hashes


def rows_of_partition(folder: Path, partition: int, count: int) -> pa.Table:
    """The rows of `items.arrow` that fall into a partition."""
    table = read_items(folder)
    mine = np.flatnonzero(item_hashes(folder) % np.uint64(count) == partition)
    return table.take(pa.array(mine))
