"""From what workers say to what is said of all of them."""

from hypothesis import given
from hypothesis import strategies as st

from lykeion.servers.worker_reports import (
    LONGEST_PAUSE,
    SOUND,
    Report,
    Told,
    agreed,
    decode,
    encode,
    ends_in_a_row,
    pause,
    readiness,
)

UP = Report(True, "", "unix:/a", {"load": "1"})
OTHER = Report(True, "", "unix:/b", {"load": "2"})


def test_nobody_is_not_ready_and_agrees_on_nothing():
    found = readiness([], 2, False)
    assert (found.ready, dict(found.acknowledged), found.reason) == (False, {}, "0 of 2 workers are ready: starting")


def test_one_worker_is_enough_to_be_ready_and_the_rest_is_told():
    found = readiness([UP, Report(reason="loading")], 2, False)
    assert (found.ready, found.addresses, found.reason) == (True, ("unix:/a",), "1 of 2 workers are ready: loading")


def test_what_not_every_living_worker_has_applied_is_not_acknowledged():
    assert readiness([UP, OTHER], 2, False).acknowledged == {}
    assert readiness([UP, Report()], 2, False).acknowledged == {}
    assert readiness([UP, UP], 2, False).acknowledged == {"load": "1"}


def test_who_drains_takes_nothing_on():
    found = readiness([UP], 1, True)
    assert (found.ready, found.addresses, found.reason) == (False, (), "draining")


def test_why_workers_do_not_stay_up_is_told():
    assert "CrashLoopBackOff" in readiness([], 1, False, "CrashLoopBackOff: see the log").reason


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")), max_size=4))
def test_agreement_is_what_stands_in_all(given_dictionaries):
    expected = {}
    for name in "abc":
        values = [one.get(name) for one in given_dictionaries]
        if values and None not in values and len(set(values)) == 1:
            expected[name] = values[0]
    assert agreed(given_dictionaries) == expected


@given(st.integers(1, 10_000))
def test_pauses_grow_and_have_an_end(ends):
    assert 0 < pause(ends) <= pause(ends + 1) <= LONGEST_PAUSE


def test_a_worker_that_lived_long_starts_anew_at_once():
    assert ends_in_a_row(7, SOUND) == 1
    assert ends_in_a_row(7, SOUND / 2) == 8
    assert pause(1) < 0.2


def test_messages_come_out_as_they_went_in():
    for message in (Told(report=UP), Told(families=[["a", "counter", "", [["a_total", {}, 1.0]]]])):
        assert decode(encode(message)) == message
