"""YAML text -> plain JSON values and the line of each: YAML 1.2's scalars, no tags that build objects, duplicate keys refused.

YAML 1.1 reads `no` as false and `12:30` as 750; here, as in YAML 1.2's core schema, they are text. What can be written is what JSON can
say, so NaN, infinities and keys that are not text are problems. A file is bounded in size, in depth, and in what its aliases unfold to.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from lykeion.core.resources.places import Lines, Path, written
from lykeion.errors import Problem

Event = Any  # of yaml.events: the parser always gives one, with marks, whatever its stubs leave open

LARGEST_TEXT = 4 * 2**20  # characters
LARGEST_UNFOLDED = 2 * LARGEST_TEXT  # characters, every alias counted as what it stands for
MOST_VALUES = 300_000  # likewise
DEEPEST = 64
LONGEST_NUMBER = 400  # digits: more than a float can hold

NUMBER_OR_WORD = frozenset("0123456789+-.~nNtTfF")  # how a plain scalar that is not text begins
NULL = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """One document of a file. `value` is what could be read: keys that were written twice keep their first value."""

    value: Any = None
    lines: Lines = field(default_factory=lambda: Lines(0, []))
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True


class Refused(Exception):
    """The document cannot be read on: it is too deep, too large, or knotted."""

    def __init__(self, line: int, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.line, self.message, self.remedy = line, message, remedy


def documents(text: str, file: str) -> Iterator[Document]:
    """Every document of a file. One that cannot be read does not hide the others: a line `---` always starts a new one."""
    if len(text) > LARGEST_TEXT:
        message = f"the file has {len(text):,} characters, more than the {LARGEST_TEXT:,} that are read"
        yield Document(problems=[Problem(message, file=file, line=1, remedy="split it")], readable=False)
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = "there is a character here that text may not hold"
        yield Document(problems=[Problem(message, file=file, line=1 + text.count("\n", 0, error.start))], readable=False)
        return
    for first_line, part in split(text.removeprefix("\ufeff")):
        yield from Composer(part, first_line, file).documents()


def split(text: str) -> Iterator[tuple[int, str]]:
    """(number of the first line, text) of each document; what holds only comments and directives is passed over."""
    lines = text.split("\n")
    starts = [
        0,
        *(number for number, line in enumerate(lines) if line.startswith("---") and number and line[3:4].strip() == ""),
        len(lines),
    ]
    for start, end in pairwise(starts):
        if any(line.strip() and line[0] not in "#%" and line.rstrip() != "---" for line in lines[start:end]):
            yield start + 1, "\n".join(lines[start:end])


class Composer:
    """Builds the values of one text and remembers where they stood."""

    def __init__(self, text: str, first_line: int, file: str) -> None:
        self.text = text
        self.first_line = first_line
        self.file = file
        self.next: Callable[[], Event] = lambda: None
        self.path: list[str | int] = []
        self.problems: list[Problem] = []
        self.unfolded = self.values = 0
        self.anchors: dict[str, tuple[Any, Lines | int, int, int] | None] = {}

    def documents(self) -> Iterator[Document]:
        try:
            self.next = yaml.CSafeLoader(self.text).get_event
            event = self.next()
            while not isinstance(event, StreamEndEvent):
                if isinstance(event, DocumentStartEvent):
                    yield self.document()
                event = self.next()
        except yaml.MarkedYAMLError as error:
            yield self.unreadable(*in_plain_words(error, self.text, self.first_line))
        except yaml.YAMLError as error:  # a character that no YAML may hold; it says where, counted in bytes or characters
            at = getattr(error, "position", 0) or 0
            character = getattr(error, "character", None)
            shown = f" {chr(character)!r}" if isinstance(character, int) else ""
            yield self.unreadable(self.text.count("\n", 0, at), f"there is a character here that text may not hold{shown}", "remove it")
        except Refused as refused:
            yield self.unreadable(refused.line, refused.message, refused.remedy)

    def document(self) -> Document:
        self.problems, self.anchors = [], {}
        event = self.next()
        line = self.line(event)
        value, lines = self.node(event)
        self.next()  # the end of the document, or what stands there instead
        return Document(value, lines if isinstance(lines, Lines) else Lines(line, []), self.problems)

    def unreadable(self, line: int, message: str, remedy: str) -> Document:
        where = written(tuple(self.path)) if len(self.path) < DEEPEST else ""
        found = Problem(message, field=where, file=self.file, line=self.first_line + line, remedy=remedy)
        return Document(problems=[*self.problems, found], readable=False)

    def line(self, event: Event) -> int:
        return self.first_line + int(event.start_mark.line)

    def note(self, event: Event, message: str, remedy: str, value: object = None) -> None:
        where: Path = tuple(self.path)
        self.problems.append(Problem(message, field=written(where), value=value, file=self.file, line=self.line(event), remedy=remedy))

    def node(self, event: Event) -> tuple[Any, Lines | int]:
        """The value that starts with `event`, and its lines."""
        if isinstance(event, ScalarEvent):
            self.weigh(event, len(event.value) + 1)
            found: tuple[Any, Lines | int] = (self.scalar(event), self.line(event))
            if event.anchor:
                self.anchors[event.anchor] = (*found, len(event.value) + 1, 1)
            return found
        if isinstance(event, AliasEvent):
            return self.alias(event)
        if len(self.path) >= DEEPEST:
            raise Refused(event.start_mark.line, f"nested deeper than {DEEPEST} levels", "flatten it")
        anchor, before, counted = event.anchor, self.unfolded, self.values
        self.weigh(event, 2)
        if anchor:
            self.anchors[anchor] = None  # open: an alias to it from inside would be a knot
        if event.tag not in (None, "!", TAG + "map", TAG + "seq"):
            self.note(event, f"the tag {event.tag.replace(TAG, '!!')} is not known", "leave it out")
        found = self.mapping(event) if isinstance(event, MappingStartEvent) else self.sequence(event)
        if anchor:
            self.anchors[anchor] = (*found, self.unfolded - before, self.values - counted)
        return found

    def mapping(self, start: Event) -> tuple[Any, Lines]:
        value: dict[str, Any] = {}
        lines: dict[str, Lines | int] = {}
        while not isinstance(event := self.next(), MappingEndEvent):
            line = self.line(event)
            key = self.key(event)
            self.path.append(key)
            if key in value:
                first = lines[key]
                self.note(
                    event, f"{key!r} is written twice", f"it is on line {first if isinstance(first, int) else first.line} too; remove one"
                )
            child, below = self.node(self.next())
            self.path.pop()
            if key not in value:
                value[key] = child
                lines[key] = line if isinstance(below, int) else Lines(line, below.inside)
        return value, Lines(self.line(start), lines)

    def sequence(self, start: Event) -> tuple[Any, Lines]:
        value: list[Any] = []
        lines: list[Lines | int] = []
        while not isinstance(event := self.next(), SequenceEndEvent):
            self.path.append(len(value))
            child, below = self.node(event)
            self.path.pop()
            value.append(child)
            lines.append(below)
        return value, Lines(self.line(start), lines)

    def key(self, event: Event) -> str:
        """The key that starts with `event`: text. What is not is a problem, and read as the text that it was written with."""
        if isinstance(event, ScalarEvent):
            self.weigh(event, len(event.value) + 1)
            read = self.scalar(event)
            if event.anchor:
                self.anchors[event.anchor] = (read, self.line(event), len(event.value) + 1, 1)
            if event.value == "<<" and event.implicit[0]:
                self.note(event, "merge keys ('<<') are not part of YAML 1.2", "write the fields out")
            elif not isinstance(read, str):
                shown = event.value or "an empty key"
                self.note(event, f"a key must be text, and {shown} is not", f'write "{event.value}" in quotes', read)
            return str(event.value)
        read, _ = self.node(event)
        if not isinstance(read, str):
            self.note(event, "a key must be text, not a list or a mapping", "write a word, followed by ':'")
        return str(read)[:80]

    def alias(self, event: Event) -> tuple[Any, Lines | int]:
        name = event.anchor
        if name not in self.anchors:
            raise Refused(
                event.start_mark.line, f"*{name} stands for nothing: there is no &{name} before it", f"write &{name} at the value"
            )
        meant = self.anchors[name]
        if meant is None:
            raise Refused(event.start_mark.line, f"*{name} stands inside of what it stands for", "write the value out")
        value, lines, characters, values = meant
        self.weigh(event, characters, values)
        return value, lines

    def weigh(self, event: Event, characters: int, values: int = 1) -> None:
        self.unfolded += characters
        self.values += values
        if self.unfolded > LARGEST_UNFOLDED or self.values > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} values or {LARGEST_UNFOLDED:,} characters, counting what aliases stand for"
            raise Refused(event.start_mark.line, message, "split it, or write it without so many aliases (*name)")

    def scalar(self, event: Event) -> Any:
        """The value of a scalar, by its tag where it has one, else by how it looks where it is not in quotes."""
        text: str = event.value
        if event.tag is None or event.tag == "!":
            if not event.implicit[0] or event.tag == "!" or (text and text[0] not in NUMBER_OR_WORD):
                return text
            read = plain_scalar(text)
        elif event.tag == TAG + "str":
            return text
        elif event.tag in (TAG + "int", TAG + "float", TAG + "bool", TAG + "null"):
            read = plain_scalar(text)
            if event.tag == TAG + "float" and type(read) is int:
                read = float(read)
            if type(read).__name__.replace("NoneType", "null") != event.tag.removeprefix(TAG):
                self.note(event, f"{text!r} is not what its tag says", "leave the tag out", text)
        else:
            self.note(event, f"the tag {event.tag.replace(TAG, '!!')} is not known", "leave it out", text)
            return text
        if isinstance(read, NotJson):
            self.note(event, f"{text[:40]} is no number that can be kept", "write a finite number, or put it in quotes", text)
            return None
        return read


class NotJson:
    """What looks like a number, but none that JSON can say."""


def plain_scalar(text: str) -> Any:
    """What a scalar without quotes means in YAML 1.2's core schema; a NotJson where that is no finite number."""
    if text in NULL:
        return None
    if text in BOOLEAN:
        return BOOLEAN[text]
    if INTEGER.fullmatch(text):
        if len(text) > LONGEST_NUMBER:
            return NotJson()
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if FLOAT.fullmatch(text):
        read = float(text)
        return read if abs(read) != float("inf") else NotJson()
    return NotJson() if NOT_FINITE.fullmatch(text) else text


