"""Any column of a catalogue can be filtered by, whatever type its file gave it; each against a plain Python loop."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lykeion.core.search.filters import Filter, parse_filters
from lykeion.search.rows import ROW_SCHEMA, RowTable, kind_of

DAYS = [date(2026, 1, 1 + day) for day in range(4)]
MOMENTS = [datetime(2026, 1, 1 + day, tzinfo=UTC) for day in range(4)]

COLUMNS: dict[str, tuple[pa.Array, str, list[bool]]] = {
    "small integers": (pa.array([1, 2, None, 4], pa.int8()), ">=2", [False, True, False, True]),
    "unsigned": (pa.array([1, 2, None, 4], pa.uint64()), "2|4", [False, True, False, True]),
    "integers beyond a double": (pa.array([2**60, 2**60 + 2**20, None, 5]), f">{2**60}", [False, True, False, False]),
    "floats": (pa.array([0.5, float("nan"), None, 2.5], pa.float32()), "<1", [True, False, False, False]),
    "not a number is not large": (pa.array([0.5, float("nan"), None, 2.5]), ">1", [False, False, False, True]),
    "flags": (pa.array([True, False, None, True]), "false", [False, True, False, False]),
    "texts": (pa.array(["a", "b", None, "ä"]), "ä|a", [True, False, False, True]),
    "long texts": (pa.array(["a", "b", None, "c"], pa.large_string()), "b", [False, True, False, False]),
    "dictionary": (pa.array(["a", "b", None, "a"]).dictionary_encode(), "a", [True, False, False, True]),
    "dates": (pa.array([*DAYS[:2], None, DAYS[3]], pa.date32()), ">2026-01-01", [False, True, False, True]),
    "a date": (pa.array([*DAYS[:2], None, DAYS[3]], pa.date32()), "2026-01-02", [False, True, False, False]),
    "moments": (pa.array([*MOMENTS[:2], None, MOMENTS[3]], pa.timestamp("ns", "Asia/Tokyo")), "<=2026-01-02", [True, True, False, False]),
    "seconds without zone": (pa.array([0, 1767312000, None, 2], pa.timestamp("s")), "2026-01-02", [False, True, False, False]),
    "lists": (pa.array([["x", "y"], [], None, ["y", None]]), "y", [True, False, False, True]),
}


def table_with(column: pa.Array) -> pa.Table:
    count = len(column)
    own: dict[str, Any] = {
        "item": pa.array([f"i{row}" for row in range(count)]),
        "item_hash": pa.array(np.arange(count), pa.uint64()),
        "number": pa.array([0] * count, pa.int16()),
        "picture": pa.array([bytes(32)] * count, pa.binary(32)),
        "updated_at": pa.nulls(count, pa.timestamp("us", "UTC")),
        "deleted": pa.array([False] * count),
    }
    return pa.table({**own, "column": column}, pa.schema([*ROW_SCHEMA, ("column", column.type)]))


def passed(rows: RowTable, wanted: Filter) -> list[bool]:
    return np.unpackbits(rows.matching(wanted), count=rows.count, bitorder="little").astype(bool).tolist()


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_filtered_by_its_values(name: str) -> None:
    column, text, expected = COLUMNS[name]
    rows = RowTable(table_with(column))
    assert passed(rows, parse_filters([f"column:{text}"], rows.fields)) == expected


@pytest.mark.parametrize("name", COLUMNS)
def test_chunks_of_a_file_make_no_difference(name: str) -> None:
    column, text, expected = COLUMNS[name]
    whole = table_with(column)
    rows = RowTable(pa.concat_tables([whole.slice(0, 1), whole.slice(1, 2), whole.slice(3)]))
    assert passed(rows, parse_filters([f"column:{text}"], rows.fields)) == expected
    assert [row["id"] for row in rows.read(np.array([3, 0, 2, 1]))] == ["i3", "i0", "i2", "i1"]
    assert rows.hashes(np.array([3, 0, 2])).tolist() == [3, 0, 2]
    assert [rows.rows_of(f"i{row}") for row in range(5)] == [range(row, row + 1) for row in range(4)] + [range(4, 4)]


@pytest.mark.parametrize("given", [pa.binary(), pa.struct([("a", pa.int8())]), pa.list_(pa.int8()), pa.null()], ids=str)
def test_what_has_no_plain_values_is_no_field(given: pa.DataType) -> None:
    assert kind_of(given) is None
    assert "column" not in RowTable(table_with(pa.nulls(3, given))).fields


PLAIN: list[tuple[pa.Array, Callable[[Any], bool]]] = [
    (pa.array([datetime(2026, 1, 1, 8, tzinfo=UTC)], pa.timestamp("us", "UTC")), lambda value: value == "2026-01-01T08:00:00Z"),
    (pa.array([date(2026, 1, 1)]), lambda value: value == "2026-01-01"),
    (pa.array([b"\x01\xff"]), lambda value: value == "01ff"),
    (pa.array([float("nan")]), lambda value: value is None),
    (pa.array([["a", None]]), lambda value: value == ["a", None]),
    (pa.array([None], pa.float64()), lambda value: value is None),
]


@pytest.mark.parametrize(("column", "right"), PLAIN, ids=lambda value: str(getattr(value, "type", "")))
def test_attributes_are_given_as_json_can_say_them(column: pa.Array, right: Callable[[Any], bool]) -> None:
    assert right(RowTable(table_with(column)).read(np.array([0]))[0]["column"])
