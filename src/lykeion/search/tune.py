"""How an IVF index is to be searched: the least work that finds what exact search finds, measured on rows of its own.

Queries are pictures of the catalogue; each must find its neighbours, itself not counted.
"""

import numpy as np

from lykeion.core.search.manifest import Tuning
from lykeion.search.exact import Floats, Ids
from lykeion.search.index import Index

SAMPLE = 400  # queries
K = 10
TARGET = 0.995  # on the sample, so that .99 holds on others
SEED = 20190214


def tune(index: Index) -> Tuning:
    """The smallest nprobe that reaches the target, and the smallest refinement that loses next to nothing there."""
    queries, own = sample(index, SAMPLE, SEED)
    truth = others(index.search(queries, K + 1, exact=True).rows, own)
    lists = index.lists

    def recall(nprobe: int, refine: float) -> float:
        index.tuning = Tuning(nprobe=nprobe, refine=refine, recall_at_10=0)
        return agreement(others(index.search(queries, K + 1).rows, own), truth)

    nprobe, refine = min(8, lists), 10.0
    while (reached := recall(nprobe, refine)) < TARGET and (nprobe < lists or refine < 40):
        before = reached
        if nprobe < lists and recall(min(lists, nprobe * 2), refine) > before + 0.0005:
            nprobe = min(lists, max(nprobe + 1, round(nprobe * 1.25)))
        else:
            refine *= 1.5
    return Tuning(nprobe=nprobe, refine=round(refine, 2), recall_at_10=round(reached, 4))


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
