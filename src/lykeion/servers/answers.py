"""From the answers of index servers to the answer of a search. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lykeion.core.search.merge import ItemHit, merge, page
from lykeion.core.values import ModelVersion
from lykeion.servers.question import Paging

BLANK = dict.fromkeys(("id", "score", "title", "category", "price", "status", "picture"))  # always there, in this order


@dataclass(slots=True)
class Gathered:
    """What came back: hits of every index and vector; `problems`: digest of an index -> why it did not answer."""

    hits: list[Sequence[ItemHit]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def items_of(gathered: Gathered, paging: Paging, without: str | None = None) -> tuple[list[dict[str, Any]], str | None]:
    """One page of items as the answer shows them, and the token of the next. without: the item that was asked with."""
    most = paging.offset + paging.k + 1 + (without is not None)
    best = [hit for hit in merge(gathered.hits, most) if hit.id != without]
    shown, following = page(best, paging.offset, paging.k)
    return [item(hit) for hit in shown], following


def item(hit: ItemHit) -> dict[str, Any]:
    shown = {**BLANK, **hit.fields}
    shown["id"] = hit.id  # whatever columns a catalogue has
    shown["score"] = min(1.0, round(hit.score, 6))  # half precision can exceed 1 a little
    shown["picture"] = f"/v1/pictures/{hit.picture}"
    return shown


def indexes_of(versions: Sequence[ModelVersion], problems: Mapping[str, str]) -> list[dict[str, Any]]:
    """Which indexes answered, and why others did not."""
    return [
        {"model": version.model, "version": version.version, "digest": version.digest, "answered": version.digest not in problems}
        | ({"reason": problems[version.digest]} if version.digest in problems else {})
        for version in versions
    ]
