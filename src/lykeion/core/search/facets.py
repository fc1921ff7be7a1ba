"""What the items of an index have in each field: how many of each value, or from where to where; and the same of several indexes.

A field with many values (titles) is named without them. Counts of several indexes are added: an item that is in two of them counts in
each, and a value that is among an index's rarest counts to `other` there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from lykeion.core.search.filters import Kind

MOST_VALUES = 50  # that are told one by one
MOST_DISTINCT = 1000  # values of a field that are counted at all
ALWAYS = 20  # values that are told however few items there are


class Facet(BaseModel):
    """One field. `values`: value -> items, most first, and `other` items with a value that is not told; None where they are too many.

    `least`, `most`: of numbers, and of times (RFC 3339).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Kind
    values: dict[str, int] | None = None
    other: int = 0
    least: float | str | None = None
    most: float | str | None = None


def counted(name: str, kind: Kind, values: Iterable[tuple[str, int]], items: int, other: int = 0) -> Facet:
    """Of values, each with its items. A field in which nearly every item differs says nothing by its values."""
    counts = sorted(values, key=lambda one: (-one[1], one[0]))
    if len(counts) > max(ALWAYS, min(MOST_DISTINCT, items // 2)):
        return Facet(name=name, kind=kind)
    return Facet(name=name, kind=kind, values=dict(counts[:MOST_VALUES]), other=other + sum(many for _, many in counts[MOST_VALUES:]))


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
    if len(facets) == 1:
        return first
    bare = Facet(name=first.name, kind=first.kind)
    if any(facet.kind != first.kind for facet in facets):
        return bare
    if first.kind in ("number", "time"):
        ends = [end for facet in facets for end in (facet.least, facet.most) if end is not None]
        return bare.model_copy(update={"least": min(ends), "most": max(ends)}) if ends else bare
    if any(facet.values is None for facet in facets):
        return bare
    counts: Counter[str] = Counter()
    for facet in facets:
        counts.update(facet.values or {})
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(facet.other for facet in facets) + sum(many for _, many in ranked[MOST_VALUES:])
    return bare.model_copy(update={"values": dict(ranked[:MOST_VALUES]), "other": rest})
