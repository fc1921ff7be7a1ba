"""Back-off: soon, then later, never later than half a minute; being well is rewarded."""

from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.serving.restart import LONGEST_PAUSE, WELL_AFTER, Crashes


def test_the_first_start_waits_for_nothing() -> None:
    assert Crashes().start_at == 0.0
    assert Crashes().reason == ""


def test_pauses_double_up_to_half_a_minute() -> None:
    crashes, pauses = Crashes(), []
    for _ in range(10):
        crashes = crashes.ended(now=100.0, up=0.1)
        pauses.append(crashes.pause)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]


def test_it_is_called_a_loop_from_the_third_crash_on() -> None:
    crashes, reasons = Crashes(), []
    for _ in range(4):
        crashes = crashes.ended(now=0.0, up=1.0)
        reasons.append(crashes.reason)
    assert reasons == ["Restarting", "Restarting", "CrashLoopBackOff", "CrashLoopBackOff"]


def test_a_minute_of_health_makes_good() -> None:
    crashes = Crashes(count=20, last=0.0).ended(now=500.0, up=WELL_AFTER)
    assert (crashes.count, crashes.start_at) == (1, 500.2)


@given(st.lists(st.tuples(st.floats(0.001, 1e6), st.floats(0, 1e6)), max_size=100))
def test_a_pause_is_never_negative_never_too_long_and_never_shrinks_without_health(ends: list[tuple[float, float]]) -> None:
    crashes, now = Crashes(), 0.0
    for later, up in ends:
        now += later
        following = crashes.ended(now, up)
        assert 0.2 <= following.pause <= LONGEST_PAUSE
        assert following.start_at > now
        assert up >= WELL_AFTER or following.pause >= crashes.pause
        crashes = following
