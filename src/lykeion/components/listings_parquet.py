"""Listings from Parquet, in batches."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lykeion.components.listings import Listing, Rejected, check_columns, listing
from lykeion.errors import Invalid

BATCH = 4096


def parquet_listings(path: Path) -> Iterator[Listing | Rejected]:
    """Raises Invalid where the file as a whole cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            check_columns(file.schema_arrow.names, str(path))
            for batch in file.iter_batches(BATCH, use_threads=False):
                yield from map(listing, batch.to_pylist())
    except (pa.ArrowException, OSError) as error:
        raise Invalid(f"uri: {path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
