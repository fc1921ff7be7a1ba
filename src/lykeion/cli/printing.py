"""How results are printed: JSON and YAML with stable keys for programs, tables for people. Results go to stdout, the rest to stderr."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from lykeion.core.content import strict


def emit(value: Any, output: str, table: "Table | str | None" = None) -> None:
    """Print one result as asked for; `table` is what people see."""
    if output == "json":
        print(strict(value, indent=2, default=str))
    elif output == "yaml":
        print(yaml.safe_dump(json.loads(strict(value, default=str)), sort_keys=False, allow_unicode=True), end="")
    elif isinstance(table, str):
        print(table)
    elif table is not None:
        out().print(table)


def out() -> Console:
    """Where results go: full width when it is no terminal, so that lines are not cut in pipes."""
    at_terminal = sys.stdout.isatty()
    return Console(
        file=sys.stdout, width=None if at_terminal else 200, highlight=False, markup=False, emoji=False, soft_wrap=not at_terminal
    )


def err() -> Console:
    """Where progress and remarks go."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def rows(headings: Sequence[str], lines: Iterable[Sequence[object]], empty: str) -> "Table | str":
    """A plain table, or a sentence where there is nothing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*("" if cell is None else str(cell) for cell in line))
    return table if table.row_count else empty


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
