"""Aliases are logs: compare-and-set, history and the way back, against a naive model."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.models.aliases import AliasMove, next_move, way_back
from lykeion.errors import Conflict, Invalid, NotFound
from lykeion.repository import Repository

MOVES = st.lists(st.one_of(st.integers(1, 4), st.just("back")), max_size=20)


def replay(moves: list[int | str], existing: set[int]) -> tuple[list[AliasMove], list[int]]:
    """A log made by moves, and beside it a naive stack of what the alias named."""
    log: list[AliasMove] = []
    stack: list[int] = []
    for move in moves:
        if move == "back":
            version = way_back(log, existing)
            assert version == (stack[-2] if len(stack) > 1 else None)
            if version is None:
                continue
            stack.pop()
        else:
            version = int(move)
        entry = next_move(log[-1] if log else None, version, reason="", at="", back=move == "back")
        if entry is None:
            continue
        log.append(entry)
        if move != "back":
            stack.append(version)
    return log, stack


@given(MOVES)
def test_going_back_undoes_the_last_move_that_was_not_undone(moves: list[int | str]) -> None:
    log, stack = replay(moves, {1, 2, 3, 4})
    assert [move.n for move in log] == list(range(1, len(log) + 1))
    assert all(after.previous == before.version for before, after in itertools.pairwise(log))
    assert (log[-1].version if log else 0) == (stack[-1] if stack else 0)


@given(MOVES, st.sets(st.integers(1, 4)))
def test_the_way_back_leads_to_a_version_that_exists_and_is_another(moves: list[int | str], existing: set[int]) -> None:
    log, stack = replay(moves, {1, 2, 3, 4})
    version = way_back(log, existing)
    candidates = [each for each in stack[:-1] if each in existing and each != stack[-1]]
    assert version == (candidates[-1] if candidates else None)


@given(st.integers(0, 3), st.integers(1, 3), st.integers(0, 3))
def test_a_move_that_expected_something_else_is_refused(now: int, to: int, expected: int) -> None:
    last = AliasMove(7, now, 0, "", "") if now else None
    if expected == now:
        assert (next_move(last, to, reason="", at="", expected=expected) is None) == (to == now)
    else:
        with pytest.raises(Conflict, match="look again"):
            next_move(last, to, reason="", at="", expected=expected)


@given(st.builds(AliasMove, st.integers(1), st.integers(0), st.integers(0), st.text(), st.text(), st.booleans()))
def test_an_entry_is_read_as_it_was_written(move: AliasMove) -> None:
    assert AliasMove.from_bytes(move.to_bytes()) == move


@pytest.fixture
def three(repository: Repository, folder) -> Repository:
    for n in (1, 2, 3):
        repository.publish("photos", folder({"a": b"%d" % n}, f"v{n}"))
    return repository


def test_an_alias_names_what_it_was_moved_to_last(three: Repository) -> None:
    assert three.alias("photos", "stable") is None
    for version in (1, 3, 2):
        three.move_alias("photos", "stable", version, reason=f"try {version}")
    assert three.alias("photos", "stable") == 2
    assert three.aliases("photos") == {"stable": 2}
    assert [(move.previous, move.version, move.reason) for move in three.history("photos", "stable")] == [
        (0, 1, "try 1"),
        (1, 3, "try 3"),
        (3, 2, "try 2"),
    ]


def test_moving_to_where_it_is_does_nothing(three: Repository) -> None:
    three.move_alias("photos", "stable", 1)
    entries = len(three.journal())
    assert three.move_alias("photos", "stable", 1) is None
    assert len(three.journal()) == entries


def test_a_move_is_made_only_from_where_it_was_expected(three: Repository) -> None:
    three.move_alias("photos", "stable", 1, expected=0)
    with pytest.raises(Conflict, match="names version 1, not nothing"):
        three.move_alias("photos", "stable", 2, expected=0)
    three.move_alias("photos", "stable", 2, expected=1)
    assert three.alias("photos", "stable") == 2


def test_rolling_back_twice_goes_back_two_moves(three: Repository) -> None:
    for version in (1, 2, 3):
        three.move_alias("photos", "stable", version)
    assert [three.rollback("photos", "stable") for _ in range(2)] == [2, 1]
    with pytest.raises(Conflict, match="no earlier version"):
        three.rollback("photos", "stable")
    assert three.history("photos", "stable")[-1].reason == "rolled back"


def test_rolling_back_passes_over_what_was_removed(three: Repository) -> None:
    for version in (1, 2, 3):
        three.move_alias("photos", "stable", version)
    three.remove("photos", 2)
    assert three.rollback("photos", "stable") == 1


def test_a_dropped_alias_names_nothing_but_keeps_its_history(three: Repository) -> None:
    three.move_alias("photos", "canary", 2)
    three.drop_alias("photos", "canary", "over")
    assert three.alias("photos", "canary") is None
    assert three.aliases("photos") == {}
    assert len(three.history("photos", "canary")) == 2
    with pytest.raises(NotFound):
        three.resolve("photos@canary")


def test_an_alias_cannot_name_what_is_not_there(three: Repository) -> None:
    with pytest.raises(NotFound, match="photos has no version 9; there are: 1, 2, 3"):
        three.move_alias("photos", "stable", 9)
    with pytest.raises(NotFound, match="did you mean photos"):
        three.move_alias("photo", "stable", 1)
    with pytest.raises(Invalid):
        three.move_alias("photos", "../stable", 1)


def test_the_journal_tells_what_happened_in_order(three: Repository) -> None:
    three.move_alias("photos", "stable", 2, reason="good")
    three.remove("photos", 1)
    told = three.journal()
    assert [entry["n"] for entry in told] == [1, 2, 3, 4, 5]
    assert [entry["kind"] for entry in told] == ["published"] * 3 + ["alias", "removed"]
    assert (told[3]["alias"], told[3]["version"], told[3]["previous"], told[3]["reason"]) == ("stable", 2, 0, "good")
    assert three.journal(3) == told[3:]
    assert three.journal(5) == []
    assert Repository(three.store).journal(2) == told[2:]
