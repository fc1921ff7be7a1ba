"""Several answers become one: against the naive way, for any answers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.search.merge import MOST_ITEMS, ItemHit, check_k, depth, merge, next_token, offset_of, page
from lykeion.errors import Invalid

HITS = st.builds(
    ItemHit, st.sampled_from("abcdefgh"), st.floats(-1, 1).map(lambda score: round(score, 1)), st.sampled_from(["p", "q", "r"])
)
ANSWERS = st.lists(st.lists(HITS, max_size=12), max_size=6)


@given(ANSWERS, st.integers(1, 12))
def test_merging_is_sorting_everything_and_keeping_the_first_of_each_item(answers: list[list[ItemHit]], k: int) -> None:
    naive: list[ItemHit] = []
    for hit in sorted((hit for answer in answers for hit in answer), key=lambda hit: (-hit.score, hit.id, hit.picture)):
        if hit.id not in [seen.id for seen in naive]:
            naive.append(hit)
    assert merge(answers, k) == naive[:k]


@given(ANSWERS, st.randoms())
def test_it_does_not_matter_which_index_answers_first(answers: list[list[ItemHit]], random: object) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(shuffled, 5) == merge(answers, 5)


@given(ANSWERS, st.integers(1, 8))
def test_merging_in_two_stages_is_merging_at_once(answers: list[list[ItemHit]], k: int) -> None:
    half = len(answers) // 2
    assert merge([merge(answers[:half], k), merge(answers[half:], k)], k) == merge(answers, k)


@given(st.integers(0, 300), st.integers(1, 40))
def test_pages_follow_each_other_without_gap_or_overlap(total: int, k: int) -> None:
    everything = [ItemHit(f"{number:04d}", -float(number)) for number in range(total)]
    seen: list[ItemHit] = []
    offset, token = 0, ""
    while token is not None:
        offset = offset_of(token)
        found, token = page(everything[: depth(offset, k)], offset, k)  # type: ignore[assignment]
        seen.extend(found)
    assert seen == everything


def test_pages_end_at_the_last_item_that_can_be_asked_for() -> None:
    everything = [ItemHit(f"{number:05d}", -float(number)) for number in range(5000)]
    offset, pages = 0, 0
    while True:
        found, token = page(everything[: depth(offset, 400)], offset, 400)
        pages += 1
        if token is None:
            break
        offset = offset_of(token)
    assert pages == 3
    assert found[-1].id == f"{MOST_ITEMS - 1:05d}"


@given(st.integers(0, MOST_ITEMS - 1))
def test_a_token_means_its_place(offset: int) -> None:
    assert offset_of(next_token(offset)) == offset


@pytest.mark.parametrize("token", ["x", "%%%", "MS4tMQ", "Mi4xMA", "é", next_token(MOST_ITEMS), next_token(10**30), "MS4xMA" * 100])
def test_a_token_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(Invalid, match="no page of a search"):
        offset_of(token)


@given(st.text())
def test_no_token_makes_it_fail_otherwise(token: str) -> None:
    with suppress(Invalid):
        assert 0 <= offset_of(token) < MOST_ITEMS


@pytest.mark.parametrize("k", [0, -3, 1001])
def test_k_out_of_bounds_is_refused_with_the_bounds(k: int) -> None:
    with pytest.raises(Invalid, match=f"k is {k}.*1 to 1000"):
        check_k(k)


def test_k_within_bounds_is_itself() -> None:
    assert [check_k(k) for k in (1, 10, 1000)] == [1, 10, 1000]
