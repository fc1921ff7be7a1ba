"""One index, opened in place: the rows most like a vector, the items most like it, also under a filter.

    index = lykeion.search.open("photos/7")
    hits = index.search(vectors, 10)                                    # rows: one per picture
    items = index.search_items(vector, 10, index.filter(["price:<5000"]))   # items: each with its best picture

A search scans the lists of an IVF index by 1-bit codes and scores the candidates again with their exact half-precision vectors; small
indexes and narrow filters are searched exactly. Files are mapped, so processes that open the same index share its memory.
All methods may be called from several threads at once.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import ArrayLike

from lykeion.core.search.filters import Filter, parse_filters
from lykeion.core.search.manifest import CODES_FILE, MANIFEST_FILE, ROWS_FILE, VECTORS_FILE, IndexManifest, Tuning, parse_manifest
from lykeion.core.search.merge import MOST_ITEMS, ItemHit, check_k
from lykeion.errors import Corrupt, Invalid, NotFound, Problem
from lykeion.search.exact import Bits, ExactRows, Floats, Ids, empty, map_rows
from lykeion.search.lists import Lists, read_lists
from lykeion.search.rows import RowTable, open_rows

EXACT_SHARE = 0.01  # a filter that lets fewer rows through is searched exactly
EXACT_ROWS = 2000  # and one that lets so few through, whatever the share
MOST_WIDENING = 8  # how many times more lists are scanned under a filter, at most
FILTERS_KEPT = 64
MOST_ROWS = 100 * MOST_ITEMS


class Hits(NamedTuple):
    """For each query its best rows, best first.

    `scores`: `[n, k]` cosines (-inf where there is none), `rows`: `[n, k]` (-1 where there is none).
    """

    scores: Floats
    rows: Ids


class Allowed(NamedTuple):
    """The rows that a filter lets through: a bit for each, and how many."""

    bits: Bits
    passed: int


class Index:
    """An opened index directory. `count` rows, `dimension` floats each, made by the embedding `embedding`."""

    def __init__(self, manifest: IndexManifest, rows: RowTable, exact: ExactRows, lists: Lists | None) -> None:
        self.manifest = manifest
        self.table = rows
        self._exact = exact
        self._lists = lists
        self.tuning = manifest.tuning or Tuning(nprobe=1, refine=1, recall_at_10=1)
        self._filters: OrderedDict[Filter, Allowed] = OrderedDict()
        self._lock = threading.Lock()
        self.count = manifest.rows
        self.dimension = manifest.dimension
        self.embedding = manifest.embedding
        self.fields = rows.fields

    @property
    def lists(self) -> int:
        """How many lists its vectors lie in; 1 where it is searched exactly."""
        return 1 if self._lists is None else self._lists.number

    def vectors(self, rows: Ids) -> Floats:
        """Those of some rows `[n, d]`."""
        return self._exact.vectors[rows].astype(np.float32)

    def filter(self, texts: Iterable[str]) -> Filter:
        """`["category:shoes", "price:<5000"]` as this index understands it. Raises Invalid with every problem."""
        return parse_filters(texts, self.fields)

    def search(
        self, vectors: ArrayLike, k: int, filter: Filter | None = None, *, tuning: Tuning | None = None, exact: bool = False
    ) -> Hits:
        """The rows most like each of `vectors` (`[n, d]` or `[d]`; scaled to length 1 here), at most k each.

        tuning: how lists are searched (default: as measured when the index was built). exact: compare with every row.
        Raises Invalid for a wrong shape, numbers that are not finite, a zero vector, k < 1 or k > 100 000.
        """
        queries = self._queries(vectors)
        return self._search(queries, min(check_k(k, MOST_ROWS), max(1, self.count)), k, filter, tuning or self.tuning, exact)

    def _search(self, queries: Floats, k: int, width: int, wanted: Filter | None, tuning: Tuning, exact: bool) -> Hits:
        allowed = self._allowed(wanted)
        if allowed is not None and (allowed.passed <= EXACT_ROWS or allowed.passed <= EXACT_SHARE * self.count):
            scores, rows = self._among(queries, k, allowed)
        elif exact or self._lists is None:
            scores, rows = self._exact.search(queries, k, None if allowed is None else allowed.bits)
        else:
            share = 1.0 if allowed is None else allowed.passed / self.count
            # The nearest rows that pass a filter lie further away: look into more lists, as the filter is narrower.
            if share < 1:
                tuning = tuning.model_copy(update={"nprobe": math.ceil(tuning.nprobe * min(MOST_WIDENING, 1 / share))})
            scores, rows = self._lists.search(queries, k, tuning, None if allowed is None else allowed.bits)
        if width > k:
            blank_scores, blank_rows = empty(len(queries), width - k)
            return Hits(np.hstack([scores, blank_scores]), np.hstack([rows, blank_rows]))
        return Hits(scores, rows)

    def _among(self, queries: Floats, k: int, allowed: Allowed) -> tuple[Floats, Ids]:
        rows = np.flatnonzero(np.unpackbits(allowed.bits, count=self.count, bitorder="little")).astype(np.int64)
        found = [self._exact.search_among(query, rows, k) for query in queries]
        return np.stack([scores for scores, _ in found]), np.stack([ids for _, ids in found])

    def search_items(
        self, vector: ArrayLike, k: int, filter: Filter | None = None, *, tuning: Tuning | None = None, with_vectors: bool = False
    ) -> list[ItemHit]:
        """The k items most like `vector`, each with its best picture, best first: exactly min(k, items that match). Raises Invalid.

        with_vectors: also those pictures' own.
        """
        queries = self._queries(vector)[:1]
        check_k(k)
        found: list[tuple[float, int]] = []
        exact, depth = False, k + k * (self.count - self.manifest.items) // max(1, self.manifest.items)
        while True:
            depth = min(depth, self.count)
            hits = self._search(queries, depth, depth, filter, tuning or self.tuning, exact) if depth else Hits(*empty(1, 0))
            found = self._best_of_items(hits, k)
            filled = int((hits.rows[0] >= 0).sum())
            if len(found) == k or depth == self.count or (filled < depth and (exact or self._is_exact(filter))):
                break
            # Too few items. Lists that gave fewer rows than asked have no more: then compare with every row.
            exact = exact or filled < depth
            depth *= 4
        return [
            ItemHit(
                known.pop("id"),
                score,
                known.pop("picture"),
                {name: value for name, value in known.items() if name != "number"},
                self._exact.vectors[row].astype("<f2").tobytes() if with_vectors else b"",
            )
            for (score, row), known in zip(found, self.table.read(np.array([row for _, row in found], np.int64)), strict=True)
        ]

    def _is_exact(self, wanted: Filter | None) -> bool:
        allowed = self._allowed(wanted)
        return self._lists is None or (allowed is not None and (allowed.passed <= EXACT_ROWS or allowed.passed <= EXACT_SHARE * self.count))

    def _best_of_items(self, hits: Hits, k: int) -> list[tuple[float, int]]:
        """The first row of each item, in the order of the hits."""
        rows = hits.rows[0][hits.rows[0] >= 0]
        first: dict[int, tuple[float, int]] = {}
        for item, score, row in zip(self.table.hashes(rows).tolist(), hits.scores[0].tolist(), rows.tolist(), strict=False):
            first.setdefault(item, (score, row))
        return list(islice(first.values(), k))

    def rows(self, ids: Sequence[int] | Ids) -> list[dict[str, Any]]:
        """What is known of these rows: `id`, `number`, `picture` (hex digest) and the item's attributes.

        Raises Invalid for a row that is not there.
        """
        wrong = [int(row) for row in ids if not 0 <= int(row) < self.count]
        if wrong:
            raise Invalid([Problem(f"there is no row {wrong[0]}", "rows", wrong[0], remedy=f"rows are 0 to {self.count - 1}")])
        return self.table.read(np.asarray(ids, np.int64))

    def vectors_of(self, item: str) -> Floats:
        """The vectors of an item's pictures `[pictures, d]`, the first picture first. Raises NotFound."""
        rows = self.table.rows_of(item)
        if not rows:
            raise NotFound(f"{self.manifest.family}: there is no item {item!r} in this index (its pictures may have been quarantined)")
        return self._exact.vectors[rows.start : rows.stop].astype(np.float32)

    def _allowed(self, wanted: Filter | None) -> Allowed | None:
        if not wanted and self.table.live is None:
            return None
        key = wanted or Filter()
        with self._lock:
            if key in self._filters:
                self._filters.move_to_end(key)
                return self._filters[key]
        found = self.table.matching(key)
        allowed = Allowed(found, int(np.bitwise_count(found).sum()))
        with self._lock:
            self._filters[key] = allowed
            if len(self._filters) > FILTERS_KEPT:
                self._filters.popitem(last=False)
        return allowed

    def _queries(self, given: ArrayLike) -> Floats:
        """Vectors as they are searched: `[n, d]`, contiguous, of length 1. Raises Invalid."""

        def wrong(message: str, remedy: str) -> Invalid:
            return Invalid([Problem(message, "vector", remedy=remedy)])

        try:
            vectors = given if isinstance(given, np.ndarray) and given.dtype == np.float32 else as_floats(given)
        except (TypeError, ValueError):
            raise wrong("a vector is a list of numbers", f"send {self.dimension} numbers") from None
        if vectors.ndim < 2:
            vectors = vectors.reshape(1, -1)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise wrong(
                f"a vector of this index has {self.dimension} numbers, not {vectors.shape[-1]}", f"use the embedding {self.embedding}"
            )
        if (
            len(vectors) == 1 and 1e-30 < (square := float(np.einsum("ij,ij->", vectors, vectors))) < 1e30
        ):  # the common case, at a third of the cost
            return np.ascontiguousarray(vectors * np.float32(1 / math.sqrt(square)))
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if not len(squares) or (squares.min() > 1e-30 and squares.max() < 1e30):  # so all numbers are finite
            return np.ascontiguousarray(vectors * (1 / np.sqrt(squares))[:, None])
        if not np.isfinite(vectors).all():
            raise wrong("the vector holds a number that is not finite (NaN or infinity)", "send finite numbers")
        # Scaling first keeps the squares of very large and very small numbers within range.
        largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
        if not largest.all():
            raise wrong("the vector is zero, and nothing is like nothing", "send a vector with a direction")
        scaled = vectors / largest
        return np.ascontiguousarray(scaled / np.linalg.norm(scaled, axis=1, keepdims=True), np.float32)


