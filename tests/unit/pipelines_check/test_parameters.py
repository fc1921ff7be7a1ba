"""What was given on a command line or in a Training becomes values of the declared types, or all of its problems."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.pipelines.parameters import fits, from_text, given_parameters
from lykeion.core.resources import Parameter, PipelineSpec, Step
from lykeion.errors import Invalid

SPEC = PipelineSpec(
    parameters={
        "listings": Parameter(type="uri", description="where the items are"),
        "family": Parameter(type="string", default="photos"),
        "size": Parameter(type="integer", default=4),
        "share": Parameter(type="number", default=0.5),
        "fast": Parameter(type="boolean", default=False),
    },
    steps=(Step(name="a", component="m:f"),),
)


def refusals(**given_values) -> list[str]:
    with pytest.raises(Invalid) as raised:
        given_parameters(SPEC, given_values)
    return [str(problem) for problem in raised.value.problems]


def test_defaults_fill_what_was_not_given():
    assert given_parameters(SPEC, {"listings": "x.csv"}) == {
        "listings": "x.csv",
        "family": "photos",
        "size": 4,
        "share": 0.5,
        "fast": False,
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("size", "12", 12),
        ("size", "-3", -3),
        ("size", " 7 ", 7),
        ("share", "2", 2),
        ("share", "1e-3", 0.001),
        ("share", ".5", 0.5),
        ("fast", "true", True),
        ("fast", "False", False),
        ("family", "12", "12"),
        ("family", "true", "true"),
        ("family", "", ""),
        ("family", "a=b", "a=b"),
    ],
)
def test_text_is_read_as_the_declared_type(name, text, value):
    read = given_parameters(SPEC, {"listings": "x", name: text})[name]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("size", "4.0", "must be a whole number, not the text '4.0'"),
        ("size", "", "must be a whole number, not the text ''"),
        ("size", "four", "must be a whole number"),
        ("size", "9" * 5000, "must be a whole number"),
        ("size", 4.5, "must be a whole number, not the number 4.5"),
        ("size", True, "must be a whole number, not true"),
        ("share", "nan", "must be a number"),
        ("share", "inf", "must be a number"),
        ("share", "1e999", "must be a number"),
        ("share", float("nan"), "must be a number"),
        ("share", "1_000", "must be a number"),
        ("fast", "yes", "must be true or false, not the text 'yes'"),
        ("fast", 1, "must be true or false"),
        ("family", 5, "must be text, not the number 5"),
        ("family", None, "must be text, not nothing"),
        ("listings", "", "must be a path or URI, not the text ''"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, value, says):
    (text,) = refusals(**{"listings": "x", name: value})
    assert text.startswith(f"parameters.{name}: {says}")
    assert len(text) < 200


def test_all_problems_come_at_once():
    assert refusals(famly="x", size="big", nonsense=1) == [
        "parameters.famly: the pipeline has no such parameter (did you mean 'family'?)",
        "parameters.nonsense: the pipeline has no such parameter (the pipeline's parameters are: family, fast, listings, share, size)",
        "parameters.listings: must be given, a path or URI: where the items are (-p listings=…, or parameters: {listings: …} in a Training)",
        "parameters.size: must be a whole number, not the text 'big'",
    ]


@given(st.integers(-(10**30), 10**30))
def test_every_integer_survives_its_text(number):
    assert from_text("integer", str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_survives_its_text(number):
    assert from_text("number", repr(number)) == number


@given(st.text(max_size=20), st.sampled_from(["integer", "number", "boolean"]))
def test_text_that_is_no_value_of_the_type_stays_text_and_does_not_fit(text, kind):
    read = from_text(kind, text)
    assert fits(kind, read) or read == text


def test_lists_and_mappings_fit_their_types():
    assert fits("list", [1])
    assert fits("list", (1,))
    assert fits("map", {"a": 1})
    assert not fits("list", "ab")
    assert not fits("map", [1])
