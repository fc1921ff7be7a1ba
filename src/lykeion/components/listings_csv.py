"""Listings from CSV, row by row in bounded memory, whatever encoding and separator a spreadsheet has chosen."""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from lykeion.components.listings import Listing, Rejected, check_columns, listing
from lykeion.errors import Invalid

LONGEST_FIELD = 1_000_000
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
CHUNK = 1 << 20


def csv_listings(path: Path) -> Iterator[Listing | Rejected]:
    """Raises Invalid where the file as a whole cannot be read."""
    csv.field_size_limit(LONGEST_FIELD)
    encoding = detect_encoding(path)
    with path.open(encoding=encoding, errors="replace" if encoding.startswith("utf-16") else "strict", newline="") as file:
        rows = csv.reader(without_nul(file), delimiter=detect_delimiter(file), strict=False)
        names = [name.strip() for name in next_row(rows) or ()]
        if not names:
            raise Invalid(f"uri: {path}: the file is empty; its first line has to name the columns")
        check_columns(names, str(path))
        while True:
            try:
                row = next_row(rows)
            except csv.Error as error:
                yield Rejected("", f"line {rows.line_num} cannot be read as CSV: {error}")
                continue
            if row is None:
                return
            if row:
                yield in_columns(names, row)


def next_row(rows: Iterator[list[str]]) -> list[str] | None:
    return next(rows, None)


def in_columns(names: list[str], row: list[str]) -> Listing | Rejected:
    if len(row) != len(names):
        reason = f"it has {len(row)} values for {len(names)} columns"
        return Rejected(dict(zip(names, row, strict=False)).get("id", ""), reason, row[:20])
    return listing(dict(zip(names, row, strict=True)))


def without_nul(lines: TextIO) -> Iterator[str]:
    """NUL has no place in text, but exports have it."""
    for line in lines:
        yield line.replace("\0", "") if "\0" in line else line


def detect_encoding(path: Path) -> str:
    """By its mark, else UTF-8 where all of it is, else UTF-16 where every other byte is empty, else Windows' Latin-1."""
    with path.open("rb") as file:
        start = file.read(4096)
        for mark, name in MARKS:
            if start.startswith(mark):
                return name
        if start[1::2].count(0) > len(start) // 4:
            return "utf-16-le"
        if start[0::2].count(0) > len(start) // 4:
            return "utf-16-be"
        file.seek(0)
        return "utf-8" if is_utf8(file) else "latin-1"


def is_utf8(file: io.BufferedIOBase | io.BufferedReader) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def detect_delimiter(file: TextIO) -> str:
    """Of the usual ones, the one that the first line has most of."""
    header = file.readline(LONGEST_FIELD)
    file.seek(0)
    return max((",", ";", "\t"), key=header.count)
