"""What filters say, and what is said of those that say nothing."""

import unicodedata
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.search.filters import Condition, Filter, Kind, alternatives, parse_filters
from lykeion.errors import Invalid

FIELDS: dict[str, Kind] = {"category": "text", "price": "number", "vintage": "flag", "updated_at": "time", "tags": "texts", "id": "text"}


def one(text: str) -> Condition:
    return parse_filters([text], FIELDS).conditions[0]


GOOD = {
    "category:shoes": Condition("category", "in", ("shoes",)),
    "category: shoes ": Condition("category", "in", ("shoes",)),
    "category:a|b|a": Condition("category", "in", ("a", "b")),
    r"category:a\|b": Condition("category", "in", ("a|b",)),
    r"category:\<new>": Condition("category", "in", ("<new>",)),
    "category:a:b": Condition("category", "in", ("a:b",)),
    r"category:c\d": Condition("category", "in", (r"c\d",)),
    "price:5": Condition("price", "in", (5.0,)),
    "price:5|7.50": Condition("price", "in", (5.0, 7.5)),
    "price:<5000": Condition("price", "<", (5000.0,)),
    "price:>=.5": Condition("price", ">=", (0.5,)),
    "price:> -1e3": Condition("price", ">", (-1000.0,)),
    "vintage:TRUE": Condition("vintage", "in", (True,)),
    "updated_at:<=2026-11-23": Condition("updated_at", "<=", (date(2026, 11, 23),)),
    "updated_at:2026-11-23|2026-11-24T01:00": Condition("updated_at", "in", (date(2026, 11, 23), datetime(2026, 11, 24, 1, tzinfo=UTC))),
    "updated_at:>2026-11-23T09:00:00+09:00": Condition("updated_at", ">", (datetime(2026, 11, 23, tzinfo=UTC),)),
    "tags:red": Condition("tags", "in", ("red",)),
    "price:9007199254740993": Condition("price", "in", (9007199254740993,)),
    "price:0.10000000000000000000001": Condition("price", "in", (Decimal("0.10000000000000000000001"),)),
    "price:1e-999999999": Condition("price", "in", (0,)),
}


@pytest.mark.parametrize("text", GOOD)
def test_a_filter_is_read(text: str) -> None:
    assert one(text) == GOOD[text]


ODD_NAMES: dict[str, Kind] = dict.fromkeys(("g:gender", "a", "a:x", r"back\slash", "c\\", " padded ", "padded"), "text")
NAMED = {
    r"g\:gender:w": ("g:gender", "w"),
    "g:gender:w": ("g:gender", "w"),
    "g:gender:b:c": ("g:gender", "b:c"),
    "a:x:1": ("a", "x:1"),
    r"a\:x:1": ("a:x", "1"),
    r"back\slash:1": (r"back\slash", "1"),
    r"back\\slash:1": (r"back\slash", "1"),
    "c\\:1": ("c\\", "1"),
    r"c\\:1": ("c\\", "1"),
    " padded :1": (" padded ", "1"),
    "  padded:1": ("padded", "1"),
}


@pytest.mark.parametrize("text", NAMED)
def test_a_name_may_hold_colons_backslashes_and_spaces(text: str) -> None:
    field, value = NAMED[text]
    assert parse_filters([text], ODD_NAMES).conditions == (Condition(field, "in", (value,)),)


BAD = {
    "colour:red": ("there is no field 'colour'", "fields: category, id, price"),
    "categry:red": ("there is no field 'categry'", "did you mean category?"),
    "category": ("is no filter", "FIELD:VALUE"),
    ":red": ("is no filter", "FIELD:VALUE"),
    "": ("is no filter", "FIELD:VALUE"),
    "category:": ("is a text", "write a value"),
    "category:a||b": ("is a text", "write a value"),
    "category:<5": ("has no order", r"\<"),
    "price:cheap": ("is a number", "write digits"),
    "price:<5|6": ("is a number", "write digits"),
    "price:nan": ("is a number", "write digits"),
    "price:1e999": ("is a number", "write digits"),
    "price:1_000": ("is a number", "write digits"),
    "price:٣": ("is a number", "write digits"),
    "price:<": ("is a number", "write a value"),
    "vintage:yes": ("true or false", "write true or false"),
    "vintage:>true": ("has no order", "vintage:VALUE"),
    "updated_at:>yesterday": ("is a time", "2026-11-23"),
    "updated_at:<0001-01-01T00:00+09:00": ("is a time", "2026-11-23"),
    "category:" + "x" * 5000: ("5009 characters", "at most 4096"),
    "category:" + "|".join("ab" for _ in range(300)): ("300 alternatives", "at most 256"),
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:20])
def test_a_filter_that_says_nothing_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        one(text)
    (problem,) = refused.value.problems
    message, remedy = BAD[text]
    assert message in problem.message
    assert remedy in problem.remedy
    assert problem.field == "filter"


def test_all_problems_come_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        parse_filters(["price:cheap", "category:shoes", "colour:red", "vintage:1"], FIELDS)
    assert len(refused.value.problems) == 3


def test_there_are_not_arbitrarily_many_filters() -> None:
    with pytest.raises(Invalid, match="33 filters"):
        parse_filters(["price:1"] * 33, FIELDS)


def test_a_text_is_found_however_its_letters_are_composed() -> None:
    composed, apart = "Café", unicodedata.normalize("NFD", "Café")
    (condition,) = parse_filters([f"category:{apart}"], FIELDS).conditions
    assert set(condition.values) == {composed, apart}
    (condition,) = parse_filters([f"category:{composed}"], FIELDS).conditions
    assert condition.values == (composed,)


def test_no_filter_is_false_and_lets_all_through() -> None:
    assert parse_filters([], FIELDS) == Filter()
    assert not Filter()


@given(st.permutations(["price:<5", "category:a|b", "vintage:true", "price:<5"]))
def test_the_order_of_filters_does_not_matter(texts: list[str]) -> None:
    assert parse_filters(texts, FIELDS) == parse_filters(["category:b|a", "vintage:true", "price:<5"], FIELDS)


@given(st.lists(st.text(), min_size=1))
def test_any_texts_can_be_written_as_alternatives(parts: list[str]) -> None:
    written = "|".join(part.replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<").replace(">", "\\>") for part in parts)
    assert list(alternatives(written)) == parts


@given(st.text(), st.sampled_from(sorted(FIELDS)))
def test_no_text_makes_the_parser_fail_otherwise(text: str, field: str) -> None:
    for whole in (text, f"{field}:{text}"):
        with suppress(Invalid):
            parse_filters([whole], FIELDS)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_means_itself(number: float) -> None:
    assert one(f"price:{number!r}").values == (number,)
