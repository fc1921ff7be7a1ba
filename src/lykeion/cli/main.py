"""The entry of `lykeion`: finds the command and loads only what that command needs, so that `--help` answers at once.

Exit codes: 0 done · 1 it failed · 2 what was written is wrong · 3 not found · 4 conflict · 5 something needed does not answer
· 6 corrupt bytes · 130 interrupted
"""

import os
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from lykeion.cli.common import DEFAULTS, Parser, common_arguments


class Command(NamedTuple):
    """One command: the module that has `arguments(parser)` and `main(args)`, and a line for `--help`."""

    module: str
    help: str


COMMANDS = {
    "demo": Command("demo", "photo search over real pictures, from nothing to the page in the browser"),
    "up": Command("up", "run the platform: controller, servers and the page, on loopback"),
    "open": Command("open", "open the page of the running platform in the browser, as who may do everything"),
    "run": Command("run", "run a pipeline file and wait for it"),
    "rerun": Command("trainings", "run a Training again: what is cached is not run"),
    "cancel": Command("trainings", "cancel a Training"),
    "explain": Command("explain", "say which steps would run, and which part of the key differs from before"),
    "logs": Command("logs", "show what the steps of a Training, or a service, printed"),
    "quarantine": Command("quarantine", "list the rows and pictures that the steps of a Training set aside, and why"),
    "apply": Command("resources", "create or change resources from YAML files"),
    "get": Command("resources", "list resources, or show some"),
    "describe": Command("resources", "show one resource with its conditions and events"),
    "delete": Command("resources", "delete resources"),
    "models": Command("models", "the model repository: list, show, alias, rollback, rm, prune, verify"),
    "image": Command("image", "OCI images of pipelines and models: build, plan, push, pull … without a Dockerfile or a daemon"),
    "search": Command("search", "find the items that are most alike to a photo"),
    "gc": Command("gc", "free what nothing refers to"),
    "doctor": Command("doctor", "check this machine and this home"),
}

USAGE = """usage: lykeion COMMAND [OPTION ...]

Train, version, serve and search with many models: pipelines of components in YAML, one machine, no Docker.

commands:
{commands}

`lykeion COMMAND --help` says more. Everywhere: --home DIR (or LYKEION_HOME), -o table|json|yaml, -v for tracebacks.
A first try: lykeion demo
"""


def usage() -> str:
    width = max(map(len, COMMANDS))
    return USAGE.format(commands="\n".join(f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()))


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Never shows a traceback without -v."""
    words = list(sys.argv[1:] if given is None else given)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0 if words else 2
    if words[0] in ("--version", "version"):
        print(f"lykeion {import_module('lykeion').__version__}")
        return 0
    if torn := [word for word in words if not is_text(word) and not os.path.exists(word)]:
        print(f"lykeion: {', '.join(map(ascii, torn))}: this is no text in UTF-8", file=sys.stderr)
        return 2
    name = words[0]
    if name not in COMMANDS:
        near = import_module("difflib").get_close_matches(name, COMMANDS, 1)
        print(
            f"lykeion: there is no command {name!r}" + (f"; did you mean {near[0]}?" if near else "; see lykeion --help"), file=sys.stderr
        )
        return 2
    module = import_module(f"lykeion.cli.{COMMANDS[name].module}")
    parser = Parser(prog=f"lykeion {name}", description=COMMANDS[name].help, formatter_class=RawDescriptionHelpFormatter)
    common_arguments(parser)
    module.arguments(parser, name)
    args = Namespace(command=name, **DEFAULTS)
    return guarded(lambda: module.main(parser.parse_args(words[1:], args)), args)


def is_text(word: str) -> bool:
    """Whether it can be kept and printed: bytes on a command line that are no UTF-8 come as half surrogate pairs."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def guarded(command: Callable[[], int], args: Namespace) -> int:
    """Run it; errors become a sentence and an exit code."""
    errors = import_module("lykeion.errors")
    try:
        code = command()
        sys.stdout.flush()  # here, where a reader that has gone is no error
        return code
    except errors.LykeionError as error:
        complain(args, str(error))
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a folder that is not there, a full disk: of a file that somebody named, as a rule
        complain(args, f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}")
        return int(errors.Unavailable.exit_code)


def complain(args: Namespace, problem: str) -> None:
    """Say what went wrong, below the traceback where that is asked for."""
    trace = import_module("traceback").format_exc() if args.verbose else ""
    import_module("lykeion.cli.printing").say(f"{trace}lykeion {args.command}: {problem}")


if __name__ == "__main__":
    sys.exit(main())
