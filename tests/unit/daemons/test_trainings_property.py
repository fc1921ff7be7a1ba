"""Whatever happens in whatever order, every Training comes to its end, the end stays, and nothing is left running."""

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from lykeion.core.resources.training import OVER
from lykeion.errors import Conflict, NotFound, Unavailable
from lykeion.testing.builders import pipeline
from lykeion.testing.clock import FakeClock
from lykeion.testing.resources import FakeResources

NAMES = ("one", "two")
DIAMOND = pipeline(
    {"name": "a"},
    {"name": "b", "inputs": {"x": "a.out"}, "retry": {"limit": 1}},
    {"name": "c", "inputs": {"x": "a.out"}},
    {"name": "d", "inputs": {"x": "b.out", "y": "c.out"}},
    name="diamond",
)
HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([0.01, 0.6])),
        st.tuples(st.sampled_from(["end", "fail", "lose", "progress"]), st.integers(0, 7)),
        st.tuples(st.sampled_from(["create", "cancel", "delete", "label"]), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(["new controller", "new engine", "full disk", "conflict"]), st.none()),
    ),
    max_size=40,
)


class Contested(FakeResources):
    """Resources of which some writes are refused."""

    refusals: list[Exception]

    def write_status(self, resource):
        if self.refusals:
            raise self.refusals.pop()
        return super().write_status(resource)


@pytest.fixture
def make_shop(request):
    """A shop for each example, since a fixture is made once for all."""
    shop_of = request.getfixturevalue("shop_class")

    def made():
        resources = Contested(clock := FakeClock())
        resources.refusals = []
        return shop_of(resources, clock)

    return made


def happen(shop, what: str, how) -> None:
    children = sorted(name for name, child in shop.children.children.items() if child.phase in ("Pending", "Running"))
    picked = children[how % len(children)] if isinstance(how, int) and children else None
    match what:
        case "pass":
            shop.passes(seconds=how)
        case "end" if picked:
            shop.finish(picked)
        case "progress" if picked:
            shop.children.becomes(picked, phase="Running", done=how, total=7)
        case "fail" if picked:
            shop.children.becomes(picked, phase="Failed", reason="Error", message="it broke", finished=shop.clock.now())
        case "lose" if picked:
            shop.children.becomes(picked, phase="Failed", reason="Lost", message="lost", finished=shop.clock.now())
        case "new controller" | "new engine":  # a controller that dies takes its engine with it
            shop.loop = shop.new_loop() if what == "new controller" else shop.loop
            shop.children.wanted.clear()
            shop.children.children.clear()
        case "full disk":
            shop.resources.refusals.append(Unavailable("the disk is full"))
        case "conflict":
            shop.resources.refusals.append(Conflict("changed meanwhile"))
        case "create" | "cancel" | "delete" | "label":
            ask(shop, what, how)


def ask(shop, what: str, name: str) -> None:
    """What a person does; where it cannot be done, nothing happens."""
    try:
        if what == "create":
            shop.create(name, of=DIAMOND)
            return
        there = shop.training(name)
    except (NotFound, Conflict):
        return
    if what == "delete":
        shop.resources.delete("Training", name)
    elif what == "cancel":
        shop.resources.apply(there.model_copy(update={"spec": there.spec.model_copy(update={"state": "Cancelled"})}))
    else:
        shop.resources.apply(
            there.model_copy(update={"metadata": there.metadata.model_copy(update={"labels": {"n": str(shop.resources.writes)}})})
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=500)
@given(HAPPENINGS)
def test_whatever_happens_every_training_ends_once_and_nothing_is_left(make_shop, happenings):
    shop = make_shop()
    ends: dict[str, tuple[str, object]] = {}
    for what, how in happenings:
        happen(shop, what, how)
        for training in shop.resources.list("Training"):
            uid, phase = training.metadata.uid, training.status.phase
            if uid in ends:
                assert (phase, training.status.finished_at) == ends[uid], "an end that was written stays as it is"
            elif phase in OVER:
                ends[uid] = (phase, training.status.finished_at)
    for _ in range(3):
        shop.finish_all(12)
        shop.clock.advance(10)
    assert shop.children.wanted == {}
    for training in shop.resources.list("Training"):
        assert training.status.phase in OVER
        event(training.status.phase)
        if training.status.phase == "Succeeded":
            assert {step.phase for step in training.status.steps} <= {"Succeeded", "Cached"}
        if training.status.phase == "Failed":
            assert any(step.phase == "Failed" for step in training.status.steps)
        if training.status.phase == "Cancelled":
            assert training.spec.state == "Cancelled"
