"""`lykeion logs TRAINING [STEP]` and `lykeion logs SERVICE`: what was printed, read from the home, so it outlives what printed it."""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from lykeion.assembly import Platform, local
from lykeion.core.resources import Training
from lykeion.core.resources.suggest import did_you_mean
from lykeion.core.resources.training import OVER
from lykeion.errors import Invalid, NotFound, Problem

LOOK_EVERY = 0.2


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("name", help="a Training, or a service of `lykeion up` (for instance photos)")
    parser.add_argument("step", nargs="?", help="one step of the Training (default: all)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until it has ended")
    parser.add_argument("--tail", type=int, metavar="N", help="only the last N lines of each")


def main(args: Namespace) -> int:
    if args.tail is not None and args.tail < 0:
        raise Invalid([Problem("must be a number of lines", field="--tail", value=args.tail)])
    with local(args.home) as platform:
        files = logs_of(platform, args.name, args.step)
        heading = len(files) > 1
        ends = {path: print_log(path, args.tail, heading) for path in files}
        if args.follow:
            follow(lambda: logs_of(platform, args.name, args.step), ends, lambda: still_going(platform, args.name))
        return 0


def logs_of(platform: Platform, name: str, step: str | None) -> list[Path]:
    """Raises NotFound, with what there is."""
    folder = platform.home.logs / name
    services = sorted((platform.home.logs / "services").glob(f"{name}-*.log"))
    if folder.is_dir():
        found = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        chosen = [path for path in found if path.stem == step] if step else found
        if chosen:
            return chosen
        raise NotFound(f"{name} has no log of step {step!r}; {did_you_mean(step, [path.stem for path in found])}")
    if services and not step:
        return services
    known = [path.name for path in platform.home.logs.iterdir() if path.name != "services"]
    known += [path.stem.rpartition("-")[0] for path in (platform.home.logs / "services").glob("*.log")]
    raise NotFound(f"there are no logs of {name!r}; {did_you_mean(name, known)}")


def print_log(path: Path, tail: int | None, heading: bool) -> int:
    """Returns the end in bytes, to follow on from."""
    data = path.read_bytes()
    if heading:
        print(f"==> {path.stem} <==")
    lines = data.decode(errors="replace").splitlines()
    for line in lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]:
        print(line)
    sys.stdout.flush()
    return len(data)


def follow(files: Callable[[], list[Path]], ends: dict[Path, int], going: Callable[[], bool]) -> None:
    """Print what is added to the logs, those of steps that begin later too."""
    last = next(reversed(ends), None)
    while True:
        last_round = not going()
        for path in files():
            with path.open("rb") as log:
                log.seek(ends.get(path, 0))
                new = log.read()
            ends[path] = ends.get(path, 0) + len(new)
            if new and path != last:
                print(f"==> {path.stem} <==")
                last = path
            sys.stdout.write(new.decode(errors="replace"))
        sys.stdout.flush()
        if last_round:
            return
        time.sleep(LOOK_EVERY)


def still_going(platform: Platform, name: str) -> bool:
    try:
        training = platform.resources.get("Training", name)
    except NotFound:
        return True  # a service: until interrupted
    return isinstance(training, Training) and training.status.phase not in OVER
