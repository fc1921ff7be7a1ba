"""Values of a later catalogue in the types that an earlier one's columns had.

What such a type cannot say does not fit: nothing is cut, and no whole number or decimal is rounded.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import numpy as np
import pyarrow as pa

from lykeion.components.column_types import name_of
from lykeion.components.listings import BadValue, Listing, Rejected, moment, text

INT64, UINT64 = range(-(2**63), 2**63), range(2**64)
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


def pinned(rows: Iterator[Listing | Rejected], types: Mapping[str, pa.DataType]) -> Iterator[Listing | Rejected]:
    """The rows with their attributes in these types; one with a value that does not fit is rejected. Other attributes stay as they are."""
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            fitted = {name: fit(name, value, types[name]) if name in types else value for name, value in row.attributes.items()}
        except BadValue as bad:
            yield Rejected(row.id, bad.reason, bad.value, row.line)
            continue
        yield row._replace(attributes=fitted)


def fit(name: str, value: Any, kind: pa.DataType) -> Any:
    """The value in that type; an empty text is absent, but for texts. Raises BadValue."""
    if value is None or (isinstance(value, str) and not value.strip() and not pa.types.is_string(kind)):
        return None
    try:
        return converted(value, kind)
    except (ValueError, OverflowError, InvalidOperation):
        raise BadValue(f"its {name} is not of the type {name_of(kind)} that the pinned schema says", value) from None


def converted(value: Any, kind: pa.DataType) -> Any:
    """Raises ValueError, OverflowError or InvalidOperation where it does not fit."""
    if isinstance(value, list) != pa.types.is_list(kind):
        raise ValueError(value)
    if pa.types.is_list(kind):
        return value
    if pa.types.is_string(kind):
        return str(value).lower() if isinstance(value, bool) else text(value)
    if pa.types.is_boolean(kind):
        return truth(str(value).strip().lower())
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return point_in_time(value, kind)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError(value)
    if isinstance(value, str):
        value = value.strip()
        if not NUMBER.fullmatch(value):
            raise ValueError(value)
    return floating(value, kind) if pa.types.is_floating(kind) else exact(Decimal(str(value)), kind)


def truth(word: str) -> bool:
    if word not in ("true", "false"):
        raise ValueError(word)
    return word == "true"


def point_in_time(value: Any, kind: pa.DataType) -> date:
    read = moment(value) if isinstance(value, str | date) else None
    if read is None or (pa.types.is_date(kind) and read.time() != time()):
        raise ValueError(value)
    return read.date() if pa.types.is_date(kind) else read


def floating(value: int | float | Decimal | str, kind: pa.DataType) -> float:
    """The nearest one; a whole number that is written out is itself, and what is finite stays so."""
    whole = whole_number(value)
    with np.errstate(over="ignore"):
        nearest = float(np.float32(value) if pa.types.is_float32(kind) else float(value))
    is_lost = math.isinf(nearest) and not (isinstance(value, float) and math.isinf(value))
    if is_lost or (whole is not None and int(nearest) != whole):
        raise ValueError(value)
    return nearest


def whole_number(value: int | float | Decimal | str) -> int | None:
    """The whole number that a value is, all of its digits written; None for fractions and for what has an exponent, such as 1e300."""
    if isinstance(value, float) or (isinstance(value, str) and "e" in value.lower()):
        return None
    exactly = Decimal(value)
    return int(exactly) if exactly.is_finite() and exactly == exactly.to_integral_value() else None


def exact(value: Decimal, kind: pa.DataType) -> int | Decimal:
    if pa.types.is_integer(kind):
        cast: int | Decimal = int(value)
        fits = cast in (UINT64 if pa.types.is_uint64(kind) else INT64)
    else:
        with localcontext(prec=kind.precision):
            cast = value.quantize(Decimal(1).scaleb(-kind.scale))
        fits = True
    if not fits or cast != value:
        raise ValueError(value)
    return cast
