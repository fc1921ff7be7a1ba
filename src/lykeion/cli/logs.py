"""`lykeion logs TRAINING [STEP]` and `lykeion logs SERVICE`: what was printed, read from the home, so it outlives what printed it.

Colours are left out and other control characters made visible; `--raw` shows what was written. A carriage return stays: progress bars
use it, and it reaches no further than its line.
"""

import re
import sys
import time
from argparse import ArgumentParser, Namespace
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Callable, Collection
from contextlib import suppress
from glob import escape
from io import SEEK_END, StringIO
from pathlib import Path

from lykeion.assembly import Platform, local
from lykeion.cli.printing import say, visible
from lykeion.core.resources import Training
from lykeion.core.resources.suggest import did_you_mean
from lykeion.core.resources.training import OVER
from lykeion.errors import Invalid, NotFound, Problem

LOOK_EVERY = 0.2
NO_TRAINING = ("services", "parents")  # folders of logs that are the engine's own
UTF8 = getincrementaldecoder("utf-8")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
BEGUN_COLOUR = re.compile(r"\x1b(\[[0-9;:]{0,40})?\Z")


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("name", help="a Training, or a service of `lykeion up` (for instance photos)")
    parser.add_argument("step", nargs="?", help="one step of the Training (default: all)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until it has ended")
    parser.add_argument("--tail", type=int, metavar="N", help="only the last N lines of each")
    parser.add_argument("--raw", action="store_true", help="as it was written, with what a terminal obeys")


def main(args: Namespace) -> int:
    if args.tail is not None and args.tail < 0:
        raise Invalid([Problem("must be a number of lines", field="--tail", value=args.tail)])
    with local(args.home) as platform:

        def found() -> list[Path]:
            return logs_of(platform, args.name, args.step)

        first = found()
        screen = Screen(headings=len(first) > 1, raw=args.raw)
        for path in first:
            screen.show(path, args.tail)
        if args.follow:
            if idle := why_idle(platform, args.name):
                say(f"{args.name}: {idle}")
            follow(found, screen, lambda: still_going(platform, args.name))
        screen.end()
        return 0


def logs_of(platform: Platform, name: str, step: str | None) -> list[Path]:
    """Raises NotFound, with what there is."""
    folder = platform.home.logs / name
    services = sorted((platform.home.logs / "services").glob(f"{escape(name)}-*.log"))
    if name and folder.is_dir():
        found = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        chosen = [path for path in found if path.stem == step] if step else found
        if chosen:
            return chosen
        way = from_cache(platform, name, step) or did_you_mean(step, [path.stem for path in found])
        raise NotFound(f"{name} has no log of step {step!r}; {way}")
    if services and not step:
        return services
    known = [path.name for path in platform.home.logs.iterdir() if path.name not in NO_TRAINING]
    known += [path.stem.rpartition("-")[0] for path in (platform.home.logs / "services").glob("*.log")]
    raise NotFound(f"there are no logs of {name!r}; {from_cache(platform, name, step) or did_you_mean(name, known)}")


def from_cache(platform: Platform, name: str, step: str | None) -> str:
    """Which steps of a Training (of all, or only `step`) came from the cache, and where their logs are; "" where none did."""
    with suppress(NotFound):
        training = platform.resources.get("Training", name)
        assert isinstance(training, Training)
        cached = [one for one in training.status.steps if one.phase == "Cached" and step in (None, one.name)]
        makers = makers_of(platform, {one.key for one in cached})
        return "; ".join(
            f"{one.name} came from the cache: "
            + (f"lykeion logs {' '.join(makers[one.key])}" if one.key in makers else "the log of the run that made it is not kept any more")
            for one in cached
        )
    return ""


def makers_of(platform: Platform, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """The newest Training and its step that made what lies under each key, where their log is still there."""
    return {
        step.key: (training.name, step.name)
        for training in platform.resources.list("Training")
        if isinstance(training, Training)
        for step in training.status.steps
        if step.key in keys and step.phase == "Succeeded" and (platform.home.logs / training.name / f"{step.name}.log").exists()
    }


class Screen:
    """Prints several logs, each on from where it was read last: whole characters, and a heading where another one speaks."""

    def __init__(self, headings: bool = False, raw: bool = False) -> None:
        self.headings, self.raw = headings, raw
        self.held = ""  # what may be the beginning of a colour
        self.ends: dict[Path, int] = {}  # in bytes
        self.decoders: dict[Path, IncrementalDecoder] = {}
        self.last: Path | None = None
        self.line_begun = False

    def show(self, path: Path, tail: int | None = None) -> None:
        """What is new; at first the last `tail` lines. A log that became shorter was begun anew."""
        first = path not in self.ends
        with path.open("rb") as log:
            end = self.ends.get(path, 0)
            log.seek(end if log.seek(0, SEEK_END) >= end else 0)
            new = log.read()
            self.ends[path] = log.tell()
        if (new and path != self.last) or first:
            self.finish_line()
            if self.headings or self.last is not None:
                print(f"==> {visible(path.stem)} <==")
            self.last = path
        text = self.decoders.setdefault(path, UTF8("replace")).decode(new)
        self.write(text if tail is None else last_lines(text, tail))

    def end(self) -> None:
        """Nothing more comes: half characters are told as such, half lines end."""
        for decoder in self.decoders.values():
            self.write(decoder.decode(b"", True))
        self.finish_line()
        sys.stdout.flush()

    def write(self, text: str) -> None:
        if not self.raw:
            text = self.held + text
            begun = BEGUN_COLOUR.search(text)
            self.held = begun.group() if begun else ""
            text = plain(text.removesuffix(self.held))
        sys.stdout.write(text)
        self.line_begun = not text.endswith("\n") if text else self.line_begun

    def finish_line(self) -> None:
        held, self.held = self.held, ""
        sys.stdout.write(visible(held))
        if self.line_begun or held:
            self.write("\n")


def plain(text: str) -> str:
    """A piece of a log as a terminal may have it."""
    return "\r".join(map(visible, COLOUR.sub("", text).split("\r")))


def last_lines(text: str, count: int) -> str:
    lines = StringIO(text, newline="\n").readlines()  # a carriage return ends none
    return "".join(lines[len(lines) - min(count, len(lines)) :])


def follow(files: Callable[[], list[Path]], screen: Screen, going: Callable[[], bool]) -> None:
    """Print what is added to the logs, those of steps that begin later too."""
    while True:
        last_round = not going()
        for path in files():
            screen.show(path)
        sys.stdout.flush()
        if last_round:
            return
        time.sleep(LOOK_EVERY)


def why_idle(platform: Platform, name: str) -> str:
    """Why nothing is to be expected of a Training; "" where something is, and of a service."""
    with suppress(NotFound):
        training = platform.resources.get("Training", name)
        return platform.why_idle(name) if isinstance(training, Training) and training.status.phase not in OVER else ""
    return ""


def still_going(platform: Platform, name: str) -> bool:
    try:
        training = platform.resources.get("Training", name)
    except NotFound:
        return True  # a service: until interrupted
    return isinstance(training, Training) and training.status.phase not in OVER
