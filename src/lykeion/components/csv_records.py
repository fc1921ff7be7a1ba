"""The records of a CSV text, one by one in bounded memory. A quote that nobody closes costs its own record and no other.

Python's csv does the work; only a record that spans lines is looked at twice. Where a line inside its quotes is a whole row by itself, or
the quote never ends, the line with the opening quote is broken, and reading goes on behind it.
"""

import csv
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate, chain
from typing import NamedTuple, TextIO

from lykeion.components.csv_fields import Field, fields, is_misquoted, is_sound, is_torn_apart

LONGEST_FIELD = 1_000_000  # characters
LONGEST_RECORD = 4_000_000
MOST_REREAD = 64_000_000  # characters that are read twice for the sake of open quotes; then a record may have no more than
SHORT_RECORD = 8_000
LOOKED_AT = 3  # lines of a record, while its quotes are looked at with each further line

AS_TWO = 'a quote that is meant is written as two, in a field between quotes: "27"" screen'
OPEN = f"a quote opens in it and is not closed (close it; {AS_TWO})"
MISPLACED = f"a quote closes in it where no field ends ({AS_TWO}; a backslash before it does not count)"


class Broken(NamedTuple):
    """A record that cannot be read. `line`: the one in which it is broken. `values`: what its fields may be."""

    line: int
    values: Sequence[str]
    reason: str
    text: str


class Rows(NamedTuple):
    """What tells a row: how many values it has at least and at most, and whether such values are a row without a doubt."""

    least: int
    most: int
    are_certain: Callable[[Sequence[str]], bool]

    def fit(self, values: Sequence[object]) -> bool:
        return self.least <= len(values) <= self.most


class Swallowed(Exception):
    """A row came while a quote was open, or the quote goes on for too long."""


class Records:
    """Iterate it: lists of values without the blanks around them (blanks inside quotes stay), or Broken. `line`: of the last, from 1 on."""

    def __init__(self, file: TextIO, delimiter: str, rows: Rows, before: int) -> None:
        """before: how many lines of the file were read already."""
        self.file, self.delimiter, self.rows, self.before = file, delimiter, rows, before
        self.reader = csv.reader(self.lines(), delimiter=delimiter, skipinitialspace=True)
        self.span = 1  # lines of the last record
        self.taken: list[str] = []  # the lines of the record that is being read
        self.again: deque[str] = deque()  # lines that were taken too early
        self.reread = 0
        self.has_ended = False

    @property
    def line(self) -> int:
        return self.before + self.reader.line_num - self.span + 1

    def __iter__(self) -> Iterator[list[str] | Broken]:
        csv.field_size_limit(LONGEST_FIELD)
        while not self.has_ended or self.again:
            self.has_ended = False
            self.reader = csv.reader(self.lines(), delimiter=self.delimiter, skipinitialspace=True)
            try:
                yield from self.sound()
            except Swallowed:
                yield self.broken(OPEN)
            except csv.Error as error:
                yield self.broken(OPEN if len(self.taken) > 1 else f"it cannot be read as CSV: {error}")

    def sound(self) -> Iterator[list[str] | Broken]:
        """The records up to one whose end is not known. Raises Swallowed, csv.Error."""
        taken = self.taken
        for values in self.reader:
            self.span = len(taken)
            if (self.span > 1 or self.has_ended) and self.swallows():
                raise Swallowed
            made: list[str] | Broken = [*map(str.strip, values)]
            if any('"' in line for line in taken):
                made = self.quoted()
            taken.clear()
            yield made

    def quoted(self) -> list[str] | Broken:
        """The record that was taken, of which quotes are a part."""
        found, text = self.fields(), "".join(self.taken)
        values = [field.value for field in found]
        is_escaped = '\\"' in text and not (self.rows.fit(found) or is_sound(found))
        if is_escaped or any(is_misquoted(field, text) for field in found):
            return Broken(self.line, values, MISPLACED, text.strip())
        return values

    def lines(self) -> Iterator[str]:
        """The lines that are left. Raises Swallowed."""
        taken, again, size = self.taken, self.again, 0
        longest = LONGEST_RECORD if self.reread < MOST_REREAD else SHORT_RECORD
        for line in chain(iter(partial(first_of, again), ""), iter(partial(self.file.readline, LONGEST_RECORD), "")):
            if "\0" in line:
                line = line.replace("\0", "")  # has no place in text, but exports have it
            size = size + len(line) if taken else len(line)
            if len(line) >= LONGEST_RECORD:
                self.pass_over_the_rest(line)
            if taken and (size > longest or self.is_swallowed(line)):
                again.appendleft(line)
                raise Swallowed
            taken.append(line)
            yield line
        self.has_ended = True

    def pass_over_the_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self.file.readline(LONGEST_RECORD)

    def is_swallowed(self, line: str) -> bool:
        """Whether a line that comes while a quote is open is a row for sure, or makes no sense as what it would be else."""
        if not self.is_long_enough(line):
            return False
        is_torn = len(self.taken) <= LOOKED_AT and any(map(is_torn_apart, fields("".join([*self.taken, line]), self.delimiter)))
        return is_torn or self.may_be_row(line, self.rows.are_certain)

    def may_be_row(self, line: str, judge: Callable[[Sequence[str]], bool] = bool) -> bool:
        if not self.is_long_enough(line):
            return False
        found = fields(line, self.delimiter)
        return is_sound(found) and self.rows.fit(found) and judge([field.value for field in found])

    def fields(self) -> list[Field]:
        return fields("".join(self.taken), self.delimiter)

    def swallows(self) -> bool:
        """Whether a record that spans lines, or that the end of the file has cut short, seems to hold rows between its quotes."""
        if self.has_ended:
            return True
        if not any(map(self.is_long_enough, self.taken[1:])):
            return False
        found = self.fields()
        if not is_sound(found):
            return True
        return not self.rows.fit(found) and self.rows.least > 2 and any(map(self.may_be_row, self.taken[1:]))

    def is_long_enough(self, line: str) -> bool:
        return line.count(self.delimiter) >= self.rows.least - 1

    def broken(self, reason: str) -> Broken:
        """The lines up to the one in which a quote opens are given up; those behind it are read again."""
        self.span = len(self.taken)
        found, ends = self.fields(), list(accumulate(map(len, self.taken)))
        spanning = (field for field in found if bisect_right(ends, field.start) < bisect_right(ends, field.end - 1))
        guilty = next((field for field in found if field.is_open or is_torn_apart(field)), None) or next(spanning, None)
        lost = bisect_right(ends, guilty.start) + 1 if guilty else len(self.taken)
        values = [field.value for field in fields("".join(self.taken[:lost]), self.delimiter)]
        self.before = self.line + lost - 1
        self.again.extendleft(reversed(self.taken[lost:]))
        self.reread += ends[-1]
        text = self.taken[lost - 1].strip()
        self.taken.clear()
        return Broken(self.before, values, reason, text)


def first_of(lines: deque[str]) -> str:
    return lines.popleft() if lines else ""
