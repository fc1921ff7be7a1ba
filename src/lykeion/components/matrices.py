"""Feature matrices: one row per item, sparse, with the items' ids. What text, pictures and numbers become before an estimator."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from lykeion.errors import Corrupt

MATRIX, ROWS = "matrix.npz", "rows.json"


class Matrix(NamedTuple):
    """`values`: scipy CSR float32 [items, columns]; `ids`: of its rows; `blocks`: (name, columns) of what was put side by side."""

    ids: list[str]
    values: Any
    blocks: list[tuple[str, int]]


def write_matrix(folder: Path, ids: Sequence[str], values: Any, blocks: Sequence[tuple[str, int]]) -> None:
    compressed = sparse.csr_matrix(values, dtype=np.float32)
    compressed.sort_indices()
    sparse.save_npz(folder / MATRIX, compressed, compressed=False)
    (folder / ROWS).write_text(json.dumps({"ids": list(ids), "blocks": list(blocks)}))


def read_matrix(folder: Path) -> Matrix:
    """Raises Corrupt."""
    try:
        said = json.loads((folder / ROWS).read_text())
        values = sparse.load_npz(folder / MATRIX)
    except (OSError, ValueError, KeyError) as error:
        raise Corrupt(f"{folder} does not hold a matrix: {error}") from error
    return Matrix(said["ids"], values, [(name, columns) for name, columns in said["blocks"]])
