"""The index of a catalogue: features meet the items they belong to, go through the space, and become an index directory."""

import re
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lykeion.components.base import Input, Output, Step, component
from lykeion.components.features import Raw, read
from lykeion.components.tables import Features, Items, read_items
from lykeion.components.tables import Space as SpaceType
from lykeion.errors import Invalid, Problem
from lykeion.search.build import Identity
from lykeion.search.build import build as build_index
from lykeion.search.exact import Floats, Ids
from lykeion.search.rows import OWN_COLUMNS, ROW_SCHEMA, SAID_IN_ANSWERS
from lykeion.search.space import Space

TAKEN = re.compile(f"(attribute_)*({'|'.join((*OWN_COLUMNS, *SAID_IN_ANSWERS))})")


class Index:
    """An index directory, format 1: see docs/architecture/50-search.md."""


@component(role="index")
def build(
    features: Input[Features], items: Input[Items], space: Input[SpaceType], index: Output[Index], *, family: str, step: Step
) -> None:
    """Make the search index of a family: one row per picture. Pictures of unknown items, and items without pictures, are left out."""
    raw = read(features.path, step.cache)
    known = read_items(items.path)
    fitted = Space.load(space.path)
    if fitted.extractor.digest != raw.extractor.digest:
        raise Invalid(
            [
                Problem(
                    f"the space was fitted on features of {fitted.extractor.name}, and these are of {raw.extractor.name}",
                    "space",
                    remedy="fit and publish a space for this extractor",
                )
            ]
        )
    order, rows = rows_of(raw, known)

    def vectors(some: slice) -> Floats:
        return np.asarray(fitted.project(raw.features[order[some]]), np.float32)

    identity = Identity(family, space.digest, fitted.embedding)
    made = build_index(index.path, rows, vectors, fitted.centroids, identity, lambda done, total: step.progress(done, total, "pictures"))
    step.metric("rows", made.rows)
    step.metric("items", made.items)
    step.metric("rows_left_out", len(raw.items) - made.rows)
    step.metric("items_left_out", known.num_rows - made.items)
    kept = ("generation", "embedding", "rows", "items", "dimension", "kind", "family")
    step.result.update({name: getattr(made, name) for name in kept})


def rows_of(raw: Raw, items: pa.Table) -> tuple[Ids, pa.Table]:
    """Which features become rows, in the order of the rows (item, then picture number), and the table of those rows."""
    pictures = pa.table({"item": pa.array(raw.items, pa.string()), "number": pa.array(raw.numbers, pa.int16())})
    place = pc.index_in(pictures["item"], value_set=items["id"].combine_chunks())
    pictures = pictures.append_column("place", place).append_column("feature", pa.array(np.arange(len(raw.items))))
    pictures = pictures.filter(pc.is_valid(pictures["place"])).sort_by(
        [("item", "ascending"), ("number", "ascending"), ("feature", "ascending")]
    )
    order = pictures["feature"].to_numpy()
    found = items.take(pictures["place"].combine_chunks())
    digests = pa.array([raw.digests[number] for number in order], pa.binary(32))
    own = {
        "item": pictures["item"],
        "item_hash": pa.array(item_hashes(pictures["item"].to_pylist()), pa.uint64()),
        "number": pictures["number"],
        "picture": digests,
        "updated_at": found["updated_at"],
        "deleted": pa.array(np.zeros(len(order), np.bool_)),
    }
    attributes = {attribute_name(name): found[name] for name in found.column_names if name not in ("id", "pictures", "updated_at")}
    schema = pa.schema([*ROW_SCHEMA, *(pa.field(name, column.type) for name, column in attributes.items())])
    table = pa.table({**own, **attributes}).cast(schema)
    return order.astype(np.int64), table.combine_chunks()


def attribute_name(column: str) -> str:
    """What a catalogue's own column is called in an index. A name that is taken gets `attribute_` before it, as does one that would then
    be taken: so no two columns become one.
    """
    return f"attribute_{column}" if TAKEN.fullmatch(column) else column


def item_hashes(items: list[str]) -> list[int]:
    """The same hash that partitions items."""
    return [int.from_bytes(blake2b(item.encode(), digest_size=8).digest(), "big") for item in items]
