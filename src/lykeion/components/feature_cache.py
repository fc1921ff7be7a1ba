"""Where raw features lie in the item cache, and how an output's rows find theirs."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lykeion.components.item_cache import DIGEST, read_table, segment, segment_files
from lykeion.components.tables import FEATURE_COLUMNS, FEATURES_FILE
from lykeion.errors import Corrupt
from lykeion.search.extractor import DESCRIPTION, ExtractorDescription
from lykeion.search.picture import VERDICTS

RAW = 1280
FEATURE = pa.schema([("digest", DIGEST), ("feature", pa.binary(2 * RAW))])
REFUSED = pa.schema([("digest", DIGEST), ("reason", pa.string())])


class Raw(NamedTuple):
    """Rows of a features output with their raw features. Every row i: picture `numbers[i]` of item `items[i]`."""

    items: list[str]
    numbers: np.ndarray[Any, Any]  # int16 [n]
    digests: list[bytes]  # n of 32 bytes each: SHA-256 of the pictures
    features: np.ndarray[Any, Any]  # float16 [n, 1280], not normalised
    extractor: ExtractorDescription


def features_folder(cache: Path, extractor: str) -> Path:
    return cache / "features" / extractor


def refused_folder(cache: Path, extractor: str) -> Path:
    return features_folder(cache, extractor) / "refused" / VERDICTS


def read(features: Path, cache: Path, sample: int | None = None) -> Raw:
    """The rows of a features output (or of one partition of it), in the order of its partitions, with their features from the cache.

    sample: at most this many rows, spread evenly by the pictures' digests (the same ones each time). Raises Corrupt.
    """
    files = sorted(features.rglob(FEATURES_FILE))
    if not files:
        raise Corrupt(f"{features} holds no {FEATURES_FILE}")
    extractor = ExtractorDescription.read(next(path for path in sorted(features.rglob(DESCRIPTION))).parent)
    table = pa.concat_tables([FEATURE_COLUMNS.empty_table(), *(read_table(path) for path in files)])
    if sample is not None and table.num_rows > sample:
        table = table.take(pc.sort_indices(table, [("digest", "ascending")])[:sample].sort())
    return Raw(
        table["item"].to_pylist(),
        table["number"].to_numpy(),
        table["digest"].to_pylist(),
        gather(features_folder(cache, extractor.hex), table["digest"].combine_chunks()),
        extractor,
    )


def gather(folder: Path, wanted: pa.Array) -> np.ndarray[Any, Any]:
    """float16 [n, 1280]: the features of `wanted`, in its order. Raises Corrupt where one is not in the cache."""
    distinct = pc.unique(wanted)
    features = np.empty((len(distinct), RAW), np.float16)
    there = np.zeros(len(distinct), bool)
    for path in segment_files(folder):
        table = segment(path)
        places = pc.index_in(table["digest"], value_set=distinct).combine_chunks()
        rows = np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False))
        if len(rows):
            targets = places.drop_null().to_numpy()
            features[targets] = as_array(table["feature"].combine_chunks())[rows]
            there[targets] = True
    if not there.all():
        raise Corrupt(
            f"the features of {int((~there).sum())} pictures are gone from the cache "
            "(run the pipeline again without its cache: `lykeion run FILE --no-cache`)"
        )
    if len(distinct) < len(wanted):
        features = features[pc.index_in(wanted, value_set=distinct).to_numpy()]
    return features


def as_array(column: pa.FixedSizeBinaryArray) -> np.ndarray[Any, Any]:
    """float16 [n, 1280] over a segment's bytes, not copied."""
    numbers = np.frombuffer(column.buffers()[1], "<f2")
    start = column.offset * RAW
    rows: np.ndarray[Any, Any] = numbers[start : start + len(column) * RAW].reshape(len(column), RAW)
    return rows
