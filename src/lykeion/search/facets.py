"""The facets of an index, taken from its rows when it is built: one look at each column, block by block.

A column that turns out to have too many different values is left there and then, mostly after its first block.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lykeion.core.search.facets import EDGES, LONGEST_VALUE, MOST_DISTINCT, Facet, counted
from lykeion.core.search.filters import Kind
from lykeion.search.conditions import comparable
from lykeion.search.rows import fields_of, plain, values_of

BLOCK = 1 << 16  # rows


def firsts(rows: pa.Table) -> NDArray[np.bool_]:
    """For each row whether it is the first of its item. Rows of one item stand together."""
    hashes = rows.column("item_hash").to_numpy()
    return np.concatenate([np.ones(min(1, len(hashes)), np.bool_), hashes[1:] != hashes[:-1]])


def facets_of(rows: pa.Table) -> tuple[Facet, ...]:
    """Each item counts once; one that is deleted does not."""
    first = firsts(rows) & ~rows.column("deleted").to_numpy()
    return tuple(facet(name, kind, blocks(rows.column(name), first)) for name, kind in fields_of(rows.schema).items())


def blocks(column: pa.ChunkedArray, first: NDArray[np.bool_]) -> Iterator[pa.Array]:
    """The values of the items, some at a time; missing ones count nowhere."""
    start = 0
    for chunk in column.chunks:
        for place in range(0, len(chunk), BLOCK):
            some = chunk.slice(place, BLOCK)
            yield some.filter(pa.array(first[start : start + len(some)])).drop_null()
            start += len(some)


def facet(name: str, kind: Kind, values: Iterator[pa.Array]) -> Facet:
    """Of one value (or list of values) for each item."""
    if kind == "number":
        return facet_of_numbers(name, values)
    if kind == "time":
        ends = [end for block in values if len(block) for end in pc.min_max(comparable(block)).as_py().values()]
        return Facet(name=name, kind=kind, least=plain(min(ends, default=None)), most=plain(max(ends, default=None)))
    items: Counter[str] = Counter()
    other = 0
    for block in values:
        texts = texts_of(block, kind)
        short = texts.filter(pc.less_equal(pc.utf8_length(texts), LONGEST_VALUE))
        other += len(texts) - len(short)
        found = pc.value_counts(short)
        if len(found) <= MOST_DISTINCT:
            items.update({one["values"]: one["counts"] for one in found.to_pylist()})
        if max(len(found), len(items)) > MOST_DISTINCT:
            return Facet(name=name, kind=kind)
    return counted(name, kind, items, other)


def texts_of(block: pa.Array, kind: Kind) -> pa.Array:
    """Each item's value; of lists each item's different values."""
    if kind == "flag":
        return block.cast(pa.string())
    if kind == "text":
        return comparable(block)
    pairs = pa.table({"item": pc.list_parent_indices(block), "value": pc.list_flatten(block)})
    return pairs.group_by(["item", "value"], use_threads=False).aggregate([]).column("value").combine_chunks().drop_null()


def facet_of_numbers(name: str, values: Iterator[pa.Array]) -> Facet:
    """Infinite ones lie in the outermost ranges, but nowhere that JSON could say."""
    ranges = np.zeros(len(EDGES), np.int64)
    ends: list[Any] = []
    for block in map(comparable, values):
        numbers = block.cast(pa.float64(), safe=False).to_numpy()
        there = ~np.isnan(numbers)
        places = np.maximum(0, np.searchsorted(EDGES, numbers[there], side="right") - 1)
        ranges += np.bincount(places, minlength=len(ranges))
        ends += ends_of(block.filter(pa.array(np.isfinite(numbers))))
    found = {EDGES[place]: int(ranges[place]) for place in np.flatnonzero(ranges)}
    return Facet(name=name, kind="number", ranges=found, least=plain(min(ends, default=None)), most=plain(max(ends, default=None)))


def ends_of(numbers: pa.Array) -> list[Any]:
    """The least and the greatest, exactly; none where there are none."""
    ends = pc.min_max(numbers)
    return values_of(pa.array([ends["min"], ends["max"]], numbers.type)) if len(numbers) else []
