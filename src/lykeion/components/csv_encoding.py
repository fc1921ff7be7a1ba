"""Which encoding a text file is in, and its text with what is no text in that encoding marked rather than guessed at."""

import codecs
import io
import re
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

from lykeion.errors import Invalid

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CHUNK = 1 << 20
TORN = re.compile(r"[\udc00-\udcff]+")
NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "cp1252": "Windows-1252 (the file is not UTF-8)"}


class Encoding(NamedTuple):
    """`is_whole`: every byte of the file is text in it."""

    name: str
    is_whole: bool

    def __str__(self) -> str:
        return NAMES.get(self.name, self.name.upper())


def mark_torn(error: UnicodeError) -> tuple[str, int]:
    """A handler of codecs: each byte that is no text becomes half a surrogate pair, which text never holds."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("mark-torn", mark_torn)


def opened(path: Path, encoding: Encoding) -> TextIO:
    """The text of a file, line ends as they are."""
    return path.open(encoding=encoding.name, errors="strict" if encoding.is_whole else "mark-torn", newline="")


def torn(text: str) -> str:
    """The first bytes of it that are no text, as "0x81 0x8d"; "" where all is text."""
    found = TORN.search(text)
    return " ".join(f"0x{ord(character) - 0xDC00:02x}" for character in found[0][:8]) if found else ""


def detect_encoding(path: Path) -> Encoding:
    """By its mark, else UTF-16 where every other byte is empty, else UTF-8 where all of it is (or half of the lines that are not
    ASCII), else Windows-1252, which is Latin-1 with quotation marks, dashes and the euro.

    Raises Invalid for UTF-32 that is torn: nothing after that can be read.
    """
    with path.open("rb") as file:
        name = guessed(file.read(4096))
        if is_whole(file, name):
            return Encoding(name, True)
        if name == "utf-8":
            name = name if is_mostly_utf8(path) else "cp1252"
            return Encoding(name, name == "cp1252" and is_whole(file, name))
        if name == "utf-32":
            raise Invalid(f"uri: {path}: the file begins as UTF-32 and is not: save it as UTF-8")
        return Encoding(name, False)


def guessed(start: bytes) -> str:
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    if start[0::2].count(0) > len(start) // 4:
        return "utf-16-be"
    return "utf-8"


def is_whole(file: BinaryIO | io.BufferedReader, name: str) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    file.seek(0)
    try:
        while chunk := file.read(CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def is_mostly_utf8(path: Path) -> bool:
    """Letters of Windows-1252 make no valid UTF-8 but by chance, so where as many lines are valid as not, the others are damage.

    Lines are counted, not letters: of a file that was put together from two, every line is in one encoding.
    """
    valid = broken = 0
    with opened(path, Encoding("utf-8", is_whole=False)) as file:
        for line in iter(partial(file.readline, CHUNK), ""):
            if TORN.search(line):
                broken += 1
            elif not line.isascii():
                valid += 1
    return valid >= broken


def is_utf8_within(text: str, encoding: Encoding) -> bool:
    """Whether a text that was read as Windows-1252 is one that somebody wrote as UTF-8: each of its letters, without exception, says so.

    Only letters that Windows-1252 has are believed: a single CAFÉ’S in it is UTF-8 by chance, of letters that nobody writes.
    """
    if encoding.name != "cp1252" or text.isascii():
        return False
    try:
        text.encode("cp1252").decode("utf-8").encode("cp1252")
    except UnicodeError:
        return False
    return True
