"""Listings from CSV, row by row in bounded memory, whatever encoding and separator a spreadsheet has chosen.

Said by the file itself or guessed: its encoding, the delimiter (a first line `sep=;`, else by the columns that it makes), the columns.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from lykeion.components.csv_encoding import detect_encoding, is_utf8_within, opened, torn
from lykeion.components.csv_fields import fields
from lykeion.components.csv_records import Broken, Records, Rows
from lykeion.components.listings import REQUIRED, Listing, Rejected, check_columns, composed, listing
from lykeion.errors import Invalid

DELIMITERS = (",", ";", "\t", "|")
SAID_DELIMITER = re.compile(r'"?sep=([^"\s\w]|\t)"?\s*', re.IGNORECASE)  # Excel's own
MOST_LINES = 100  # of a header
LONGEST_LINE = 1_000_000  # of a header, in characters
MIXED = "its letters are UTF-8 in a file that else is Windows-1252 (save the whole file as UTF-8)"
PICTURE = re.compile(r"\w://|\.\w{2,5}$")


class Header:
    """What the first lines say. `lines`: how many they are. `width`: how many columns there are, those without a name too."""

    def __init__(self, file: TextIO, path: Path) -> None:
        text = file.readline(LONGEST_LINE)
        said = SAID_DELIMITER.fullmatch(text)
        if said:
            text = file.readline(LONGEST_LINE)
        self.delimiter = said[1] if said else guessed_delimiter(text)
        self.lines = 2 if said else 1
        while (found := fields(text.replace("\0", ""), self.delimiter))[-1].is_open:
            line = file.readline(LONGEST_LINE)
            if not line or self.lines > MOST_LINES:
                raise Invalid(f"uri: {path}: line {2 if said else 1}: a quote opens in the names of the columns and is not closed")
            text += line
            self.lines += 1
        if wrong := torn(text):
            raise Invalid(f"uri: {path}: the names of the columns hold bytes that are no text: {wrong} (save the file as UTF-8)")
        names = [composed(field.value) for field in found]
        self.width = len(names)
        while names and not names[-1]:
            names.pop()
        if not names:
            raise Invalid(f"uri: {path}: the file is empty; its first line has to name the columns")
        self.names = [name or f"column_{number}" for number, name in enumerate(names, start=1)]
        check_columns(self.names, str(path))

    def certain(self, values: Sequence[str]) -> bool:
        """Whether they are a row, and not a line of somebody's text: there is an id, and pictures are where pictures should be."""
        row = dict(zip(self.names, values, strict=False))
        return bool(row["id"]) and bool(PICTURE.search(row["pictures"]))


def csv_listings(path: Path) -> Iterator[Listing | Rejected]:
    """Raises Invalid where the file as a whole cannot be read."""
    encoding = detect_encoding(path)
    with opened(path, encoding) as file:
        header = Header(file, path)
        names = header.names
        records = Records(file, header.delimiter, Rows(len(names), header.width, header.certain), header.lines)
        for record in records:
            if isinstance(record, Broken):
                yield Rejected(identity(names, record.values), record.reason, record.text[:200], record.line)
            elif not encoding.is_whole and (wrong := torn("".join(record))):
                reason = f"it holds bytes that are no text in {encoding}: {wrong} (save the file as UTF-8)"
                yield Rejected(identity(names, record), reason, None, records.line)
            elif is_utf8_within("".join(record), encoding):
                yield Rejected(identity(names, record), MIXED, "".join(record), records.line)
            elif record and record != [""]:
                yield in_columns(names, record, header.width)._replace(line=records.line)


def in_columns(names: list[str], row: list[str], width: int) -> Listing | Rejected:
    if len(row) == len(names):
        return listing(dict(zip(names, row, strict=True)))
    if not len(names) <= len(row) <= width:
        return Rejected(identity(names, row), f"it has {len(row)} values for {len(names)} columns", row[:20])
    if extra := [value for value in row[len(names) :] if value]:
        return Rejected(identity(names, row), "it has a value behind the columns that have a name", extra[0])
    return listing(dict(zip(names, row, strict=False)))


def identity(names: list[str], row: Sequence[str]) -> str:
    return dict(zip(names, row, strict=False)).get("id", "")


def guessed_delimiter(header: str) -> str:
    """The one that makes the columns that there must be; else the one that makes the most columns. What quotes hold does not count."""

    def columns(delimiter: str) -> tuple[int, int]:
        names = [field.value for field in fields(header, delimiter)]
        return len({*REQUIRED}.intersection(names)), len(names)

    return max(DELIMITERS, key=columns)
