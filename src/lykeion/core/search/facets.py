"""What the items of an index have in each field: how many of each value, how many numbers lie where; and the same of several indexes.

Texts and flags are counted by value, numbers by ranges whose bounds do not depend on the data, so what several indexes counted is added
up and never estimated; only then the rarest values are put together and a field in which nearly every item differs (titles) is named
without its values. An item that is in two indexes counts in each.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from lykeion.core.search.filters import Kind

MOST_VALUES = 50  # that are told one by one
MOST_DISTINCT = 1000  # values of a field that are counted at all
ALWAYS = 20  # values that are told however few items there are
LONGEST_VALUE = 100  # characters; what is longer is prose
FIRST = ("category", "status", "price")  # fields that listings have: told first, and always with their values
STEPS = [float(digit * 10**power) for power in range(8) for digit in (1, 2, 5)]
EDGES = [*(-step for step in reversed(STEPS)), 0.0, *STEPS]
"""Where ranges of numbers begin: … -2, -1, 0, 1, 2, 5, 10, 20 …; the first has all that is smaller, too."""


class Facet(BaseModel):
    """One field. `values`: value -> items; None where they are too many. `other`: items with what no filter can name, as an empty text.

    `ranges`: of numbers, where a range begins -> items. `least`, `most`: of numbers (decimals as text), and of times (RFC 3339).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Kind
    values: dict[str, int] | None = None
    other: int = 0
    ranges: dict[float, int] = {}
    least: int | float | str | None = None
    most: int | float | str | None = None


def range_of(number: float) -> float:
    """Where the range begins that a number is in."""
    return EDGES[max(0, bisect_right(EDGES, number) - 1)]


def counted(name: str, kind: Kind, values: Mapping[str, int], other: int = 0) -> Facet:
    """Of values, each with its items."""
    if len(values) > MOST_DISTINCT:
        return Facet(name=name, kind=kind)
    good = {value: items for value, items in sorted(values.items()) if is_askable(value)}
    return Facet(name=name, kind=kind, values=good, other=other + sum(values.values()) - sum(good.values()))


def is_askable(value: str) -> bool:
    """Whether a filter can name it: spaces around a value are not part of it there."""
    return 0 < len(value) <= LONGEST_VALUE and value == value.strip()


def together(facets: Iterable[Sequence[Facet]]) -> list[Facet]:
    """The facets of several indexes as one's: each field once, in the order in which they first come."""
    found: dict[str, list[Facet]] = {}
    for one in facets:
        for facet in one:
            found.setdefault(facet.name, []).append(facet)
    return [one_of(each) for each in found.values()]


def one_of(facets: Sequence[Facet]) -> Facet:
    """Of one field in several indexes. Where its kind is not the same in all, nothing but the first one's is told."""
    first = facets[0]
    bare = Facet(name=first.name, kind=first.kind)
    if any(facet.kind != first.kind for facet in facets):
        return bare
    if first.kind in ("number", "time"):
        ends = [end for facet in facets for end in (facet.least, facet.most) if end is not None]
        order: Callable[[float | str], Any] = Decimal if first.kind == "number" else moment_of
        ranges = added(facet.ranges for facet in facets)
        least, most = (end_of(ends, default=None, key=order) for end_of in (min, max))
        return bare.model_copy(update={"ranges": ranges, "least": least, "most": most})
    known = [facet.values for facet in facets if facet.values is not None]
    if len(known) < len(facets):
        return bare
    return counted(first.name, first.kind, added(known), sum(facet.other for facet in facets))


def moment_of(end: float | str) -> datetime:
    """A time, or the beginning of a day."""
    found = datetime.fromisoformat(str(end))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def added(counts: Iterable[Mapping[Any, int]]) -> dict[Any, int]:
    total: Counter[Any] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def told(facets: Iterable[Facet]) -> list[dict[str, Any]]:
    """As they are shown: the fields of every listing first, then in their order; the most frequent values first."""
    return [shown(facet) for facet in sorted(facets, key=lambda facet: FIRST.index(facet.name) if facet.name in FIRST else len(FIRST))]


def shown(facet: Facet) -> dict[str, Any]:
    said: dict[str, Any] = {"name": facet.name, "kind": facet.kind}
    if facet.values and not is_different_everywhere(facet.name, facet.values):
        ranked = sorted(facet.values.items(), key=lambda one: (-one[1], one[0]))
        said["values"] = [{"value": value, "items": items} for value, items in ranked[:MOST_VALUES]]
        said["other"] = facet.other + sum(items for _, items in ranked[MOST_VALUES:])
    if facet.least is not None:
        said |= {"least": facet.least, "most": facet.most}
    if facet.ranges:
        after = dict(zip(EDGES, [*EDGES[1:], None], strict=True))
        said["ranges"] = [
            {"from": None if start == EDGES[0] else start, "under": after[start], "items": items}
            for start, items in sorted(facet.ranges.items())
        ]
    return said


def is_different_everywhere(name: str, values: Mapping[str, int]) -> bool:
    """Whether hardly two items share a value."""
    return name not in FIRST and len(values) > max(ALWAYS, sum(values.values()) // 2)
