"""Several answers become one: the best picture of each item, the best items first, one page of them.

Ties are broken by the item's id, so that the answer does not depend on which index answered first.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lykeion.errors import Invalid, Problem

MOST_ITEMS = 1000  # how far down a search can be paged


@dataclass(frozen=True, slots=True)
class ItemHit:
    """An item that was found. `score`: the cosine of its best picture, `picture`: the hex digest of that one, `fields`: its attributes.

    `vector`: that picture's, half precision, where it was asked for; `duplicates`: items that it stands for, too (see `collapse`).
    """

    id: str
    score: float
    picture: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    vector: bytes = field(default=b"", repr=False)
    duplicates: tuple[str, ...] = ()


def merge(answers: Iterable[Sequence[ItemHit]], k: int) -> list[ItemHit]:
    """The best k items of several answers, each item once, with its best picture. Best first."""
    best: dict[str, ItemHit] = {}
    for answer in answers:
        for hit in answer:
            known = best.get(hit.id)
            if known is None or rank(hit) < rank(known):
                best[hit.id] = hit
    return sorted(best.values(), key=rank)[:k]


def rank(hit: ItemHit) -> tuple[float, str, str]:
    """Smaller is better."""
    return (-hit.score, hit.id, hit.picture)


def page(hits: Sequence[ItemHit], offset: int, k: int) -> tuple[list[ItemHit], str | None]:
    """Of hits that were searched `depth(offset, k)` deep: one page, and the token of the next one where there is more."""
    end = offset + k
    more = len(hits) > end and end < MOST_ITEMS
    return list(hits[offset:end]), next_token(end) if more else None


def depth(offset: int, k: int) -> int:
    """How many items to search for, to fill the page and know whether there is another."""
    return min(offset + k + 1, MOST_ITEMS)


def next_token(offset: int) -> str:
    """What a client sends back to get the page that starts at `offset`: opaque to it."""
    return base64.urlsafe_b64encode(f"1.{offset}".encode()).decode().rstrip("=")


def offset_of(token: str) -> int:
    """The inverse of `next_token`; "" is the first page. Raises Invalid."""
    if not token:
        return 0
    try:
        version, _, offset = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(".")
        if version != "1" or not offset.isascii() or not offset.isdigit() or int(offset) >= MOST_ITEMS:
            raise ValueError(offset)
        return int(offset)
    except (ValueError, binascii.Error):
        raise Invalid(
            [Problem("this is no page of a search", "next", token[:100], remedy="send `next` as the last answer gave it")]
        ) from None


def check_k(k: int, limit: int = MOST_ITEMS) -> int:
    """How many items were asked for. Raises Invalid unless 1 <= k <= limit."""
    if k < 1:
        raise Invalid([Problem(f"k is {k}: a search returns at least one item", "k", k, remedy=f"ask for 1 to {limit}")])
    if k > limit:
        raise Invalid(
            [
                Problem(
                    f"k is {k}: a search returns at most {limit} items", "k", k, remedy=f"ask for 1 to {limit}; use `next` for more pages"
                )
            ]
        )
    return k
