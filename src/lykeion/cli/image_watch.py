"""`lykeion image watch`: the image builder in the foreground. `lykeion up --registry` runs it beside the platform."""

import os
import signal
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from threading import Event

from lykeion.assembly import local
from lykeion.assembly_images import REGISTRY
from lykeion.assembly_registries import image_builder
from lykeion.cli.printing import visible
from lykeion.daemons.image_builder import watch
from lykeion.errors import Invalid, Problem


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("--registry", default="", metavar="HOST[:PORT][/PREFIX]", help=f"where images go (default: ${REGISTRY})")
    parser.add_argument("--base", default="", help="a base lock, or REGISTRY/IMAGE@DIGEST (default: Debian's Python)")
    parser.add_argument("--once", action="store_true", help="until there is nothing left to build now")


def main(args: Namespace) -> int:
    prefix = args.registry or os.environ.get(REGISTRY, "")
    if not prefix:
        raise Invalid(
            [Problem("it is not said where images go", field="--registry", remedy=f"--registry localhost:5000, or set {REGISTRY}")]
        )
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with local(args.home) as platform:
        builder = image_builder(platform, prefix, said, args.base)
        said(f"watching {platform.repository_url} for {prefix}")
        watch(builder, stop.is_set, (lambda _: stop.set()) if args.once else stop.wait)
    return 0


def said(what: str) -> None:
    print(visible(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {what}"), flush=True)
