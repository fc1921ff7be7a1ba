"""What a search request asks, read from its URL, headers and body, or refused with a sentence that says why. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lykeion.core.search.collapse import LEAST, MOST
from lykeion.core.search.filters import MOST_FILTERS, parse_number
from lykeion.core.search.merge import check_k, offset_of
from lykeion.errors import Invalid, Problem
from lykeion.servers.problems import Refused

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

DEFAULT_K = 10
PARAMETERS = ("k", "filter", "next", "collapse")
LONGEST_ITEM = 512
PICTURE_TYPES = (
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "binary/octet-stream",
    "",
)  # the second is curl's own choice
NO_PICTURE = "This file is not a picture we can read"  # a title, for shoppers
NO_PICTURES = {"image/svg+xml": "SVG is a drawing program, not a picture"}


@dataclass(frozen=True, slots=True)
class Paging:
    """The URL's part of a question. collapse: the cosine from which two items' pictures count as the same."""

    k: int = DEFAULT_K
    offset: int = 0
    filters: tuple[str, ...] = ()
    collapse: float | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    data: bytes


@dataclass(frozen=True, slots=True)
class Item:
    id: str


@dataclass(frozen=True, slots=True)
class Vector:
    numbers: list[float]


Like = Picture | Item | Vector


class JsonQuestion(msgspec.Struct, forbid_unknown_fields=True):
    item: str | None = None
    vector: list[float] | None = None


DECODER = msgspec.json.Decoder(JsonQuestion)


def paging_of(query: bytes) -> Paging:
    """Of the URL's query. Raises Refused (400)."""
    text = query.decode(errors="surrogateescape")
    try:
        pairs = parse_qsl(text, True, strict_parsing=bool(query), errors="surrogateescape", max_num_fields=2 * MOST_FILTERS)
    except ValueError as error:
        raise Refused(400, f"the query of the URL cannot be read: {error}") from error
    k, token, collapse = str(DEFAULT_K), "", None
    filters: list[str] = []
    for name, value in pairs:
        if any("\udc80" <= letter <= "\udcff" for letter in value):
            raise Refused(400, f"{ascii(name)[1:-1]} is not UTF-8: write ö as itself or as %C3%B6")
        if name == "filter":
            filters.append(value)
        elif name == "k":
            k = value
        elif name == "next":
            token = value
        elif name == "collapse":
            collapse = value
        else:
            close = get_close_matches(name, PARAMETERS, n=1)
            raise Refused(
                400, f"there is no parameter {name!r}; " + (f"did you mean {close[0]!r}?" if close else f"use {', '.join(PARAMETERS)}")
            )
    try:
        return Paging(check_k(whole_number(k)), offset_of(token), tuple(filters), None if collapse is None else check_collapse(collapse))
    except Invalid as wrong:
        raise Refused(400, str(wrong)) from wrong


def check_collapse(text: str) -> float:
    """Raises Invalid."""
    try:
        alike = float(parse_number(text))
    except ValueError:
        alike = math.nan
    if not LEAST <= alike <= MOST:
        remedy = f"write a cosine from {LEAST:g} to {MOST:g}: from there on two items' pictures count as the same"
        raise Invalid([Problem(f"collapse is {text[:40]!r}", "collapse", text[:40], remedy=remedy)])
    return alike


def whole_number(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise Refused(400, f"k is {text[:40]!r}: write a whole number, as in k=10")
    return int(text)


def question_of(content_type: str, body: bytes) -> Like:
    """Of the body. Raises Refused: 400 for JSON or multipart that says nothing, 415 for a type that is no picture."""
    kind, options = header_of(content_type)
    name = kind.decode("latin-1").lower()
    if name == "application/json":
        return json_question(body)
    if name == "multipart/form-data":
        return Picture(picture_in_form(body, options))
    if name in NO_PICTURES:
        raise Refused(415, f"{NO_PICTURES[name]}; send JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF", NO_PICTURE)
    if not name.startswith("image/") and name not in PICTURE_TYPES:
        detail = f"{name} is nothing to search by; send a picture's bytes, a form with `image`, or application/json"
        raise Refused(415, detail, NO_PICTURE)
    return Picture(body)


def header_of(value: str) -> tuple[bytes, Mapping[bytes, bytes]]:
    """A header's value and options. Raises Refused (400)."""
    try:
        return parse_options_header(value)
    except (ValueError, LookupError) as error:
        raise Refused(400, f"the header {value[:80]!r} cannot be read") from error


def json_question(body: bytes) -> Item | Vector:
    try:
        found = DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(400, f'the JSON cannot be used: {error}; send {{"item": ID}} or {{"vector": [numbers]}}') from error
    if (found.item is None) == (found.vector is None):
        raise Refused(400, 'say either {"item": ID} or {"vector": [numbers]}')
    if found.item is not None:
        if not 0 < len(found.item) <= LONGEST_ITEM:
            raise Refused(400, f"an item's id has 1 to {LONGEST_ITEM} characters")
        return Item(found.item)
    assert found.vector is not None
    return Vector(found.vector)


def picture_in_form(body: bytes, options: Mapping[bytes, bytes]) -> bytes:
    """The part named `image`."""
    boundary = options.get(b"boundary")
    if not boundary:
        raise Refused(400, "the form has no boundary in its content type; let the HTTP library set that header")
    form = Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused(400, f"the form cannot be read: {error}") from error
    if form.image is None or not form.ended:
        raise Refused(400, "the form ends too early" if not form.ended else "the form has no part named `image`; send the picture as that")
    return bytes(form.image)


class Form:
    """Collects the first part named `image`; passes over the others."""

    def __init__(self) -> None:
        self.image: bytearray | None = None
        self.ended = False
        self.field = b""
        self.value = b""
        self.wanted = False

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_end": self.on_end,
        }

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self.field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def on_header_end(self) -> None:
        if self.field.lower() == b"content-disposition" and self.image is None:
            _, options = header_of(self.value.decode("latin-1"))
            if options.get(b"name") == b"image":
                self.wanted, self.image = True, bytearray()
        self.field = self.value = b""

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self.wanted and self.image is not None:
            self.image += data[start:end]

    def on_part_end(self) -> None:
        self.wanted = False

    def on_end(self) -> None:
        self.ended = True
