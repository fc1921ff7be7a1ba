"""How results are printed: JSON and YAML with stable keys for programs, tables for people. Results go to stdout, the rest to stderr.

What is shown comes from catalogues, steps and registries too. A terminal obeys control characters (clears the screen, writes the
clipboard), so none but line ends and tabs reaches it.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import yaml

from lykeion.core.content import strict

REORDERING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))  # text is shown in another order than it has
HIDDEN = (0x7F, *range(0x80, 0xA0), *REORDERING)
VISIBLE = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | dict.fromkeys(HIDDEN, "\N{REPLACEMENT CHARACTER}")
ESCAPED = {code: f"\\u{code:04x}" for code in HIDDEN}  # JSON escapes the others itself


def visible(text: str) -> str:
    """The text with a sign in place of each character that a terminal would obey."""
    return text.translate(VISIBLE)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text below their headings."""

    headings: Sequence[str]
    lines: Sequence[Sequence[str]]


def rows(headings: Sequence[str], lines: Iterable[Sequence[object]], empty: str) -> Table | str:
    """A plain table, or a sentence where there is nothing."""
    texts = [["" if cell is None else str(cell) for cell in line] for line in lines]
    return Table(headings, texts) if texts else empty


def emit(value: Any, output: str, table: Table | str | None = None) -> None:
    """Print one result as asked for; `table` is what people see."""
    if output == "json":
        print(strict(value, indent=2, default=str).translate(ESCAPED))
    elif output == "yaml":
        text = strict(value, default=str)
        print(yaml.safe_dump(json.loads(text), sort_keys=False, allow_unicode=text == text.translate(ESCAPED)), end="")
    elif isinstance(table, Table):
        import_module("lykeion.cli.drawing").show(table)  # rich takes a tenth of a second to load
    elif table is not None:
        print(visible(table))


def say(text: str) -> None:
    """Progress, remarks and errors."""
    print(visible(text), file=sys.stderr, flush=True)


def detail(text: str) -> None:
    """What is under way within one command."""
    say(f"  {text}")


def counted(number: int, noun: str) -> str:
    """ "1 step", "2 steps"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def age(since: datetime | None, now: datetime | None = None) -> str:
    """ "12s", "5m", "3h", "8d"."""
    if since is None:
        return ""
    return span(((now or datetime.now(UTC)) - since).total_seconds())


def span(seconds: float) -> str:
    """A length of time in two figures."""
    whole = timedelta(seconds=int(seconds))
    if seconds < 10:
        return f"{seconds:.1f}s"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole.total_seconds() >= size:
            big, rest = divmod(int(seconds), size)
            smaller = {86400: (3600, "h"), 3600: (60, "m"), 60: (1, "s")}[size]
            return f"{big}{unit}{rest // smaller[0]}{smaller[1]}" if rest // smaller[0] else f"{big}{unit}"
    return f"{int(seconds)}s"
