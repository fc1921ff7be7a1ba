"""How an IVF index is to be searched: the least work that finds what exact search finds, measured on rows of its own.

Queries are pictures of the catalogue; each must find its neighbours, itself not counted.
"""

from collections.abc import Callable

import numpy as np

from lykeion.core.search.manifest import Tuning
from lykeion.search.exact import Floats, Ids
from lykeion.search.index import Index

SLACK = 0.001
SAMPLE = 400  # queries
K = 10
REFINEMENTS = (2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 40.0)
TARGET = 0.997  # on the catalogue's own pictures, so that .99 holds on other photos
SEED = 20190214


def tune(index: Index) -> Tuning:
    """The smallest nprobe that reaches the target, then the smallest refinement that keeps it."""
    queries, own = sample(index, SAMPLE, SEED)
    truth = others(index.search(queries, K + 1, exact=True).rows, own)

    def recall(nprobe: int, refine: float) -> float:
        index.tuning = Tuning(nprobe=nprobe, refine=refine, recall_at_10=0)
        return agreement(others(index.search(queries, K + 1).rows, own), truth)

    widest = max(REFINEMENTS)
    # Where codes of 1 bit are too coarse for the target (few dimensions), more lists do not help: settle for nearly what there is.
    reachable = min(TARGET, recall(index.lists, widest) - SLACK)
    nprobe = least(1, index.lists, lambda probes: recall(probes, widest) >= reachable)
    target = min(reachable, recall(nprobe, widest))
    refine = next(refine for refine in REFINEMENTS if refine == widest or recall(nprobe, refine) >= target)
    return Tuning(nprobe=nprobe, refine=refine, recall_at_10=round(recall(nprobe, refine), 4))


def least(low: int, high: int, enough: Callable[[int], bool]) -> int:
    """The smallest number in low..high that is enough (larger ones are, too); `high` where none is. Tries small ones first."""
    tried = low
    while tried < high and not enough(tried):
        low, tried = tried + 1, min(high, tried * 2)
    high = tried
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return high


def sample(index: Index, count: int, seed: int) -> tuple[Floats, Ids]:
    """Vectors of some rows, and which rows they are."""
    chosen = np.sort(np.random.default_rng(seed).choice(index.count, min(count, index.count), replace=False)).astype(np.int64)
    return index.vectors(chosen), chosen


def others(found: Ids, own: Ids) -> Ids:
    """What was found but for the query's own row: one less each."""
    hidden = np.where(found == own[:, None], -1, found)
    order = np.argsort(hidden == -1, axis=1, kind="stable")
    return np.take_along_axis(hidden, order, 1)[:, :-1]


def agreement(found: Ids, truth: Ids) -> float:
    """The share of the true rows that were found; 1 where there is nothing to find."""
    wanted = truth >= 0
    hit = (found[:, None, :] == truth[:, :, None]).any(axis=2) & wanted
    return float(hit.sum() / wanted.sum()) if wanted.any() else 1.0
