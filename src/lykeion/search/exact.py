"""Exact inner products over half-precision rows that stay on disk, mapped into memory and shared by every process.

Nothing here copies the rows: faiss reads the mapped bytes in place, so a process holds a few kilobytes of its own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Halves = NDArray[np.float16]
Bits = NDArray[np.uint8]  # one bit a row, lowest first: the layout of Arrow and of faiss

BLOCK = 4096  # chosen rows that are copied together at a time
NOTHING = -np.inf


class ExactRows:
    """The rows of an index, `[n, d]` half precision, L2-normalised. Safe for concurrent searches."""

    def __init__(self, vectors: Halves) -> None:
        self.vectors = np.asarray(vectors)  # a plain view: numpy indexes a memmap more slowly
        self.count, self.dimension = vectors.shape
        # Only its scanner is used, which takes codes from anywhere: faiss's fast path for half precision.
        self._kernel = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(self.dimension), self.dimension, 1, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
        )
        self._kernel.is_trained = True

    def search(self, queries: Floats, k: int, allowed: Bits | None = None) -> tuple[Floats, Ids]:
        """The best k rows for each query, best first; -inf and -1 where there are fewer. `allowed`: only rows whose bit is set."""
        scores, ids = empty(len(queries), k)
        selector = None if allowed is None else selector_of(allowed)
        scanner = self._kernel.get_InvertedListScanner(True, selector, None)
        for number, query in enumerate(queries):
            self._scan(scanner, query, self.vectors, None, scores[number], ids[number])
        return best_first(scores, ids)

    def search_among(self, query: Floats, rows: Ids, k: int) -> tuple[Floats, Ids]:
        """The best k of the given rows for one query, `[k]` each, best first. Cost grows with the number of rows given."""
        scores, ids = empty(1, k)
        scanner = self._kernel.get_InvertedListScanner(False, None, None)
        for some in slices(len(rows), BLOCK):
            chosen = np.ascontiguousarray(rows[some])
            self._scan(scanner, query, self.vectors[chosen], chosen, scores[0], ids[0])
        scores, ids = best_first(scores, ids)
        return scores[0], ids[0]

    @staticmethod
    def _scan(scanner: Any, query: Floats, codes: Halves, ids: Ids | None, scores: Floats, places: Ids) -> None:
        scanner.set_query(faiss.swig_ptr(query))
        scanner.set_list(0, 0.0)
        scanner.scan_codes(
            len(codes),
            faiss.swig_ptr(codes.view(np.uint8).reshape(-1)),
            None if ids is None else faiss.swig_ptr(ids),
            faiss.swig_ptr(scores),
            faiss.swig_ptr(places),
            len(scores),
        )


def map_rows(path: Path, count: int, dimension: int) -> Halves:
    """`rows.fp16` in place, read-only."""
    if count == 0:
        return np.empty((0, dimension), np.float16)
    return np.memmap(path, np.float16, "r", shape=(count, dimension))


def empty(queries: int, k: int) -> tuple[Floats, Ids]:
    return np.full((queries, k), NOTHING, np.float32), np.full((queries, k), -1, np.int64)


def best_first(scores: Floats, ids: Ids) -> tuple[Floats, Ids]:
    """Each query's rows by falling score, equal scores by row number."""
    order = np.lexsort((ids, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)


def slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def selector_of(allowed: Bits) -> Any:
    """For faiss: it reads `allowed` in place, which must outlive it."""
    return faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(allowed))