def in_plain_words(error: yaml.MarkedYAMLError, text: str, first_line: int) -> tuple[int, str, str]:
    """(line from 0, what is wrong, the way out) of what the parser could not read."""
    mark = error.problem_mark or error.context_mark
    lines = text.rstrip().split("\n")
    line = min(mark.line, len(lines) - 1) if mark is not None else 0
    problem = error.problem or "it cannot be read"
    shown = lines[line]
    if "\t" in shown[: len(shown) - len(shown.lstrip())] or ("cannot start any token" in problem and "\t" in shown):
        return line, "a tab stands where only spaces may", "indent with spaces"
    for words, message, remedy in SYNTAX:
        if words in problem:
            if "is not closed" in message and error.context_mark is not None:  # say where it was opened
                return error.context_mark.line, message.replace("LINE", str(line + first_line)), remedy
            return line, message, remedy
    return line, f"this is no YAML: {problem}", "look at the line, and at the one before it"


SYNTAX = (
    ("mapping values are not allowed", "a ':' stands where it cannot", "indent the line like its neighbours, or put the text in quotes"),
    ("did not find expected key", "this does not fit to the lines above it", "indent it like its neighbours; close quotes and brackets"),
    ("did not find expected '-' indicator", "this does not fit to the list above it", "begin it with '- ', indented like its neighbours"),
    ("block sequence entries are not allowed", "a list cannot begin here", "put '- ' on a line of its own"),
    ("could not find expected ':'", "a ':' is missing after a key", "write `key: value`"),
    ("did not find expected ',' or ']'", "a bracket '[' is not closed, or a ',' is missing before line LINE", "close it"),
    ("did not find expected ',' or '}'", "a brace '{' is not closed, or a ',' is missing before line LINE", "close it"),
    ("found unexpected end of stream", "a quote is not closed", "close it"),
    ("cannot start any token", "a character stands here that cannot begin a value", "put the text in quotes"),
    ("found undefined tag handle", "the tag is not known", "leave it out"),
    (
        "found unknown escape character",
        "a backslash in double quotes begins nothing known",
        "write \\\\ for a backslash, or use 'single quotes'",
    ),
    ("exceeded max depth", f"nested deeper than {DEEPEST} levels", "flatten it"),
)
