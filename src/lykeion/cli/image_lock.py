"""`lykeion image lock`: write down what images are made of, so that they are the same wherever and whenever they are built."""

import platform
from argparse import ArgumentParser, Namespace
from pathlib import Path

from lykeion.adapters.images.apt import resolve
from lykeion.adapters.images.requirements import Requirements
from lykeion.adapters.local.home import Home
from lykeion.cli.printing import counted, emit
from lykeion.core.images.debs import parse_base_lock
from lykeion.core.images.wheels import Target
from lykeion.errors import Invalid, NotFound, Problem


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("what", nargs="?", default="base", metavar="FILE", help="requirements.in, pyproject.toml … (default: the base)")
    parser.add_argument("--to", metavar="LOCK", help="the file to write (default: base.lock, or FILE with the ending .lock)")
    parser.add_argument("--debian", action="append", default=[], metavar="PACKAGE", help="a further Debian package of the base")
    parser.add_argument("--base", metavar="LOCK", help="the base whose Python the packages are for (default: this Python)")


def main(args: Namespace) -> int:
    if args.what == "base":
        lock = resolve(args.debian)
        to = Path(args.to or "base.lock")
        to.write_text(lock.text)
        emit({"file": str(to), "packages": len(lock.debs), "python": lock.python}, args.output, f"{to}: {lock.title}")
        return 0
    file = Path(args.what)
    if args.debian:
        raise Invalid([Problem("Debian packages belong to the base", field="--debian", remedy="lykeion image lock --debian PACKAGE")])
    if file.suffix in (".lock", ".txt"):
        raise Invalid([Problem(f"{file} is a lock already", field="FILE", value=str(file), remedy="name what it is made from")])
    target = Target(parse_base_lock(read(args.base), args.base).python if args.base else platform.python_version())
    found = Requirements(Home.chosen(args.home).cache / "images" / "locks", target).read(file)
    to = Path(args.to or file.with_suffix(".lock"))
    to.write_text(f"# Made by lykeion image lock from {file.name}, for Python {target.python} on {target.platform}\n{found.text}")
    emit(
        {"file": str(to), "packages": len(found.packages), "python": target.python},
        args.output,
        f"{to}: {counted(len(found.packages), 'package')}",
    )
    return 0


def read(name: str) -> str:
    try:
        return Path(name).read_text()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {name}; make it with: lykeion image lock --to {name}") from error
