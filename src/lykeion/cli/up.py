"""`lykeion up`: the whole platform of one home on one port of loopback, until it is told to stop."""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from lykeion.adapters.local.children import LocalChildren
from lykeion.adapters.local.front import Front
from lykeion.adapters.local.home import CLOSE_IT
from lykeion.adapters.local.kept_process import KeptProcess
from lykeion.adapters.local.token import page_with_token, token_of
from lykeion.adapters.registry import REGISTRY
from lykeion.assembly import Platform, children, local, servings, tasks_engine, trainings
from lykeion.cli.printing import say
from lykeion.daemons.controller import Part, control
from lykeion.dashboard.addresses import outside
from lykeion.errors import Corrupt, Unavailable

DEFAULT_PORT = 8470


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"on loopback (default: {DEFAULT_PORT}; 0: any free one)")
    parser.add_argument("--host", action="append", default=[], metavar="NAME[:PORT]", help="a name by which a proxy is asked for this port")
    parser.add_argument("--root-path", default="", metavar="/PATH", help="the path below which a proxy serves this port")
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="a proxy whose X-Forwarded-For, -Proto, -Host and -Prefix are believed (127.0.0.1 too only if it is named)",
    )
    parser.add_argument(
        "--registry",
        default=os.environ.get(REGISTRY, ""),
        metavar="HOST[:PORT][/PREFIX]",
        help="where the image builder puts an image of each version that asks for one (default: $LYKEION_REGISTRY; none: it does not run)",
    )


def main(args: Namespace) -> int:
    words = words_for_front(args)
    with local(args.home) as platform, Up(platform, args.port, args.registry, words) as up:
        print(f"Lykeion is up at {up.front.url}   (home: {platform.home.root}; Ctrl-C stops it)", flush=True)
        if exposure := platform.home.exposure:
            say(f"lykeion up: {exposure}; {CLOSE_IT}")
        print(way_in(up.front.url, platform), flush=True)
        left_alone(platform)
        up.run()
    return 0


def words_for_front(args: Namespace) -> list[str]:
    """How the port is reached from outside, as the front process is told. Raises Invalid."""
    reached = outside(args.host, args.root_path, args.trusted_proxy)
    proxies = [f"--trusted-proxy={one}" for one in reached.proxies]
    return [*(f"--host={one}" for one in args.host), f"--root-path={reached.root_path}", *proxies]


def way_in(url: str, platform: Platform) -> str:
    """How to open the pages so that they may read and write. The token itself only goes to a terminal: what is kept of it may be read."""
    token = token_of(platform.home.root)
    way = page_with_token(url, token) if sys.stdout.isatty() else "lykeion open"
    return f"Trainings, models and the rest: {way}\nOther users of this machine who reach the port can search and see pictures, no more."


def left_alone(platform: Platform) -> None:
    """Say what cannot be read, and so is not kept up or moved on."""

    def told(wrong: Corrupt) -> None:
        say(f"lykeion up: {wrong}")

    platform.resources.list("Serving", told)
    platform.resources.unfinished("Training", told)


@dataclass(slots=True)
class Stop:
    """Set by SIGTERM or the first Ctrl-C; the second Ctrl-C does not wait."""

    asked: bool = field(default=False)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not self.asked:
            print("stopping; what is under way is finished first ...", file=sys.stderr, flush=True)
        self.asked = True


class Up:
    """A running platform: the front process, the services, and the steps once no `lykeion run` has them."""

    def __init__(self, platform: Platform, port: int, registry: str = "", words: Sequence[str] = ()) -> None:
        """words: more for the front process."""
        self.platform = platform
        argv = [sys.executable, "-m", "lykeion.dashboard.serve", "--home", str(platform.home.root), "--repository", platform.repository_url]
        self.front = Front(platform.home, port, [*argv, *words])
        self.builder = image_builder(platform, registry) if registry else None
        self.children: LocalChildren = children(platform, None, services=True)
        self.parts: list[Part] = [servings(platform, self.children)]
        self.has_tasks = False
        self.stop = Stop()

    def __enter__(self) -> "Up":
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self.front.close()
        if self.builder is not None:
            self.builder.close()
        self.children.close()

    def run(self, done: Callable[[], bool] = lambda: False) -> None:
        """Until it is told to stop, or `done()`."""
        control(self.every_part, self.children, lambda: self.stop.asked or done())

    def every_part(self) -> list[Part]:
        """What there is to move on each pass. Steps are taken over as soon as nobody else runs them."""
        self.front.keep()
        if self.builder is not None:
            self.builder.keep()
        if not self.has_tasks:
            try:
                self.children.attach(tasks_engine(self.platform))
            except Unavailable:
                return self.parts
            self.has_tasks = True
            self.parts.append(trainings(self.platform, self.children))
        return self.parts


def image_builder(platform: Platform, registry: str) -> KeptProcess:
    """A process of its own: building and pushing takes longer than whoever asks the platform would wait."""
    argv = [sys.executable, "-m", "lykeion.cli.main", "image", "watch", "--home", str(platform.home.root), "--registry", registry]
    env = {"LYKEION_REPOSITORY": platform.repository_url}
    return KeptProcess(argv, platform.home.logs / "services" / "image-builder-0.log", env=env)
