"""The columns that a catalogue has for itself: which types they are kept with, from Parquet, from CSV, and where an earlier one pins them."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.components.base import Input, Output, Step
from lykeion.components.column_types import TIME, TYPES, name_of, read_schema, type_named, write_schema
from lykeion.components.item_writer import BATCH
from lykeion.components.listings import BadValue
from lykeion.components.pinned_types import fit
from lykeion.components.quarantine import quarantined
from lykeion.components.sources import listings
from lykeion.components.tables import read_items
from lykeion.components.text_types import as_type, type_of_texts
from lykeion.errors import Invalid

Read = Callable[..., pa.Table]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """The items of a CSV text or of Parquet columns; `types`: the folder of a schema that is pinned."""

    def items(given: str | dict[str, Any], types: Path | None = None) -> pa.Table:
        file = tmp_path / "catalogue"
        if isinstance(given, str):
            file.write_text(given)
        else:
            length = len(next(iter(given.values())))
            ids = [f"i{row}" for row in range(length)]
            pq.write_table(pa.table({"id": ids, "pictures": ["a.png"] * length, **given}), file)
        folder = tmp_path / f"items-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        listings(Output(folder), Output(folder), Input(types) if types else None, uri=str(file), step=Step())
        items.folder = folder
        return read_items(folder)

    return items


def types_in(read: Read) -> dict[str, str]:
    columns: dict[str, str] = json.loads((read.folder / "schema.json").read_text())["columns"]
    return columns


DAY, MOMENT = date(2026, 1, 15), datetime(2026, 1, 15, 8, 30, tzinfo=UTC)
KEPT: dict[str, tuple[pa.Array, str, list[Any]]] = {
    "int64": (pa.array([2**53 + 1, 2**53, None]), "int64", [2**53 + 1, 2**53, None]),
    "int8": (pa.array([-1, 2], pa.int8()), "int64", [-1, 2]),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), "uint64", [2**64 - 1]),
    "float32": (pa.array([4.5, None], pa.float32()), "float32", [4.5, None]),
    "float16": (pa.array([0.5], pa.float16()), "float32", [0.5]),
    "float64": (pa.array([1e-7]), "float64", [1e-7]),
    "bool": (pa.array([True, None]), "bool", [True, None]),
    "text": (pa.array(["007", None]), "string", ["007", None]),
    "large text": (pa.array(["a"], pa.large_string()), "string", ["a"]),
    "dictionary": (pa.array(["a", "b", "a"]).dictionary_encode(), "string", ["a", "b", "a"]),
    "date": (pa.array([DAY]), "date", [DAY]),
    "date64": (pa.array([DAY], pa.date64()), "date", [DAY]),
    "timestamp": (pa.array([MOMENT], pa.timestamp("ns", "Asia/Tokyo")), "timestamp", [MOMENT]),
    "timestamp without zone": (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ms")), "timestamp", [MOMENT]),
    "below a microsecond": (pa.array([1_000_000_001], pa.timestamp("ns")), "timestamp", [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)]),
    "decimal": (pa.array([Decimal("12.50")], pa.decimal128(10, 2)), "decimal(10,2)", [Decimal("12.50")]),
    "texts": (pa.array([["red", "blue"], [], None]), "list<string>", [["red", "blue"], [], None]),
    "large lists": (pa.array([["a"]], pa.large_list(pa.large_string())), "list<string>", [["a"]]),
    "nothing": (pa.nulls(2), "null", [None, None]),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_column_of_parquet_keeps_its_type_and_values(read: Read, name: str) -> None:
    column, kind, values = KEPT[name]
    assert read({"x": column})["x"].to_pylist() == values
    assert types_in(read) == {"x": kind}
    assert not list(quarantined(read.folder))


LEFT_OUT = {
    "struct": (pa.array([{"a": 1}]), "a column for each value"),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), "a column for each value"),
    "lists of numbers": (pa.array([[1, 2]]), "a list of texts"),
    "duration": (pa.array([5], pa.duration("s")), "the number of seconds"),
    "time of day": (pa.array([5], pa.time32("s")), "the time of day as text"),
    "bytes": (pa.array([b"x"]), "write text or numbers"),
    "a huge decimal": (pa.array([Decimal(1)], pa.decimal256(50, 2)), "at most 38 digits"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_column_that_cannot_be_kept_is_left_out_and_said_never_made_text(read: Read, name: str) -> None:
    column, remedy = LEFT_OUT[name]
    assert "x" not in read({"x": column}).column_names
    assert types_in(read) == {}
    (entry,) = quarantined(read.folder)
    assert entry["column"] == "x"
    assert remedy in entry["reason"]


def test_types_are_those_of_the_file_however_late_the_first_value_comes(read: Read) -> None:
    nothing = [None] * (BATCH + 10)
    table = read({"new": [*nothing, True, False], "score": [*nothing, 1e-7, 2.5]})
    assert table.slice(len(nothing)).select(["new", "score"]).to_pylist() == [{"new": True, "score": 1e-7}, {"new": False, "score": 2.5}]
    assert types_in(read) == {"new": "bool", "score": "float64"}


def test_a_number_as_id_and_a_short_float_as_price_are_what_was_written(read: Read) -> None:
    rows = read({"id": [1001.0, None, 4.5], "price": pa.array([4.3, 1, 2], pa.float32())}).to_pylist()
    assert [(row["id"], row["price"]) for row in rows] == [("1001", 4.3), ("4.5", 2.0)]


def test_a_time_that_the_calendar_does_not_have_sets_its_row_aside(read: Read) -> None:
    far = pa.array([0, 10**12, -(10**12)], pa.timestamp("s"))
    assert read({"updated_at": far, "x": pa.array([0, 0, 10**7], pa.int32()).cast(pa.date32())})["id"].to_pylist() == ["i0"]
    reasons = [(entry["item"], entry["reason"]) for entry in quarantined(read.folder)]
    assert reasons == [(item, "its updated_at is no time within the years 1 to 9999") for item in ("i1", "i2")]


def csv(*values: str) -> str:
    return "id,pictures,x\n" + "".join(f'i{row},a.png,"{value}"\n' for row, value in enumerate(values))


TEXTS: dict[str, tuple[list[str], str, list[Any]]] = {
    "whole numbers": (["9007199254740993", "", "-5", " 7 "], "int64", [2**53 + 1, None, -5, 7]),
    "numbers": (["1", "4.5", "1e-07"], "float64", [1.0, 4.5, 1e-7]),
    "a code": (["7", "007"], "string", ["7", "007"]),
    "one is none": (["1", "2", "n/a"], "string", ["1", "2", "n/a"]),
    "none would be exact": (["9007199254740993", "4.5"], "string", ["9007199254740993", "4.5"]),
    "too large": (["9223372036854775808"], "string", ["9223372036854775808"]),
    "infinite": (["1e+999"], "string", ["1e+999"]),
    "truths": (["true", "FALSE", ""], "bool", [True, False, None]),
    "dates": (["2026-01-15", ""], "date", [DAY, None]),
    "no dates": (["2026-01-15", "2026-02-30"], "string", ["2026-01-15", "2026-02-30"]),
    "times": (["2026-01-15 08:30", "2026-01-15T17:30:00+09:00", "2026-01-15T08:30:00.000Z"], "timestamp", [MOMENT] * 3),
    "dates and times": (["2026-01-15", "2026-01-15 08:30"], "string", ["2026-01-15", "2026-01-15 08:30"]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_column_of_csv_has_the_type_that_all_of_its_values_have(read: Read, name: str) -> None:
    texts, kind, values = TEXTS[name]
    assert read(csv(*texts))["x"].to_pylist() == values
    assert types_in(read) == {"x": kind}


def test_one_late_value_decides_for_a_whole_column_of_csv(read: Read) -> None:
    numbers = [str(number) for number in range(BATCH + 5)]
    assert read(csv(*numbers, "4.5"))["x"].type == pa.float64()
    assert read(csv(*numbers, "none"))["x"].to_pylist() == [*numbers, "none"]


def test_a_column_of_csv_without_values_has_no_type_yet(read: Read) -> None:
    read(csv("", " "))
    assert types_in(read) == {"x": "null"}


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_what_a_column_of_numbers_becomes_says_the_same_numbers(numbers: list[float]) -> None:
    column = pa.chunked_array([[repr(number)] for number in numbers])
    kind = type_of_texts(column)
    values = [as_type(chunk, kind)[0].as_py() for chunk in column.chunks]
    assert [Decimal(str(value)) for value in values] == [Decimal(repr(number)) for number in numbers]


@given(st.lists(st.text(max_size=12) | st.from_regex(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9])?", fullmatch=True)))
def test_any_texts_have_a_type_that_they_can_be_cast_to(texts: list[str]) -> None:
    column = pa.chunked_array([texts], pa.string())
    kind = type_of_texts(column)
    if kind not in (None, pa.string()):
        assert as_type(column.chunk(0), kind).null_count == sum(not text.strip() for text in texts)


def test_a_later_catalogue_is_cast_to_the_types_of_an_earlier_one_and_what_does_not_fit_is_set_aside(read: Read) -> None:
    read(
        {"size": [1, 2], "price_net": pa.array([Decimal(1), Decimal(2)], pa.decimal128(6, 2)), "listed": [DAY, DAY], "unseen": pa.nulls(2)}
    )
    first = read.folder
    table = read(
        "id,pictures,size,listed,colour,unseen\na,x.png,41,2026-01-15,red,5\nb,x.png,4.5,,red,\nc,x.png,,yesterday,,\nd,x.png,,,7,\n", first
    )
    assert table.select(["id", "size", "listed", "price_net", "unseen"]).to_pylist() == [
        {"id": "a", "size": 41, "listed": DAY, "price_net": None, "unseen": 5},
        {"id": "d", "size": None, "listed": None, "price_net": None, "unseen": None},
    ]
    assert types_in(read) == {"size": "int64", "listed": "date", "colour": "string", "unseen": "int64", "price_net": "decimal(6,2)"}
    assert [(entry["item"], entry["reason"], entry["value"]) for entry in quarantined(read.folder)] == [
        ("b", "its size is not of the type int64 that the pinned schema says", "4.5"),
        ("c", "its listed is not of the type date that the pinned schema says", "yesterday"),
    ]


MONEY = pa.decimal128(5, 2)
FITS: list[tuple[Any, pa.DataType, Any]] = [
    (1, pa.string(), "1"),
    (41.0, pa.string(), "41"),
    (True, pa.string(), "true"),
    (DAY, pa.string(), "2026-01-15"),
    ("", pa.string(), ""),
    (" ", pa.int64(), None),
    ("41.0", pa.int64(), 41),
    (Decimal("41.00"), pa.int64(), 41),
    ("12.5", MONEY, Decimal("12.50")),
    (4.3, MONEY, Decimal("4.30")),
    (4.3, pa.float32(), pytest.approx(4.3)),
    ("1e3", pa.float64(), 1000.0),
    ("1e300", pa.float64(), 1e300),
    ("9007199254740992.00", pa.float64(), 2.0**53),
    ("0.1", pa.float64(), 0.1),
    (Decimal("16777216.0"), pa.float32(), 2.0**24),
    ("True", pa.bool_(), True),
    (MOMENT.replace(hour=0, minute=0), pa.date32(), DAY),
    ("2026-01-15T17:30:00+09:00", TIME, MOMENT),
    (["a", None], TYPES["list<string>"], ["a", None]),
]


@pytest.mark.parametrize(("value", "kind", "fitted"), FITS, ids=str)
def test_a_value_fits_a_pinned_type_that_can_say_it(value: Any, kind: pa.DataType, fitted: Any) -> None:
    made = fit("x", value, kind)
    assert made == fitted
    assert made is None or pa.scalar(made, kind).as_py() == made


MISFITS: list[tuple[Any, pa.DataType]] = [
    (["a"], pa.string()),
    ("a", TYPES["list<string>"]),
    (2**63, pa.int64()),
    (-1, pa.uint64()),
    (4.5, pa.int64()),
    (float("nan"), pa.int64()),
    (True, pa.int64()),
    ("1_000", pa.int64()),
    ("0x10", pa.float64()),
    (2**53 + 1, pa.float64()),
    ("9007199254740993", pa.float64()),
    ("-9007199254740993.0", pa.float64()),
    (Decimal(2**60 + 1), pa.float64()),
    ("16777217", pa.float32()),
    ("1" * 5000, pa.float64()),
    (1e300, pa.float32()),
    ("1e999", pa.float64()),
    ("12.505", MONEY),
    ("1000", MONEY),
    ("yes", pa.bool_()),
    (MOMENT, pa.date32()),
    (5, TIME),
    ("2026-02-30", pa.date32()),
]


@pytest.mark.parametrize(("value", "kind"), MISFITS, ids=str)
def test_a_value_that_a_pinned_type_cannot_say_is_refused(value: Any, kind: pa.DataType) -> None:
    with pytest.raises(BadValue, match=r"its x is not of the type"):
        fit("x", value, kind)


@given(st.integers(-(2**70), 2**70), st.sampled_from([pa.float32(), pa.float64()]), st.sampled_from([str, "{}.0".format, Decimal, int]))
def test_a_whole_number_in_a_pinned_float_is_itself_or_refused(number: int, kind: pa.DataType, written: Callable[[int], Any]) -> None:
    try:
        made = fit("x", written(number), kind)
    except BadValue:
        narrow = np.float32(number) if pa.types.is_float32(kind) else float(number)
        assert int(narrow) != number
    else:
        assert int(made) == number


@pytest.mark.parametrize("kind", [*TYPES.values(), MONEY, pa.decimal128(5, -2), None], ids=str)
def test_a_type_is_what_its_name_says(kind: pa.DataType | None) -> None:
    assert type_named(name_of(kind)) == kind


def test_a_schema_pins_what_it_knows_and_says_everything_that_is_wrong_with_it(tmp_path: Path) -> None:
    write_schema(tmp_path, {"a": pa.int64(), "b": None})
    assert read_schema(tmp_path) == {"a": pa.int64()}
    (tmp_path / "schema.json").write_text('{"format": 1, "columns": {"a": "int", "b": "decimal(99,2)", "c": 5}}')
    with pytest.raises(Invalid) as refused:
        read_schema(tmp_path)
    assert [problem.field for problem in refused.value.problems] == ["columns.a", "columns.b", "columns.c"]


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2, "columns": {}}', '{"format": 1}'])
def test_what_is_no_schema_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "schema.json").write_text(text)
    with pytest.raises(Invalid, match=r"schema\.json"):
        read_schema(tmp_path)
