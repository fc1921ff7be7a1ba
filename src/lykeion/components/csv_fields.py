"""The fields of one CSV record with where and how they are written: what Python's csv reads, and does not tell."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Field(NamedTuple):
    """`start`, `end`: its place in the record's text. `is_sound`: its quotes are where they belong. `is_open`: a quote is not closed."""

    value: str
    start: int
    end: int
    is_sound: bool
    is_open: bool


def fields(text: str, delimiter: str) -> list[Field]:
    """The fields of a record (its line end may be there), without the blanks around them; blanks inside quotes stay."""
    match = pattern(delimiter).match
    found: list[Field] = []
    place = 0
    while True:
        one = match(text, place)
        assert one is not None, "it matches the empty text"
        quoted, closing, rest, plain = one.groups()
        if quoted is None:
            value = plain.strip()
            found.append(Field(value, *one.span(), '"' not in value, False))
        else:
            behind = rest.rstrip()
            found.append(Field(quoted.replace('""', '"') + behind, *one.span(), bool(closing) and not behind, not closing))
        place = one.end() + 1
        if place > len(text):
            return found


def is_sound(found: Sequence[Field]) -> bool:
    return all(field.is_sound for field in found)


def is_misquoted(field: Field, text: str) -> bool:
    """Whether it is in quotes that close where it does not end, as those of `"A \\"q\\" b"` do: what it says can only be guessed. `text`:
    of its record.
    """
    return not (field.is_sound or field.is_open) and text[field.start : field.end].lstrip(" ").startswith('"')


def is_torn_apart(field: Field) -> bool:
    """Whether its quotes hold line ends and close where no field ends: they may be those of two fields."""
    return not (field.is_sound or field.is_open) and ("\n" in field.value or "\r" in field.value)


@lru_cache(maxsize=16)
def pattern(delimiter: str) -> re.Pattern[str]:
    """Either quotes (after blanks; two of them inside mean one) and what follows them, or a text without."""
    other = f"[^{re.escape(delimiter)}]*+"
    return re.compile(rf' *+(?:"([^"]*+(?:""[^"]*+)*+)("?)({other})|({other}))')
