"""What is drawn for people with rich: tables, and the live tree of a Training's steps on a terminal. Loaded only where it is drawn."""

import sys
from collections.abc import Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from lykeion.cli.printing import Table, visible


def show(table: Table) -> None:
    """On stdout: at full width where that is no terminal, so that lines are not cut in pipes."""
    drawn = RichTable(box=None, pad_edge=False, header_style="bold")
    for heading in table.headings:
        drawn.add_column(heading, overflow="fold")
    for line in table.lines:
        drawn.add_row(*map(visible, line))
    at_terminal = sys.stdout.isatty()
    width = None if at_terminal else 200
    Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False, soft_wrap=not at_terminal).print(drawn)


def remarks() -> Console:
    """stderr, where every text is shown as it is."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


class Tree:
    """Lines that are drawn anew in the same place, each of pieces of text with their styles."""

    def __init__(self) -> None:
        self.live = Live(console=remarks(), auto_refresh=False, transient=False)

    @property
    def width(self) -> int:
        """Of the terminal, in characters."""
        return self.live.console.width

    def start(self) -> None:
        self.live.start()

    def stop(self) -> None:
        self.live.stop()

    def say(self, text: str) -> None:
        """Above the lines."""
        self.live.console.print(visible(text))

    def draw(self, lines: Iterable[Iterable[tuple[str, str]]]) -> None:
        self.live.update(Group(*(Text.assemble(*((visible(text), style) for text, style in line)) for line in lines)), refresh=True)