def as_floats(given: ArrayLike) -> Floats:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused later
        return np.asarray(given, np.float32)


def open_index(path: Path, *, mmap: bool = True) -> Index:
    """Open an index directory; `lykeion.search.open`. Raises NotFound and Corrupt."""
    faiss.omp_set_num_threads(1)  # several threads spin and cost more than they bring; scale by processes
    try:
        manifest = parse_manifest((path / MANIFEST_FILE).read_bytes(), str(path))
    except FileNotFoundError:
        raise NotFound(
            f"{path} is no index: it has no {MANIFEST_FILE} (give the directory that the index step or the model repository made)"
        ) from None
    check_size(path / VECTORS_FILE, manifest.rows * manifest.dimension * 2)
    vectors = map_rows(path / VECTORS_FILE, manifest.rows, manifest.dimension)
    table = open_rows(path / ROWS_FILE, mmap=mmap)
    lists = read_lists(path / CODES_FILE, mmap) if manifest.kind == "ivf" else None
    counts = {VECTORS_FILE: manifest.rows, ROWS_FILE: table.count} | ({} if lists is None else {CODES_FILE: lists.ntotal})
    if set(counts.values()) != {manifest.rows}:
        raise Corrupt(f"{path}: {MANIFEST_FILE} says {manifest.rows} rows, but {counts} (build the index again)")
    exact = ExactRows(vectors if mmap else np.array(vectors))
    return Index(manifest, table, exact, None if lists is None else Lists(lists, exact.vectors))


def check_size(path: Path, expected: int) -> None:
    size = path.stat().st_size if path.exists() else -1
    if size != expected:
        raise Corrupt(f"{path} has {max(size, 0)} bytes, {expected} expected (fetch or build the index again)")
