"""Columns keep their types: filters over them against plain Python values, and whatever a family lists can be asked for."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lykeion.search
from lykeion.core.search.facets import together, told
from lykeion.core.search.filters import parse_filters
from lykeion.search.facets import facets_of
from lykeion.search.rows import RowTable

from .test_columns import passed, table_with

OLD_INDEX = Path(__file__).parent / "index-of-2026-11"
LARGE = [2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 0, 1, -1]
DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 5)) | st.dates()
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3)).map(lambda moment: moment.replace(tzinfo=UTC))
MOMENTS |= DAYS.map(lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC))
WHOLE = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([value for value in LARGE if -(2**63) <= value < 2**63])
WORDS = st.text(max_size=8) | st.sampled_from(["red", "<5", ">=", "a|b", "back\\slash", "\\", "\\|", "g:w", 'q"uote', " padded ", "", "ä"])
MONEY = st.decimals(-100, 100, places=2)
FLOATS = st.floats(allow_nan=True, allow_infinity=False) | st.sampled_from([0.0, -0.0, 4.3, 1e-7])
SHORT = st.floats(width=32, allow_infinity=False) | st.sampled_from([float(np.float32(4.3)), 0.0, -0.0])

NUMBERS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), WHOLE),
    "int8": (pa.int8(), st.integers(-128, 127)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1) | st.sampled_from([value for value in LARGE if value >= 0])),
    "decimal": (pa.decimal128(10, 2), MONEY),
    "wide decimal": (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
    "float64": (pa.float64(), FLOATS),
    "float32": (pa.float32(), SHORT),
}
TIMES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "date": (pa.date32(), DAYS),
    "timestamp": (pa.timestamp("us", "UTC"), MOMENTS),
}
TEXTS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), WORDS),
    "texts": (pa.list_(pa.string()), st.lists(st.none() | WORDS, max_size=3)),
    "flag": (pa.bool_(), st.booleans()),
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "": lambda one, other: one == other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def written(name: str, value: str) -> str:
    """A filter as documentation says to write it."""
    for sign in "\\:":
        name = name.replace(sign, f"\\{sign}")
    for sign in "\\|<>":
        value = value.replace(sign, f"\\{sign}")
    return f"{name}:{value}"


def rows_with(values: list[Any], kind: pa.DataType, name: str = "column") -> RowTable:
    table = table_with(pa.array(values, kind))
    return RowTable(table.rename_columns([*table.column_names[:-1], name]))


def in_text(number: Any) -> str:
    return format(number, "f") if isinstance(number, Decimal) else repr(number)


@pytest.mark.parametrize("kind", NUMBERS)
@given(data=st.data())
def test_numbers_are_compared_as_what_they_are(kind: str, data: st.DataObject) -> None:
    given_type, values_of = NUMBERS[kind]
    values = data.draw(st.lists(st.none() | values_of, min_size=1, max_size=6))
    some = [value for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))]
    asked = data.draw(st.one_of(*([st.sampled_from(some)] if some else []), WHOLE, MONEY, st.decimals(-5, 5, places=20)))
    operator = data.draw(st.sampled_from(sorted(OPERATORS)))
    text = f"{operator}{in_text(asked)}"

    def is_so(value: Any) -> bool:
        if kind == "float32":
            return bool(OPERATORS[operator](np.float32(value), np.float32(float(asked))))
        return OPERATORS[operator](value, float(asked) if kind == "float64" else Decimal(in_text(asked)))

    rows = rows_with(values, given_type)
    wanted = parse_filters([f"column:{text}"], rows.fields)
    assert passed(rows, wanted) == [value is not None and is_so(value) for value in values]


@pytest.mark.parametrize("kind", TIMES)
@given(data=st.data())
def test_a_date_is_its_whole_day_and_a_time_is_a_moment(kind: str, data: st.DataObject) -> None:
    given_type, values_of = TIMES[kind]
    values = data.draw(st.lists(st.none() | values_of, min_size=1, max_size=6))
    asked = data.draw(DAYS | MOMENTS)
    operator = data.draw(st.sampled_from(sorted(OPERATORS)))

    def moment(value: date) -> datetime:
        return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)

    def is_so(value: date) -> bool:
        if not isinstance(asked, datetime):
            return OPERATORS[operator](moment(value).date(), asked)
        return OPERATORS[operator](moment(value), asked)

    rows = rows_with(values, given_type)
    wanted = parse_filters([f"column:{operator}{asked.isoformat()}"], rows.fields)
    assert passed(rows, wanted) == [value is not None and is_so(value) for value in values]


@given(st.lists(st.none() | MOMENTS, min_size=1, max_size=4), st.lists(DAYS | MOMENTS, min_size=1, max_size=4))
def test_days_and_moments_may_be_alternatives(values: list[datetime | None], asked: list[date]) -> None:
    rows = rows_with(values, pa.timestamp("us", "UTC"))
    wanted = parse_filters(["column:" + "|".join(one.isoformat() for one in asked)], rows.fields)
    days = {one for one in asked if not isinstance(one, datetime)}
    assert passed(rows, wanted) == [value is not None and (value in asked or value.date() in days) for value in values]


@pytest.mark.parametrize("kind", [*NUMBERS, *TIMES, *TEXTS])
@given(
    data=st.data(),
    name=st.text(min_size=1, max_size=12).filter(
        lambda name: name not in ("item", "item_hash", "number", "picture", "deleted", "id", "updated_at")
    )
    | st.sampled_from(["g:gender", "a\\:b", " x ", "\\", ":", '"', "<", "größe"]),
)
def test_every_value_that_a_family_lists_can_be_written_in_a_filter(kind: str, name: str, data: st.DataObject) -> None:
    given_type, values_of = (NUMBERS | TIMES | TEXTS)[kind]
    values = data.draw(st.lists(st.none() | values_of, min_size=1, max_size=6))
    rows = rows_with(values, given_type, name)
    fields = {"g": "text", "a": "text", **rows.fields}  # names that others begin with

    def count(*filters: str) -> int:
        return sum(passed(rows, parse_filters(filters, fields)))

    (field,) = [one for one in told(together([facets_of(rows.table)])) if one["name"] == name]
    for one in field.get("values", ()):
        assert count(written(name, one["value"])) == one["items"]
    start = written(name, "")
    for one in field.get("ranges", ()):
        bounds = [f"{start}{sign}{bound!r}" for sign, bound in ((">=", one["from"]), ("<", one["under"])) if bound is not None]
        assert count(*bounds) == one["items"]
    if "least" in field:
        there = [value for value in values if value is not None and not (isinstance(value, float) and math.isnan(value))]
        assert count(f"{start}>={field['least']}", f"{start}<={field['most']}") == len(there)
        assert count(f"{start}{field['least']}") >= 1
        assert count(f"{start}{field['most']}") >= 1


JSON: dict[str, tuple[Any, pa.DataType, Any]] = {
    "beyond 2^53": (2**53 + 1, pa.int64(), 2**53 + 1),
    "the largest": (2**64 - 1, pa.uint64(), 2**64 - 1),
    "a short float": (4.3, pa.float32(), 4.3),
    "a decimal": (Decimal("12.50"), pa.decimal128(10, 2), "12.50"),
    "a small decimal": (Decimal("0.0000000001"), pa.decimal128(38, 10), "0.0000000001"),
    "a day": (date(2026, 1, 15), pa.date32(), "2026-01-15"),
    "a moment": (datetime(2026, 1, 15, 8, tzinfo=UTC), pa.timestamp("us", "UTC"), "2026-01-15T08:00:00Z"),
    "a list": (["red", "blue"], pa.list_(pa.string()), ["red", "blue"]),
}


@pytest.mark.parametrize("name", JSON)
def test_answers_say_values_exactly(name: str) -> None:
    value, kind, said = JSON[name]
    assert rows_with([value], kind).read(np.array([0]))[0]["column"] == said


def test_the_ends_of_several_indexes_are_compared_as_numbers_and_times() -> None:
    money = [facets_of(rows_with([Decimal(value)], pa.decimal128(10, 2)).table) for value in ("9.50", "12.50")]
    assert [(one["least"], one["most"]) for one in told(together(money)) if one["name"] == "column"] == [("9.50", "12.50")]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [facets_of(rows_with([start + timedelta(milliseconds=ms)], pa.timestamp("us", "UTC")).table) for ms in (0, 500)]
    assert [one["least"] for one in told(together(times)) if one["name"] == "column"] == ["2026-01-01T00:00:00Z"]


def test_a_name_that_no_filter_has_room_for_is_no_field() -> None:
    rows = rows_with(["a"], pa.string(), "x" * 5000)
    assert "x" * 5000 not in rows.fields
    assert "x" * 5000 not in [facet.name for facet in facets_of(rows.table)]


def test_an_index_of_an_earlier_version_is_opened_and_asked_as_it_is() -> None:
    index = lykeion.search.open(OLD_INDEX)

    def found(*filters: str) -> list[str]:
        return [hit.id for hit in index.search_items(index.vectors_of("a")[0], 10, index.filter(filters))]

    assert found()[0] == "a"
    assert found("seller_id:9007199254740992", "rating:4.5") == ["b"]
    assert sorted(found("updated_at:<=2026-01-31")) == ["a"]
    assert found("new:false") == ["c"]
    assert found("colours:['red', 'blue']") == ["a"]
    assert index.rows([0])[0]["listed"] == "2026-01-15"
    assert {one["name"]: one.get("most") for one in told(together([index.manifest.facets]))}["rating"] == 4.5
