"""What every command takes."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

DEFAULTS = {"home": None, "output": "table", "verbose": False}


class Parser(ArgumentParser):
    """What it says of the words of a command line, which may be names of files, a terminal need not obey."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(import_module("lykeion.cli.printing").visible(message), file)


class Late(Parser):
    """Learns its arguments, by `fill`, when it is to read some: of a command with many actions only the one that is asked for is loaded."""

    def __init__(self, *args: Any, fill: Callable[[ArgumentParser], None] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fill = fill

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)
        return super().parse_known_args(args, namespace)


def common_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--home", help="the folder that holds everything (default: $LYKEION_HOME, else ~/.lykeion)")
    parser.add_argument("-o", "--output", choices=("table", "json", "yaml"), help="what to print (default: table)")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more; show tracebacks")
