"""How an IVF index is to be searched: the least work that finds what exact search finds, measured on rows of its own.

Queries are pictures of the catalogue; each must find its neighbours, itself not counted. Most of them choose, the others say what was
reached: settings look better than they are on the queries that chose them.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from lykeion.core.search.manifest import Tuning
from lykeion.search.exact import Floats, Ids
from lykeion.search.index import Index

SLACK = 0.001
SAMPLE = 1200  # queries, a third of them to judge by
K = 10
REFINEMENTS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0, 28.0, 40.0)
BREADTHS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # of the search for the nearest centroids: candidates for each list that is scanned
WIDE = 16.0
TARGET = 0.997  # on the catalogue's own pictures, so that .995 holds on other photos
SEED = 20190214
BLOCK = 1 << 13  # rows that are compared exactly at a time

# What a query costs, in microseconds at 512 dimensions on the machine of docs/benchmarks.md: only how they relate counts.
COST_OF_LIST, COST_OF_CANDIDATE = 2.4, 0.4


class Sample(NamedTuple):
    """Queries `[n, d]`, the rows that they are, and the rows `[n, K]` that each should find."""

    queries: Floats
    own: Ids
    truth: Ids


def tune(index: Index) -> Tuning:
    """The cheapest lists, refinement and breadth that reach the target, and what they reach on queries that did not choose them."""
    queries, own = sample(index, SAMPLE, SEED)
    drawn = Sample(queries, own, nearest(index, queries, own))
    is_judge = np.arange(len(own)) % 3 == 0
    chooser, judge = (Sample(queries[part], own[part], drawn.truth[part]) for part in (~is_judge, is_judge))
    tuning = choose(index, chooser, reachable(index, chooser))
    return tuning.model_copy(update={"recall_at_10": round(recall(index, judge, tuning), 4)})


def reachable(index: Index, drawn: Sample) -> float:
    """The target, or nearly what there is where codes of 1 bit are too coarse for it: then more lists do not help."""
    for lists in (index.lists // 16, index.lists):
        reached = recall(index, drawn, setting(max(1, lists), max(REFINEMENTS)))
        if reached - SLACK >= TARGET:
            return TARGET
    return reached - SLACK


def choose(index: Index, drawn: Sample, target: float) -> Tuning:
    """The cheapest of all refinements with the fewest lists that reach the target with them, then the least breadth that keeps it."""

    def enough(tuning: Tuning) -> bool:
        return recall(index, drawn, tuning) >= target

    fewest = least(1, index.lists, partial(with_lists, enough, max(REFINEMENTS)))
    best = setting(fewest, max(REFINEMENTS))
    for refine in reversed(REFINEMENTS):  # from what is surely enough to what is cheap, so that little has to be tried
        most = min(index.lists, int((cost(best) - cost(setting(0, refine))) / COST_OF_LIST))
        if most >= fewest and enough(setting(most, refine)):
            best = min(best, setting(least(fewest, most, partial(with_lists, enough, refine)), refine), key=cost)
    reached = recall(index, drawn, best)
    return next((narrow for narrow in narrower(best) if recall(index, drawn, narrow) >= reached - SLACK / 2), best)


def with_lists(enough: Callable[[Tuning], bool], refine: float, lists: int) -> bool:
    return enough(setting(lists, refine))


def narrower(tuning: Tuning) -> Iterator[Tuning]:
    return (tuning.model_copy(update={"ef": int(tuning.nprobe * breadth)}) for breadth in BREADTHS)


def setting(lists: int, refine: float) -> Tuning:
    """With a search for the nearest centroids that is wide enough to find them all."""
    return Tuning.model_construct(nprobe=lists, refine=refine, ef=int(max(128, lists * WIDE)), recall_at_10=0.0)


def cost(tuning: Tuning) -> float:
    """But for the breadth, which is chosen last."""
    return COST_OF_LIST * tuning.nprobe + COST_OF_CANDIDATE * K * tuning.refine


def recall(index: Index, drawn: Sample, tuning: Tuning) -> float:
    return agreement(others(index.search(drawn.queries, K + 1, tuning=tuning).rows, drawn.own), drawn.truth)


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


def nearest(index: Index, queries: Floats, own: Ids) -> Ids:
    """The K rows most like each query, itself not counted: by one product of matrices after the other, cheaper than row by row."""
    scores, rows = np.full((len(queries), K), -np.inf, np.float32), np.full((len(queries), K), -1, np.int64)
    for start in range(0, index.count, BLOCK):
        here = np.arange(start, min(start + BLOCK, index.count))
        found = queries @ index.vectors(here).T
        mine = (own >= start) & (own < start + len(here))
        found[mine, own[mine] - start] = -np.inf
        for query in np.flatnonzero(found.max(axis=1) > scores[:, -1]):
            better = np.flatnonzero(found[query] > scores[query, -1])
            best = np.argsort(-(both := np.concatenate([scores[query], found[query, better]])), kind="stable")[:K]
            scores[query], rows[query] = both[best], np.concatenate([rows[query], here[better]])[best]
    return np.where(np.isfinite(scores), rows, -1)


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
