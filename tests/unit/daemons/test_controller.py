"""Pass after pass, with rests in between, until it is to stop."""

import pytest

from lykeion.daemons import controller
from lykeion.daemons.controller import control
from lykeion.testing.children import FakeChildren


class Watch:
    """`time.monotonic` of the controller, moved by what a test says takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch(monkeypatch) -> Watch:
    found = Watch()
    monkeypatch.setattr(controller, "monotonic", found)
    return found


class Slow:
    def __init__(self, watch: Watch, seconds: float, pause: float | None = None) -> None:
        self.watch, self.seconds, self.pause, self.began = watch, seconds, pause, []
        self.settled = 0

    def pass_(self) -> float | None:
        self.began.append(self.watch.now)
        self.watch.now += self.seconds
        return self.pause

    def settle(self) -> None:
        self.settled += 1


def waits(watch: Watch, asked: list[float], returns_after: float | None = None) -> FakeChildren:
    def pass_time(seconds: float) -> None:
        asked.append(seconds)
        watch.now += seconds if returns_after is None else min(seconds, returns_after)

    return FakeChildren(pass_time)


def passes(part: Slow, children: FakeChildren, count: int) -> None:
    control(lambda: [part], children, lambda: len(part.began) >= count)


def test_it_ends_without_a_pass_where_it_is_done_already(watch):
    part = Slow(watch, 0)
    control(lambda: [part], waits(watch, []), lambda: True)
    assert part.began == []


def test_it_waits_as_long_as_the_most_impatient_part_says_and_no_longer_than_a_second(watch):
    asked: list[float] = []
    parts = [Slow(watch, 0, 0.3), Slow(watch, 0, 7.0), Slow(watch, 0, None)]
    control(lambda: parts, waits(watch, asked), lambda: len(parts[0].began) >= 2)
    assert asked == [0.3]
    asked.clear()
    passes(Slow(watch, 0, None), waits(watch, asked), 2)
    assert asked == [1.0]


def test_after_a_long_pass_it_rests_five_times_as_long_though_the_engine_wakes_it(watch):
    part = Slow(watch, 0.1, 0.0)
    passes(part, waits(watch, [], returns_after=0.01), 3)
    gaps = [after - before - 0.1 for before, after in zip(part.began, part.began[1:], strict=False)]
    assert all(gap == pytest.approx(0.5, abs=0.02) for gap in gaps)


def test_a_very_long_pass_does_not_keep_what_ended_waiting(watch):
    part = Slow(watch, 60, 0.0)
    passes(part, waits(watch, [], returns_after=0.01), 2)
    assert part.began[1] - part.began[0] <= 61.1


def test_a_rest_is_cut_short_when_it_is_to_stop(watch):
    asked: list[float] = []
    part = Slow(watch, 0.2, 0.0)
    control(lambda: [part], waits(watch, asked, returns_after=0.01), lambda: len(asked) >= 3)
    assert len(asked) == 3


def test_parts_may_come_later(watch):
    first, second = Slow(watch, 0, 0.1), Slow(watch, 0, 0.1)
    control(lambda: [first, second] if len(first.began) > 2 else [first], waits(watch, []), lambda: len(second.began) >= 1)
    assert len(first.began) == 4


def test_every_part_settles_once_however_the_loop_ends(watch):
    part = Slow(watch, 0)
    passes(part, waits(watch, []), 2)
    assert part.settled == 1

    def interrupted() -> bool:
        if part.began[2:]:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        control(lambda: [part], waits(watch, []), interrupted)
    assert part.settled == 2
