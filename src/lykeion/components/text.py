"""Text of items as numbers: hashed words and pieces of words. It has no vocabulary to keep, so serving needs none."""

from typing import Annotated

import pyarrow as pa
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from lykeion.components.base import Input, Output, Range, Step, component
from lykeion.components.matrices import Matrix, write_matrix
from lykeion.components.tables import Items, read_items
from lykeion.errors import Invalid


@component(role="feature")
def hashed(
    items: Input[Items],
    text: Output[Matrix],
    *,
    columns: str = "title,description",
    dimension: Annotated[int, Range(16, 1 << 20)] = 4096,
    step: Step,
) -> None:
    """Each item's text as a row: its words, and runs of 3 to 5 letters within them, hashed; each half of length 1.

    columns: of the items, with commas between. dimension: of each half.
    """
    table = read_items(items.path)
    texts = joined(table, [name.strip() for name in columns.split(",")])
    shared = {"n_features": dimension, "alternate_sign": False, "norm": "l2"}
    words = HashingVectorizer(analyzer="word", token_pattern=r"(?u)\b\w+\b", **shared)
    pieces = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared)
    values = sparse.hstack([words.transform(texts), pieces.transform(texts)])
    write_matrix(text.path, table["id"].to_pylist(), values, [("words", dimension), ("pieces", dimension)])
    step.metric("items", table.num_rows)


def joined(table: pa.Table, columns: list[str]) -> list[str]:
    """The columns' texts, one string per item. Raises Invalid where there is no such column."""
    if missing := [name for name in columns if name not in table.column_names]:
        raise Invalid(f"columns: there is no {', '.join(map(repr, missing))}; the items have {', '.join(table.column_names)}")
    parts = [table[name].to_pylist() for name in columns]
    return [" ".join(str(part) for part in row if part is not None) for row in zip(*parts, strict=True)]
