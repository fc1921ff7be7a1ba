"""`lykeion doctor`: whether this machine and this home are well; exit code 1 where something is not."""

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from lykeion.adapters.local.doctor import check_all
from lykeion.adapters.local.front import check_port, running_at
from lykeion.assembly import local
from lykeion.cli.printing import emit, rows
from lykeion.cli.up import DEFAULT_PORT

WORDS = {True: "ok", False: "WRONG", None: "note"}


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the port that the platform is to have")


def main(args: Namespace) -> int:
    check_port(args.port)
    with local(args.home) as platform:
        checks = check_all(platform.home, args.port, platform.resources, serving=running_at(platform.home) is not None)
    lines = ((WORDS[check.ok], check.name, check.detail, check.remedy) for check in checks)
    emit([asdict(check) for check in checks], args.output, rows(("", "CHECK", "FOUND", "WHAT TO DO"), lines, "nothing was checked"))
    return 0 if all(check.ok is not False for check in checks) else 1
