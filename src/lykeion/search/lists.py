"""The lists of an IVF index: candidates by their codes, scored again from the exact rows, all within one call of faiss.

The exact rows are those of `rows.fp16`, read in place: faiss is given a view of the mapping, so nothing is copied for it.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

import faiss as typed
import numpy as np

from lykeion.core.search.manifest import Tuning
from lykeion.errors import Corrupt
from lykeion.search.exact import NOTHING, Bits, Floats, Halves, Ids, best_first, selector_of

faiss: Any = typed  # its annotations leave out most of what is used here
FEWEST_CANDIDATES = 20  # that are scored again, however few rows are wanted


class Lists:
    """`ivf`: faiss's index, whose ids are the rows of `vectors`. Safe for concurrent searches."""

    def __init__(self, ivf: Any, vectors: Halves) -> None:
        self.ivf, self.vectors = ivf, vectors
        self.count = int(ivf.ntotal)
        self.number = int(ivf.nlist)
        self.has_graph = isinstance(faiss.downcast_index(ivf.quantizer), faiss.IndexHNSW)
        self._exact = over(vectors)
        self._refined = faiss.IndexRefine(ivf, self._exact)
        self._known: dict[tuple[int, int, float], tuple[Any, ...]] = {}

    def search(self, queries: Floats, k: int, tuning: Tuning, allowed: Bits | None = None) -> tuple[Floats, Ids]:
        """The best k rows for each query, best first; -inf and -1 where there are fewer. `allowed`: only rows whose bit is set."""
        candidates = min(self.count, max(FEWEST_CANDIDATES, int(k * tuning.refine)))
        scores, rows = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        how = self._parameters(tuning, candidates / k, allowed)
        self._refined.search_c(len(queries), faiss.swig_ptr(queries), k, faiss.swig_ptr(scores), faiss.swig_ptr(rows), how[0])
        if (rows[:, -1:] < 0).any():
            scores[rows < 0] = NOTHING
        if (scores[:, 1:] == scores[:, :-1]).any():  # equal scores come in no order of their own
            return best_first(scores, rows)
        return scores, rows

    def _parameters(self, tuning: Tuning, factor: float, allowed: Bits | None) -> tuple[Any, ...]:
        """For faiss, with all that they point to. Those of a search without a filter are made once."""
        key = tuning.nprobe, tuning.ef, factor
        if allowed is None and key in self._known:
            return self._known[key]
        graph = faiss.SearchParametersHNSW() if self.has_graph else None
        if graph is not None:
            graph.efSearch = max(tuning.ef, tuning.nprobe)
        base = faiss.IVFRaBitQSearchParameters()
        base.nprobe = min(tuning.nprobe, self.number)
        base.quantizer_params = graph
        selector = None if allowed is None else selector_of(allowed)
        base.sel = selector
        made = faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=base), base, graph, selector
        if allowed is None and len(self._known) < 64:
            self._known[key] = made
        return made


def over(vectors: Halves) -> Any:
    """A flat index of faiss over mapped rows `[n, d]`."""
    count, dimension = vectors.shape
    index = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    codes = vectors.view(np.uint8).reshape(-1)
    index.codes = faiss.MaybeOwnedVectorUInt8.create_view(faiss.swig_ptr(codes), codes.size, keeper().codes.owner)
    index.ntotal, index.is_trained = count, True
    return index


@cache
def keeper() -> Any:
    """An index whose codes are kept by somebody: faiss wants one for a view, and makes it of a mapped file only. One in memory will do.

    It lives for ever: the views of others point to its keeper.
    """
    one = faiss.IndexScalarQuantizer(1, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    one.is_trained = True
    one.add(np.ones((1, 1), np.float32))
    handle = os.memfd_create("one")
    try:
        faiss.write_index(one, f"/proc/self/fd/{handle}")
        return faiss.read_index(f"/proc/self/fd/{handle}", faiss.IO_FLAG_MMAP_IFC)
    finally:
        os.close(handle)


def read_lists(path: Path, mmap: bool) -> Any:
    """faiss's index. Raises Corrupt."""
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC if mmap else 0)
    except RuntimeError as wrong:
        raise Corrupt(f"{path}: faiss cannot read it: {str(wrong).splitlines()[0]} (fetch or build the index again)") from wrong
