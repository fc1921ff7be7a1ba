"""From the answers of index servers to the answer of a search. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lykeion.core.search.collapse import collapsed
from lykeion.core.search.merge import MOST_ITEMS, ItemHit, depth, merge, page
from lykeion.core.values import ModelVersion
from lykeion.servers.question import Paging

DEEPER = 4  # times as many, when too many became one
BLANK = dict.fromkeys(("id", "score", "title", "category", "price", "status", "picture"))  # always there, in this order


@dataclass(slots=True)
class Gathered:
    """What came back: hits of every index and vector; `problems`: digest of an index -> why it did not answer."""

    hits: list[Sequence[ItemHit]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def first_depth(paging: Paging, without: str | None) -> int:
    """How many items to ask each index for."""
    return min(depth(paging.offset, paging.k) + (without is not None), MOST_ITEMS)


def next_depth(gathered: Gathered, paging: Paging, without: str | None, deep: int) -> int | None:
    """How many to ask for again, where so many became one that the page is not full. None where it is, or there are no more."""
    if paging.collapse is None or deep == MOST_ITEMS or all(len(hits) < deep for hits in gathered.hits):
        return None
    return None if len(best_of(gathered, paging, without)) > paging.offset + paging.k else min(DEEPER * deep, MOST_ITEMS)


def best_of(gathered: Gathered, paging: Paging, without: str | None) -> list[ItemHit]:
    """From the first on; one more than the page needs is enough, unless some become one."""
    most = MOST_ITEMS if paging.collapse is not None else paging.offset + paging.k + 1 + (without is not None)
    best = [hit for hit in merge(gathered.hits, most) if hit.id != without]
    return best if paging.collapse is None else collapsed(best, paging.collapse)


def items_of(gathered: Gathered, paging: Paging, without: str | None = None, root: str = "") -> tuple[list[dict[str, Any]], str | None]:
    """One page of items as the answer shows them, and the token of the next. without: the item that was asked with; root: see `item`."""
    shown, following = page(best_of(gathered, paging, without), paging.offset, paging.k)
    told = [item(hit, root) for hit in shown]
    if paging.collapse is not None:
        told = [{**one, "duplicates": list(hit.duplicates)} for one, hit in zip(told, shown, strict=True)]
    return told, following


def item(hit: ItemHit, root: str = "") -> dict[str, Any]:
    """root: the path below which pictures are reached, where a proxy stands before the platform."""
    shown = {**BLANK, **hit.fields}
    shown["id"] = hit.id  # whatever columns a catalogue has
    shown["score"] = min(1.0, round(hit.score, 6))  # half precision can exceed 1 a little
    shown["picture"] = f"{root}/v1/pictures/{hit.picture}"
    return shown


def indexes_of(versions: Sequence[ModelVersion], problems: Mapping[str, str]) -> list[dict[str, Any]]:
    """Which indexes answered, and why others did not."""
    return [
        {"model": version.model, "version": version.version, "digest": version.digest, "answered": version.digest not in problems}
        | ({"reason": problems[version.digest]} if version.digest in problems else {})
        for version in versions
    ]
