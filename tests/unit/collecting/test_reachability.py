"""What may go: nothing that anything refers to, whatever the mix of runs, ages and names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.pipelines.reachability import Keep, References, Run, Thing, referred_to, runs_kept, why_kept

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=100)
KEEP = Keep(recent=2, age=timedelta(days=30), rubbish=timedelta(days=1))


def thing(kind: str, name: str = "a", **more: object) -> Thing:
    return Thing(**{"kind": kind, "name": name, "path": f"x/{name}", "size": 1, "touched": OLD, **more})


def run(name: str, days: float | None, pipeline: str = "p", **more: object) -> Run:
    return Run(name, pipeline, None if days is None else NOW - timedelta(days=days), **more)


def test_of_each_pipeline_the_newest_runs_are_kept_and_the_young_the_pinned_and_those_under_way() -> None:
    runs = [
        *(run(f"old-{days}", days) for days in (50, 60, 70, 80)),
        run("pinned", 300, pinned=True),
        run("going", None),
        run("other", 90, "q"),
    ]
    assert {one.name for one in runs_kept(runs, KEEP, NOW)} == {"old-50", "old-60", "pinned", "going", "other"}
    young = [run(f"young-{days}", days) for days in (1, 2, 3, 29)]
    assert len(runs_kept(young, KEEP, NOW)) == 4


def test_an_old_output_that_nothing_refers_to_goes() -> None:
    assert why_kept(thing("output"), References(), KEEP, NOW) == ""
    assert why_kept(thing("output", touched=NOW), References(), KEEP, NOW) == "young"


@pytest.mark.parametrize("kind", ["output", "partial"])
def test_what_a_kept_run_or_a_version_was_made_of_stays(kind: str) -> None:
    refs = referred_to([run("r", 50, keys=frozenset({"a"}))], ["b"], KEEP, NOW)
    assert [bool(why_kept(thing(kind, name), refs, KEEP, NOW)) for name in ("a", "b", "c")] == [True, True, False]


def test_a_run_under_way_keeps_every_output_of_a_step_with_its_steps_names() -> None:
    """It may find any of them by a key that it has not worked out yet."""
    refs = referred_to([run("r", None, steps=frozenset({"index"}))], [], KEEP, NOW)
    assert why_kept(thing("output", step="index"), refs, KEEP, NOW)
    assert not why_kept(thing("output", step="other"), refs, KEEP, NOW)
    assert why_kept(thing("output", step=""), refs, KEEP, NOW)


def test_a_run_that_has_not_said_its_steps_keeps_all_outputs() -> None:
    refs = referred_to([run("r", None, planned=False)], [], KEEP, NOW)
    assert why_kept(thing("output", step="other"), refs, KEEP, NOW)


def test_an_unpacked_image_goes_when_it_was_not_used_for_long_and_nothing_runs() -> None:
    going = referred_to([run("r", None)], [], KEEP, NOW)
    assert why_kept(thing("root"), References(), KEEP, NOW) == ""
    assert why_kept(thing("root", touched=NOW), References(), KEEP, NOW) == "young"
    assert why_kept(thing("root"), going, KEEP, NOW)
    assert why_kept(thing("root", held=True), References(), KEEP, NOW) == "in use"


@pytest.mark.parametrize("kind", ["picture", "features", "extractor"])
def test_item_caches_are_left_alone_while_anything_runs_or_where_references_cannot_be_read(kind: str) -> None:
    assert why_kept(thing(kind), References(busy=True), KEEP, NOW)
    assert why_kept(thing(kind), References(pictures=None, extractors=None), KEEP, NOW)
    assert why_kept(thing(kind), References(pictures=frozenset("a"), extractors=frozenset("a")), KEEP, NOW)
    assert not why_kept(thing(kind), References(), KEEP, NOW)


def test_rubbish_goes_after_a_day_unless_somebody_holds_it() -> None:
    day_old = NOW - timedelta(days=1)
    assert not why_kept(thing("staging", touched=day_old), References(), KEEP, NOW)
    assert why_kept(thing("staging", touched=day_old, held=True), References(), KEEP, NOW) == "in use"
    assert why_kept(thing("corrupt", touched=NOW), References(), KEEP, NOW) == "young"


def test_mounts_and_logs_stay_while_what_they_belong_to_is_there() -> None:
    refs = References(versions=frozenset({"photos/1"}), owners=frozenset({"run"}))
    assert why_kept(thing("mount", "photos/1"), refs, KEEP, NOW)
    assert not why_kept(thing("mount", "photos/2"), refs, KEEP, NOW)
    assert why_kept(thing("log", "run"), refs, KEEP, NOW)
    assert not why_kept(thing("log", "gone"), refs, KEEP, NOW)


NAMES = st.sampled_from("abcd")
RUNS = st.lists(
    st.builds(
        Run,
        name=NAMES,
        pipeline=st.sampled_from("pq"),
        ended=st.none() | st.integers(0, 200).map(lambda days: NOW - timedelta(days=days)),
        keys=st.frozensets(NAMES),
        steps=st.frozensets(NAMES),
        pinned=st.booleans(),
    ),
    max_size=8,
)


@given(RUNS, st.frozensets(NAMES), NAMES, NAMES, st.integers(0, 200), st.integers(0, 5), st.integers(0, 100))
def test_what_goes_is_referred_to_by_nothing(
    runs: list[Run], published: frozenset[str], key: str, step: str, days: int, recent: int, age: int
) -> None:
    """Against the rules written out one by one."""
    keep = Keep(recent, timedelta(days=age), timedelta(days=1))
    found = why_kept(
        thing("output", key, step=step, touched=NOW - timedelta(days=days)), referred_to(runs, published, keep, NOW), keep, NOW
    )
    going = [one for one in runs if one.ended is None]
    if not found:
        assert key not in published
        assert days >= age
        assert not any(step in one.steps or key in one.keys for one in going)
        assert not any(key in one.keys for one in runs if one.pinned)
        assert not any(key in one.keys and NOW - one.ended < keep.age for one in runs if one.ended)
        for pipeline in "pq":
            ended = sorted(
                (one for one in runs if one.ended and not one.pinned and one.pipeline == pipeline), key=lambda one: one.ended, reverse=True
            )
            assert not any(key in one.keys for one in ended[:recent])
    else:
        assert days < age or key in published or any(key in one.keys or step in one.steps for one in runs)


@given(RUNS, st.integers(0, 5), st.integers(0, 100))
def test_keeping_more_never_frees_more(runs: list[Run], recent: int, age: int) -> None:
    less, more = Keep(recent, timedelta(days=age)), Keep(recent + 1, timedelta(days=age + 10))
    assert referred_to(runs, [], less, NOW).keys <= referred_to(runs, [], more, NOW).keys
