"""What of a text must not be shown because it is a secret: its value, each of its lines, and the ways in which programs write it down.

A value of fewer than four characters is not masked: it would be found in every other word, and say by that what it is. What a program
makes of a secret in its own way (a hash, a cipher, another character set) nobody can know.
"""

import re
import shlex
from base64 import b64encode
from collections.abc import Iterable, Iterator
from json import dumps
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4  # characters
MASK = "***"
HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})  # as `html.escape`, whose module is dear


def forms_of(values: Iterable[str]) -> tuple[str, ...]:
    """The texts to mask for these secrets: as they are, by line, and as programs write them. The longest first."""
    texts = {text for value in values for whole in (value, *value.splitlines()) for text in (whole, whole.strip())}
    forms = {form for text in texts if len(text.strip()) >= SHORTEST for form in written(text)}
    return tuple(sorted((form for form in forms if len(form) >= SHORTEST), key=lambda form: (-len(form), form)))


def written(text: str) -> Iterator[str]:
    """Itself; in JSON, in Python, in HTML, in a shell, in a URL, in hexadecimal, and in base64, also behind other bytes."""
    data = text.encode("utf-8", "surrogateescape")
    escaped = dumps(text)[1:-1]
    yield from (text, escaped, escaped.replace("/", "\\/"), dumps(escaped)[1:-1], dumps(text, ensure_ascii=False)[1:-1])
    yield from (repr(text)[1:-1], ascii(text)[1:-1], repr(data)[2:-1], text.translate(HTML), shlex.quote(text).strip("'"), data.hex())
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield from (quoted, re.sub("%..", lambda code: code[0].lower(), quoted))
    for before in range(3):
        bits = slice(-(-before * 8 // 6), (before + len(data)) * 8 // 6)  # the letters that depend on nothing else
        letters = b64encode(bytes(before) + data).decode()[bits]
        yield from (letters, letters.replace("+", "-").replace("/", "_"))


class Mask:
    """Masks secrets in JSON values, and in bytes that come piece by piece."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.forms = tuple(form.encode("utf-8", "surrogateescape") for form in forms_of(secrets))
        self.pattern = re.compile(b"|".join(map(re.escape, self.forms))) if self.forms else None
        self.held = b""  # the end of what came: it may be the beginning of a secret

    def value(self, value: Any) -> Any:
        """A JSON value with its texts masked, names included."""
        if self.pattern is None:
            return value
        if isinstance(value, str):
            return self.pattern.sub(MASK.encode(), value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
        if isinstance(value, dict):
            return {self.value(name): self.value(inner) for name, inner in value.items()}
        return [self.value(inner) for inner in value] if isinstance(value, list) else value

    def feed(self, data: bytes) -> bytes:
        """The next piece, masked; what may be the beginning of a secret is held back until the rest is there."""
        if self.pattern is None:
            return data
        data = self.held + data
        begun = len(data) - max(self._begun(data, form) for form in self.forms)
        shown, at = [], 0
        for match in self.pattern.finditer(data):
            if match.start() >= begun:
                break
            shown += [data[at : match.start()], MASK.encode()]
            at = match.end()
        self.held = data[max(at, begun) :]
        return b"".join([*shown, data[at:begun]])

    def end(self) -> bytes:
        """What was held back, when nothing more comes. The beginning of a secret is masked, too."""
        data, self.held = self.held, b""
        return MASK.encode() if len(data) >= SHORTEST else data

    @staticmethod
    def _begun(data: bytes, form: bytes) -> int:
        """How many bytes at the end of `data` are the beginning of `form`, but not all of it."""
        longest = min(len(form) - 1, len(data))
        return next((length for length in range(longest, 0, -1) if data.endswith(form[:length])), 0)
