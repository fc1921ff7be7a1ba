"""What a filter says: `category:shoes`, `colour:red|blue`, `price:<5000`, `updated_at:>=2026-01-01`; several filters all hold (AND).

A colon in a field's name has a backslash before it, which may be left out where the name can only be meant so: `g:gender:w`.

Parsing needs to know an index's fields and their kinds, and finds every problem at once. The result is a plain value (`Filter`),
hashable, so that what it matches can be cached.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal

from lykeion.errors import Invalid, Problem

Kind = Literal["text", "texts", "number", "flag", "time"]
Operator = Literal["in", "<", "<=", ">", ">="]
Value = str | int | float | Decimal | bool | date | datetime
"""A date is the whole day, in UTC. A number is exactly what was written."""

LONGEST_FILTER = 4096  # characters of one filter
LONGEST_NAME = 1000  # of a field: a filter has room for it and a value
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

    if len(text) > LONGEST_FILTER:
        raise wrong(f"the filter is {len(text)} characters long", f"at most {LONGEST_FILTER}")
    name, rest = name_and_rest(text, fields)
    if not name and name not in fields:
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


def name_and_rest(text: str, fields: Mapping[str, Kind]) -> tuple[str, str]:
    """The name of a field, and what is behind its colon. The name is empty where there is none."""
    for name, end in readings(text):
        for field in (name, name.strip()):
            if field in fields:
                return field, text[end:]
    name, end = next(readings(text), ("", 0))
    return name.strip(), text[end:]


def readings(text: str) -> Iterator[tuple[str, int]]:
    """The names that a filter can be of, and where each one's colon ends: first up to a colon without a backslash, then up to any."""
    if "\\" in text and (written := re.match(r"((?:[^:\\]|\\.)*):", text, re.DOTALL)):
        yield re.sub(r"\\([:\\])", r"\1", written[1]), written.end()
    for colon in re.finditer(":", text):
        yield text[: colon.start()], colon.end()


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
    return parse_time(text)


def parse_time(text: str) -> date | datetime:
    """A day, or a moment in UTC."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass  # more than a date, or nothing
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("write a date or time as 2026-11-23 or 2026-11-23T08:30:00Z") from None


def parse_number(text: str) -> int | float | Decimal:
    """Exactly the number that is written: a float only where that is as exact. Raises ValueError."""
    remedy = "write digits with a point, as in 5000 or 12.50"
    if not re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text, re.ASCII):
        raise ValueError(remedy)
    nearest = float(text)
    if not math.isfinite(nearest):
        raise ValueError(remedy)
    if nearest == 0:
        return nearest  # however many places it has
    if text.lstrip("+-").isdigit():
        return int(text)
    written = Decimal(text)
    return nearest if written == Decimal(repr(nearest)) else written
