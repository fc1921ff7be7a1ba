"""The same picture listed by several items: shown once, as a plain loop over pairs would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.search.collapse import EXACT, collapsed
from lykeion.core.search.merge import ItemHit
from lykeion.servers.answers import Gathered, first_depth, items_of, next_depth
from lykeion.servers.question import Paging

# Few directions, well apart from one another in half steps: what is alike and what is not never hangs on a rounding.
DIRECTIONS = [
    np.array(one, np.float64) / np.linalg.norm(one) for one in ([1, 0, 0], [1, 0.1, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0.5], [1, 1, 1])
]


def half(direction: int) -> bytes:
    return DIRECTIONS[direction].astype("<f2").tobytes()


HITS = st.lists(st.tuples(st.integers(0, len(DIRECTIONS) - 1), st.integers(0, 8)), max_size=25).map(
    lambda given_hits: [
        ItemHit(f"i{place:02d}", 1 - place / 100, f"{picture:064d}", vector=half(direction))
        for place, (direction, picture) in enumerate(given_hits)
    ]
)


def naive(hits: list[ItemHit], alike: float) -> list[tuple[str, list[str]]]:
    shown: list[tuple[ItemHit, list[ItemHit]]] = []
    for hit in hits:
        vector = np.frombuffer(hit.vector, "<f2").astype(np.float64)
        same = [pair for pair in shown if hit.picture in {one.picture for one in (pair[0], *pair[1])}]
        near = [(float(np.frombuffer(pair[0].vector, "<f2").astype(np.float64) @ vector), -place) for place, pair in enumerate(shown)]
        if same:
            same[0][1].append(hit)
        elif near and max(near)[0] >= min(alike, EXACT):
            shown[-max(near)[1]][1].append(hit)
        else:
            shown.append((hit, []))
    return [(hit.id, [one.id for one in others]) for hit, others in shown]


@given(HITS, st.sampled_from([0.5, 0.8, 0.9, 0.98, 1.0]))
def test_it_is_what_a_plain_loop_finds(hits: list[ItemHit], alike: float) -> None:
    assert [(hit.id, list(hit.duplicates)) for hit in collapsed(hits, alike)] == naive(hits, alike)


@given(HITS, st.sampled_from([0.8, 0.98]))
def test_no_item_is_lost_or_told_twice_and_the_order_stays(hits: list[ItemHit], alike: float) -> None:
    found = collapsed(hits, alike)
    assert sorted(one for hit in found for one in (hit.id, *hit.duplicates)) == sorted(hit.id for hit in hits)
    assert [hit.id for hit in found] == sorted(hit.id for hit in found)


@given(HITS, st.integers(0, 25), st.sampled_from([0.8, 0.98]))
def test_what_is_shown_first_does_not_depend_on_how_deep_was_searched(hits: list[ItemHit], deep: int, alike: float) -> None:
    some, all_ = [hit.id for hit in collapsed(hits[:deep], alike)], [hit.id for hit in collapsed(hits, alike)]
    assert all_[: len(some)] == some


def of_copies(copies: int, different: int) -> list[ItemHit]:
    """So many items with one picture, then items of their own."""
    basis = np.eye(different + 1, dtype="<f2")
    same = [ItemHit(f"a{place:04d}", 0.9, "ab" * 32, vector=basis[0].tobytes()) for place in range(copies)]
    return same + [ItemHit(f"b{place:04d}", 0.8, f"{place:064d}", vector=basis[place + 1].tobytes()) for place in range(different)]


@pytest.mark.parametrize("copies", [1, 5, 40, 300])
def test_a_page_is_filled_however_many_items_become_one(copies: int) -> None:
    hits, paging = of_copies(copies, 30), Paging(10, collapse=0.98)
    deep: int | None = first_depth(paging, None)
    asked = []
    while deep is not None:
        asked.append(deep)
        gathered = Gathered([hits[:deep]])
        deep = next_depth(gathered, paging, None, deep)
    items, following = items_of(gathered, paging)
    assert [item["id"] for item in items] == ["a0000", *(f"b{place:04d}" for place in range(9))]
    assert len(items[0]["duplicates"]) == min(copies, asked[-1]) - 1
    assert following is not None
    assert len(asked) <= 4


def test_it_is_not_searched_deeper_where_there_is_no_more_or_nobody_asked_for_it() -> None:
    hits = of_copies(5, 0)
    assert next_depth(Gathered([hits]), Paging(10, collapse=0.98), None, 11) is None
    assert next_depth(Gathered([hits[:3]]), Paging(2), None, 3) is None
    assert next_depth(Gathered([hits[:3], hits[:1]]), Paging(2, collapse=0.98), None, 3) == 12
    assert "duplicates" not in items_of(Gathered([hits]), Paging(2))[0][0]
