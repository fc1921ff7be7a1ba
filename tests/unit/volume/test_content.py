"""How values are written down: digests that do not depend on how, and JSON that everybody can read."""

import gc
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.content import DEEPEST, FileDigest, canonical, digest_of_files, digest_of_value, legible, read_json, strict

CLEAN = st.text(st.characters(codec="utf-8"), max_size=8)
ANY_TEXT = st.text(st.characters(), max_size=8)  # half surrogate pairs too


def values(texts, numbers):
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=10,
    )


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(values(CLEAN, FINITE))
def test_what_can_be_read_stays_as_it_is(value):
    assert legible(value) == value
    assert json.loads(strict(value)) == value


@given(values(ANY_TEXT, st.floats()))
def test_whatever_a_step_says_can_be_kept_and_shown(value):
    text = strict(legible(value))
    text.encode()
    json.loads(text, parse_constant=pytest.fail)


def test_what_json_has_no_word_for_is_null_and_nothing_else_is():
    assert json.loads(strict({"a": [math.nan, 1.5, (math.inf,)], "b": -math.inf, "c": "NaN"})) == {
        "a": [None, 1.5, [None]],
        "b": None,
        "c": "NaN",
    }


def test_depth_has_a_bound():
    def nested(levels):
        return [nested(levels - 1)] if levels else "x"

    assert legible(nested(DEEPEST))
    with pytest.raises(ValueError, match="nested deeper than 64 levels"):
        legible(nested(DEEPEST + 1))


@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_where_the_stack_is_used_up(collects):
    begun: list[str] = []
    gc.collect()  # none is due for other reasons
    gc.callbacks.append(lambda phase, _: begun.append(phase))
    (gc.enable if collects else gc.disable)()
    try:
        with pytest.raises(ValueError, match="nested too deep"):
            read_json("[" * 60_000)
        assert (begun, gc.isenabled()) == ([], collects)
    finally:
        gc.enable()
        gc.callbacks.pop()


@given(st.dictionaries(CLEAN, values(CLEAN, FINITE), max_size=4), st.randoms())
def test_the_order_in_which_a_value_was_written_does_not_change_its_digest(value, random):
    names = list(value)
    random.shuffle(names)
    assert canonical({name: value[name] for name in names}) == canonical(value)
    assert digest_of_value(json.loads(canonical(value))) == digest_of_value(value)


FILES = st.lists(
    st.builds(FileDigest, CLEAN, st.integers(0, 10**12), st.sampled_from(["a" * 64, "b" * 64])),
    unique_by=lambda file: file.path,
    max_size=5,
)


@given(FILES, FILES, st.randoms())
def test_a_folder_is_named_by_its_files_in_any_order_and_by_nothing_else(one, other, random):
    shuffled = list(one)
    random.shuffle(shuffled)
    assert digest_of_files(shuffled) == digest_of_files(one)
    assert (digest_of_files(one) == digest_of_files(other)) == (sorted(one) == sorted(other))
