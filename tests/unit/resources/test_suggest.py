"""The name that was probably meant is found; one that was not is not made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.resources.suggest import did_you_mean, nearest

FIELDS = ["name", "component", "image", "command", "with", "inputs", "parallelism", "resources", "retry", "timeout", "cache", "env"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("componet", "component"),
        ("Component", "component"),
        ("paralelism", "parallelism"),
        ("nmae", "name"),
        ("input", "inputs"),
        ("with_", "with"),
        ("time-out", "timeout"),
        ("resource", "resources"),
        ("evn", "env"),
        ("zzz", None),
        ("x", None),
        ("", None),
        (5, None),
        (None, None),
    ],
)
def test_the_nearest_name_is_found(written, meant):
    assert nearest(written, FIELDS) == meant


def test_where_nothing_is_near_what_there_is_is_shown():
    assert did_you_mean("zzz", ["b", "a"], "its inputs are") == "its inputs are: a, b"
    assert did_you_mean("zzz", [], "its inputs are") == "its inputs are: nothing"
    assert did_you_mean("zzz", [f"name{i}" for i in range(20)]).endswith("and 12 more")


@given(st.sampled_from(FIELDS), st.data())
def test_one_slip_in_a_long_name_is_always_seen_through(name, data):
    if len(name) < 5:
        return
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("qxz"))
    for slip in (name[:at] + name[at + 1 :], name[:at] + letter + name[at:], name[:at] + letter + name[at + 1 :]):
        assert nearest(slip, FIELDS) == name


@given(st.text(max_size=10), st.lists(st.text(min_size=1, max_size=10), max_size=6))
def test_a_suggestion_is_always_one_of_the_names(written, names):
    assert nearest(written, names) in (None, *names)
