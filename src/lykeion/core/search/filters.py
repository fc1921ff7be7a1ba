"""What a filter says: `category:shoes`, `colour:red|blue`, `price:<5000`, `updated_at:>=2026-01-01`; several filters all hold (AND).

Parsing needs to know an index's fields and their kinds, and finds every problem at once. The result is a plain value (`Filter`),
hashable, so that what it matches can be cached.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Literal

from lykeion.errors import Invalid, Problem

Kind = Literal["text", "texts", "number", "flag", "time"]
Operator = Literal["in", "<", "<=", ">", ">="]
Value = str | float | bool | datetime

LONGEST_FILTER = 4096  # characters of one filter
MOST_FILTERS = 32
MOST_VALUES = 256  # alternatives of one filter


@dataclass(frozen=True, slots=True)
class Condition:
    """One field of an item against values: `in` holds for any of them, a comparison has exactly one. A missing value matches nothing."""

    field: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that all hold. Equal filters are equal values, in whatever order they were written."""

    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)


def parse_filters(texts: Iterable[str], fields: Mapping[str, Kind]) -> Filter:
    """The filters of one search. `fields`: what the index can be filtered by.

    A value that starts with < or >, or holds |, is written with a backslash before that character.
    Raises Invalid with every problem: an unknown field, a bad number, a comparison of something that has no order.
    """
    given = list(texts)
    problems: list[Problem] = []
    conditions: set[Condition] = set()
    if len(given) > MOST_FILTERS:
        problems.append(Problem(f"there are {len(given)} filters", "filter", remedy=f"use at most {MOST_FILTERS}"))
    for text in given[:MOST_FILTERS]:
        try:
            conditions.add(parse_one(text, fields))
        except Invalid as wrong:
            problems.extend(wrong.problems)
    if problems:
        raise Invalid(problems)
    return Filter(tuple(sorted(conditions, key=repr)))


def parse_one(text: str, fields: Mapping[str, Kind]) -> Condition:
    """One filter. Raises Invalid."""

    def wrong(message: str, remedy: str) -> Invalid:
        return Invalid([Problem(message, "filter", text[:200], remedy=remedy)])

    name, colon, rest = text.partition(":")
    name = name.strip()
    if len(text) > LONGEST_FILTER:
        raise wrong(f"the filter is {len(text)} characters long", f"at most {LONGEST_FILTER}")
    if not colon or not name:
        raise wrong(f"{text[:200]!r} is no filter", "write FIELD:VALUE, as in category:shoes or price:<5000")
    kind = fields.get(name)
    if kind is None:
        close = get_close_matches(name, fields, n=1)
        known = ", ".join(sorted(fields)) or "none"
        raise wrong(f"there is no field {name!r}", f"did you mean {close[0]}?" if close else f"fields: {known}")
    found = re.match(r"<=|>=|<|>", rest)
    values: list[Value] = []
    parts = [rest[found.end() :]] if found else list(alternatives(rest))
    if found and kind not in ("number", "time"):
        raise wrong(
            f"{name} is {DESCRIPTION[kind]} and has no order", f"write {name}:VALUE; a value that starts with {found[0]} as \\{found[0]}"
        )
    if len(parts) > MOST_VALUES:
        raise wrong(f"{name} has {len(parts)} alternatives", f"at most {MOST_VALUES}")
    for part in parts:
        try:
            values.append(parse_value(part.strip(), kind))
        except ValueError as reason:
            raise wrong(f"{name} is {DESCRIPTION[kind]}, and {part.strip()[:100]!r} is not", str(reason)) from None
    if kind in ("text", "texts"):  # catalogues are kept composed (NFC), those of earlier versions as they were written
        values += [unicodedata.normalize("NFC", str(value)) for value in values]
    if found:
        return Condition(name, OPERATORS[found[0]], tuple(values))
    return Condition(name, "in", tuple(sorted(set(values), key=repr)))


OPERATORS: Mapping[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
DESCRIPTION: Mapping[Kind, str] = {
    "text": "a text",
    "texts": "a list of texts",
    "number": "a number",
    "flag": "true or false",
    "time": "a time",
}


def alternatives(text: str) -> Iterator[str]:
    """Split at |, except after a backslash, which is dropped before |, <, > and itself."""
    part = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ("|", "<", ">", "\\"):
            position += 1
            part += text[position]
        elif character == "|":
            yield part
            part = ""
        else:
            part += character
        position += 1
    yield part


def parse_value(text: str, kind: Kind) -> Value:
    """One value of a field of that kind. Raises ValueError with the remedy as its text."""
    if not text:
        raise ValueError("write a value behind the colon")
    if kind in ("text", "texts"):
        return text
    if kind == "flag":
        if text.lower() not in ("true", "false"):
            raise ValueError("write true or false")
        return text.lower() == "true"
    if kind == "number":
        return parse_number(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("write a date or time as 2026-11-23 or 2026-11-23T08:30:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def parse_number(text: str) -> float:
    remedy = "write digits with a point, as in 5000 or 12.50"
    if not re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text, re.ASCII):
        raise ValueError(remedy)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(remedy)
    return number
