"""For which values of a column a condition of a filter holds, as Arrow compares them.

Whole numbers, decimals, dates and times are whole numbers of some unit (one, a hundredth, a day, a microsecond), and what is asked for
becomes bounds in that unit, worked out exactly: no value is rounded, and none that is asked for can be too large. Floats are compared
in their own precision. Nulls and NaN match nothing.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lykeion.core.search.filters import Condition, Kind, Value

TIME = pa.timestamp("us", "UTC")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, DAY = timedelta(microseconds=1), timedelta(days=1)

COMPARE = {"<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal}


def kind_of(given: pa.DataType) -> Kind | None:
    """How a column of that type can be filtered; None where it cannot."""
    if pa.types.is_dictionary(given):
        given = given.value_type
    if pa.types.is_string(given) or pa.types.is_large_string(given):
        return "text"
    if pa.types.is_boolean(given):
        return "flag"
    if pa.types.is_integer(given) or pa.types.is_floating(given) or pa.types.is_decimal128(given):
        return "number"
    if pa.types.is_timestamp(given) or pa.types.is_date(given):
        return "time"
    if pa.types.is_list(given) and pa.types.is_string(given.value_type):
        return "texts"
    return None


def holds(column: pa.ChunkedArray, condition: Condition) -> pa.ChunkedArray:
    """For each value whether the condition holds."""
    if pa.types.is_list(column.type):
        return pa.chunked_array([holds_in_lists(chunk, condition) for chunk in column.chunks], pa.bool_())
    column = comparable(column)
    if pa.types.is_floating(column.type):
        return holds_for_floats(column, condition)
    if kind_of(column.type) in ("number", "time"):
        return holds_within(column, condition)
    return pc.is_in(column, value_set=pa.array(condition.values, column.type))


def comparable(column: Any) -> Any:
    """Without a dictionary, times in microseconds of UTC, and dates in days."""
    given = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    wanted = TIME if pa.types.is_timestamp(given) else pa.date32() if pa.types.is_date(given) else given
    return column if wanted == column.type else column.cast(wanted, safe=False)


def holds_in_lists(chunk: pa.Array, condition: Condition) -> pa.Array:
    """Whether any element of each list is one of the values."""
    mask = np.zeros(len(chunk), np.bool_)
    elements = pc.is_in(pc.list_flatten(chunk), value_set=pa.array(condition.values, chunk.type.value_type))
    parents = pc.list_parent_indices(chunk).to_numpy(zero_copy_only=False)
    mask[parents[elements.to_numpy(zero_copy_only=False)]] = True
    return pa.array(mask)


def holds_for_floats(column: pa.ChunkedArray, condition: Condition) -> pa.ChunkedArray:
    numbers = [float(value) for value in condition.values if isinstance(value, int | float | Decimal)]
    with np.errstate(over="ignore"):  # what is too large is infinite
        values = np.array(numbers).astype(column.type.to_pandas_dtype())
    if condition.operator != "in":
        return pc.fill_null(COMPARE[condition.operator](column, pa.scalar(values[0], column.type)), False)
    zeros = [0.0, -0.0] if 0 in values else []  # equal, and two values to Arrow
    return pc.is_in(column, value_set=pa.array([*values[np.isfinite(values)], *zeros], column.type))


class Bounds(NamedTuple):
    """Of a value among a column's units: the first that is not below it, and the first that is above it."""

    reached: int
    passed: int


class Units(NamedTuple):
    """The whole numbers that a column counts in. bounds: of a value of a filter; scalar: what the column has for such a number."""

    bounds: Callable[[Value], Bounds]
    scalar: Callable[[int], pa.Scalar]
    least: int
    most: int


def holds_within(column: pa.ChunkedArray, condition: Condition) -> pa.ChunkedArray:
    units = units_of(column.type)
    bounds = [units.bounds(value) for value in condition.values]
    reached, passed = bounds[0]
    match condition.operator:
        case "<":
            return between(column, units, None, reached)
        case "<=":
            return between(column, units, None, passed)
        case ">=":
            return between(column, units, reached, None)
        case ">":
            return between(column, units, passed, None)
    single = [units.scalar(one.reached) for one in bounds if one.passed == one.reached + 1 and units.least <= one.reached <= units.most]
    masks = [pc.is_in(column, value_set=pa.array(single, column.type))]
    masks += [between(column, units, *one) for one in bounds if one.passed > one.reached + 1]
    return reduce(pc.or_, masks)


def between(column: pa.ChunkedArray, units: Units, reached: int | None, passed: int | None) -> pa.ChunkedArray:
    """Whether reached <= value < passed; None: no bound. What the column's type cannot be is no bound, or lets nothing through."""
    if (reached is not None and reached > units.most) or (passed is not None and passed <= units.least):
        return pc.is_in(column, value_set=pa.array([], column.type))
    masks = []
    if reached is not None and reached > units.least:
        masks.append(pc.greater_equal(column, units.scalar(reached)))
    if passed is not None and passed <= units.most:
        masks.append(pc.less(column, units.scalar(passed)))
    return pc.fill_null(reduce(pc.and_, masks), False) if masks else pc.is_valid(column)


def units_of(given: pa.DataType) -> Units:
    """Of whole numbers, decimals, dates and times."""
    if pa.types.is_timestamp(given) or pa.types.is_date(given):
        unit, width = (MICROSECOND, 64) if pa.types.is_timestamp(given) else (DAY, 32)
        storage = pa.int64() if width == 64 else pa.int32()
        return Units(
            lambda value: bounds_in_time(value, unit),
            lambda n: pa.scalar(n, storage).cast(given),
            -(2 ** (width - 1)),
            2 ** (width - 1) - 1,
        )
    if pa.types.is_decimal(given):
        largest = 10**given.precision - 1
        return Units(
            lambda value: bounds_of_number(value, given.scale),
            lambda n: pa.scalar(Decimal(f"{n}E{-given.scale}"), given),
            -largest,
            largest,
        )
    signed = pa.types.is_signed_integer(given)
    most = 2 ** (given.bit_width - signed) - 1
    return Units(lambda value: bounds_of_number(value, 0), lambda n: pa.scalar(n, given), -most - 1 if signed else 0, most)


def bounds_of_number(value: Value, scale: int) -> Bounds:
    """A float is the number that it is written as."""
    assert isinstance(value, int | float | Decimal)
    exact = Fraction(Decimal(repr(value)) if isinstance(value, float) else value) * Fraction(10) ** scale
    return Bounds(math.ceil(exact), math.floor(exact) + 1)


def bounds_in_time(value: Value, unit: timedelta) -> Bounds:
    """A date is its whole day."""
    assert isinstance(value, date)
    if isinstance(value, datetime):
        start, end = value - EPOCH, value - EPOCH + MICROSECOND
    else:
        start, end = value - EPOCH.date(), value - EPOCH.date() + DAY
    return Bounds(-(-start // unit), -(-end // unit))
