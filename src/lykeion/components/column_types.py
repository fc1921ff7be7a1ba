"""Which types the columns that a catalogue has beside the usual ones are kept with, and what they are called in `schema.json`.

A type is kept where its values can be told apart, put in order and asked for. A column of any other type is left out with the reason,
never turned into text.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from lykeion.errors import Invalid, Problem

SCHEMA_FILE, FORMAT = "schema.json", 1
TIME = pa.timestamp("us", "UTC")
TEXTS = pa.list_(pa.string())
UNKNOWN = "null"  # no row has a value, so nothing is known of its type

TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "list<string>": TEXTS,
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "timestamp": TIME,
}
NAMES = {kept: name for name, kept in TYPES.items()}

Types = Mapping[str, pa.DataType | None]
"""Columns by name; None: no row has a value yet."""


class Schema:
    """`schema.json`: the types that the columns of a catalogue have."""


def kept_type(given: pa.DataType) -> pa.DataType | None:
    """The type that a column of a file is kept with: the same values, exactly (times to the microsecond). None where there is none."""
    if isinstance(given, pa.BaseExtensionType):
        given = given.storage_type
    if pa.types.is_dictionary(given):
        given = given.value_type
    if is_text(given):
        return pa.string()
    if pa.types.is_uint64(given) or pa.types.is_boolean(given):
        return given
    if pa.types.is_integer(given):
        return pa.int64()
    if pa.types.is_floating(given):
        return pa.float64() if pa.types.is_float64(given) else pa.float32()
    if pa.types.is_decimal(given):
        return pa.decimal128(given.precision, given.scale) if given.precision <= 38 else None
    if pa.types.is_date(given):
        return pa.date32()
    if pa.types.is_timestamp(given):
        return TIME
    return TEXTS if is_list_of_texts(given) else None


def is_text(given: pa.DataType) -> bool:
    return bool(pa.types.is_string(given) or pa.types.is_large_string(given) or pa.types.is_string_view(given))


def is_list_of_texts(given: pa.DataType) -> bool:
    if not (pa.types.is_list(given) or pa.types.is_large_list(given) or pa.types.is_fixed_size_list(given)):
        return False
    inner = given.value_type
    return is_text(inner.value_type if pa.types.is_dictionary(inner) else inner)


def why_left_out(given: pa.DataType) -> str:
    """The reason for a column that has no kept type, and what to write instead."""
    kinds = (
        (pa.types.is_duration, "write the number of seconds"),
        (pa.types.is_time, "write the time of day as text"),
        (pa.types.is_nested, "write a column for each value, or a list of texts"),
        (pa.types.is_decimal, "write a decimal of at most 38 digits"),
    )
    remedy = next((instead for is_kind, instead in kinds if is_kind(given)), "write text or numbers")
    return f"the column is left out: its type {given} can be neither shown nor asked for; {remedy}"


def name_of(given: pa.DataType | None) -> str:
    if given is None:
        return UNKNOWN
    return f"decimal({given.precision},{given.scale})" if pa.types.is_decimal(given) else NAMES[given]


def type_named(name: object) -> pa.DataType | None:
    """The inverse of `name_of`. Raises ValueError."""
    if name == UNKNOWN:
        return None
    if isinstance(name, str) and name in TYPES:
        return TYPES[name]
    decimal = re.fullmatch(r"decimal\(([0-9]{1,2}),(-?[0-9]{1,2})\)", str(name))
    if not decimal or not 1 <= int(decimal[1]) <= 38:
        raise ValueError(name)
    return pa.decimal128(int(decimal[1]), int(decimal[2]))


def write_schema(folder: Path, types: Types) -> None:
    content = {"format": FORMAT, "columns": {name: name_of(kept) for name, kept in types.items()}}
    (folder / SCHEMA_FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_schema(folder: Path) -> dict[str, pa.DataType]:
    """The types that a schema pins: those that are known. Raises Invalid with every problem."""
    file = folder / SCHEMA_FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(
            [Problem(f"it has no {SCHEMA_FILE} that can be read: {error}", "types", remedy="give the output `schema`")]
        ) from error
    columns = content.get("columns") if isinstance(content, dict) and content.get("format") == FORMAT else None
    if not isinstance(columns, dict):
        raise Invalid([Problem(f"it is no {SCHEMA_FILE} of format {FORMAT}", "types", str(file), remedy="give the output `schema`")])
    types: dict[str, pa.DataType] = {}
    problems = []
    for name, type_name in columns.items():
        try:
            kept = type_named(type_name)
        except ValueError:
            remedy = f"write one of {', '.join(TYPES)}, decimal(12,2)"
            problems.append(Problem(f"there is no type {type_name!r}", f"columns.{name}", type_name, SCHEMA_FILE, remedy=remedy))
            continue
        if kept is not None:
            types[name] = kept
    if problems:
        raise Invalid(problems)
    return types
