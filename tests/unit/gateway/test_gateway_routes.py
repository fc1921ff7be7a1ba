"""The table of routes, and the choice among its targets."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.servers.gateway_routes import Route, Target, candidates, match, parse, stride


def route(prefix: str, *targets: Target) -> Route:
    return Route(prefix, prefix, targets)


weights = st.lists(st.integers(0, 40), min_size=1, max_size=4)


def targets_of(given: list[int]) -> tuple[Target, ...]:
    return tuple(Target(f"s{n}", weight, (f"unix:/{n}",)) for n, weight in enumerate(given))


@settings(deadline=None)
@given(weights.filter(any), st.integers(0, 1000))
def test_over_a_whole_turn_each_target_is_first_exactly_as_often_as_it_weighs(given: list[int], start: int) -> None:
    made = route("/a", *targets_of(given))
    first = Counter(candidates(made, start + turn)[0] for turn in range(sum(given)))
    assert first == Counter({f"unix:/{n}": weight for n, weight in enumerate(given) if weight})


@settings(deadline=None)
@given(weights.filter(any), st.integers(0, 1000))
def test_no_address_is_tried_twice_and_every_ready_one_is_tried(given: list[int], turn: int) -> None:
    found = candidates(route("/a", *targets_of(given)), turn)
    assert sorted(found) == sorted(f"unix:/{n}" for n, weight in enumerate(given) if weight)


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_a_stride_visits_every_place(total: int) -> None:
    assert len({turn * stride(total) % total for turn in range(total)}) == total


def test_ninety_to_ten_is_spread_evenly() -> None:
    made = route("/a", Target("old", 90, ("o",)), Target("new", 10, ("n",)))
    places = [turn for turn in range(200) if candidates(made, turn)[0] == "n"]
    assert len(places) == 20
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert max(gaps) <= 20


def test_the_workers_of_a_target_take_turns() -> None:
    made = route("/a", Target("s", 100, ("a", "b", "c")))
    assert [candidates(made, turn)[0] for turn in range(6)] == ["a", "b", "c", "a", "b", "c"]
    assert candidates(made, 1) == ("b", "c", "a")


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=3))
def test_the_workers_of_every_target_take_turns_whatever_the_weights(counts: list[int]) -> None:
    made = route("/a", *(Target(f"s{n}", 30 + n, tuple(f"{n}.{w}" for w in range(count))) for n, count in enumerate(counts)))
    turns = sum(target.weight for target in made.targets) * 3
    first = Counter(candidates(made, turn)[0] for turn in range(turns))
    for target in made.targets:
        shares = [first[address] for address in target.addresses]
        assert max(shares) - min(shares) <= 1


def test_a_target_without_weight_or_workers_gets_nothing() -> None:
    made = route("/a", Target("off", 0, ("x",)), Target("dead", 50, ()), Target("on", 1, ("y",)))
    assert {candidates(made, turn) for turn in range(100)} == {("y",)}
    assert candidates(route("/a", Target("dead", 50, ())), 0) == ()


paths = st.lists(st.sampled_from(["a", "b", "ab", "v1"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


@settings(deadline=None)
@given(st.lists(paths, max_size=5, unique=True), paths)
def test_the_longest_prefix_of_whole_segments_takes_a_path(prefixes: list[str], path: str) -> None:
    routes = parse([{"name": prefix, "prefix": prefix, "targets": []} for prefix in prefixes])
    parts = [part for part in path.split("/") if part]

    def fits(prefix: str) -> bool:
        wanted = [part for part in prefix.split("/") if part]
        return parts[: len(wanted)] == wanted

    naive = sorted((prefix for prefix in prefixes if fits(prefix)), key=len)
    found = match(routes, path)
    assert (found.prefix if found else None) == (naive[-1] if naive else None)


def test_a_table_is_read_as_the_platform_writes_it() -> None:
    (made,) = parse([{"name": "photos", "prefix": "/v1/search/photos", "targets": [{"service": "photos", "addresses": ["unix:/s"]}]}])
    assert made == Route("photos", "/v1/search/photos", (Target("photos", 100, ("unix:/s",)),))


@pytest.mark.parametrize("raw", [None, 3, {}, "text", [{}], [{"name": "a", "prefix": "/a", "targets": [3]}], ["x"]])
def test_what_is_no_table_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r"table|route"):
        parse(raw)
