"""What every command takes."""

from argparse import ArgumentParser

DEFAULTS = {"home": None, "output": "table", "verbose": False}


def common_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--home", help="the folder that holds everything (default: $LYKEION_HOME, else ~/.lykeion)")
    parser.add_argument("-o", "--output", choices=("table", "json", "yaml"), help="what to print (default: table)")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more; show tracebacks")
