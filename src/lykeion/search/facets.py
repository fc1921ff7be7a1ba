"""The facets of an index, taken from its rows when it is built."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lykeion.core.search.facets import Facet, counted
from lykeion.core.search.filters import Kind
from lykeion.search.rows import OWN_COLUMNS, comparable, kind_of, plain


def firsts(rows: pa.Table) -> NDArray[np.bool_]:
    """For each row whether it is the first of its item. Rows of one item stand together."""
    hashes = rows.column("item_hash").to_numpy()
    return np.concatenate([np.ones(min(1, len(hashes)), np.bool_), hashes[1:] != hashes[:-1]])


def facets_of(rows: pa.Table) -> tuple[Facet, ...]:
    """Each item counts once; one that is deleted does not."""
    first = firsts(rows) & ~rows.column("deleted").to_numpy()
    kinds = {field.name: kind for field in rows.schema if field.name not in OWN_COLUMNS and (kind := kind_of(field.type))}
    return tuple(facet(name, kind, rows.column(name).filter(pa.array(first)), int(first.sum())) for name, kind in kinds.items())


def facet(name: str, kind: Kind, column: pa.ChunkedArray, items: int) -> Facet:
    """Of one value (or list of values) for each item; missing ones count nowhere."""
    if kind in ("number", "time"):
        ends = pc.min_max(finite(comparable(column)))
        return Facet(name=name, kind=kind, least=plain(ends["min"].as_py()), most=plain(ends["max"].as_py()))
    values = pc.list_flatten(column) if kind == "texts" else comparable(column)
    found = pc.value_counts(values.drop_null())
    texts = (str(value).lower() if kind == "flag" else value for value in found.field("values").to_pylist())
    return counted(name, kind, zip(texts, found.field("counts").to_pylist(), strict=True), items)


def finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.filter(pc.is_finite(column)) if pa.types.is_floating(column.type) else column
