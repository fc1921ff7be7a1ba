"""`lykeion demo photo-search`: from nothing to searching real pictures by photo. What was done before is taken from the caches."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lykeion.assembly import Platform, local
from lykeion.cli.drawing import remarks
from lykeion.cli.driving import wait_for
from lykeion.cli.files import pipeline_to_run
from lykeion.cli.follow import Progress as Steps
from lykeion.cli.printing import emit, say, span
from lykeion.cli.run import create, failure
from lykeion.cli.up import DEFAULT_PORT, Up
from lykeion.components.demo_data import demo_listings
from lykeion.core.resources import Serving, Training
from lykeion.errors import LykeionError, NotFound
from lykeion.search.index import open_index
from lykeion.servers.direct import search

FAMILY = "photos"
ASKED = 5
K = 5
FILE = Path("photo-search") / "pipeline.yaml"


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("demo", nargs="?", choices=("photo-search",), default="photo-search", help="which demo (default: photo-search)")
    parser.add_argument("--once", action="store_true", help="do everything but the page: index, ask some searches, print what came out")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="index the pictures in this folder instead")
    parser.add_argument("--listings", type=Path, metavar="FILE", help="index this catalogue (CSV or Parquet) instead")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"of the page (default: {DEFAULT_PORT}; 0: any free one)")


def main(args: Namespace) -> int:
    with local(args.home) as platform:
        return demo(platform, args)


def demo(platform: Platform, args: Namespace) -> int:
    seconds: dict[str, float] = {}
    began = time.monotonic()
    listings = args.listings or args.pictures or fetched(platform)
    if not listings.exists():
        raise NotFound(f"{listings}: there is no such file or folder")
    seconds["pictures"] = time.monotonic() - began
    training = indexed(platform, listings.resolve())
    seconds |= {step.name: step.seconds for step in training.status.steps}
    if args.once:
        began = time.monotonic()
        answers = asked(platform)
        seconds["searches"] = time.monotonic() - began
        emit(report(training, answers, seconds), args.output, told(training))
        return 0
    say(told(training))
    return page(platform, args.port)


def fetched(platform: Platform) -> Path:
    """The demo's pictures, with a progress bar while they come."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
    with Progress(*columns, console=remarks(), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("pictures", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        return demo_listings(platform.home.cache / "demo", show)


def indexed(platform: Platform, listings: Path) -> Training:
    """Run the photo-search pipeline over a catalogue. Raises LykeionError where it does not succeed."""
    words = (f"listings={listings}", f"family={FAMILY}")
    pipeline, parameters = pipeline_to_run(str(pipeline_file()), words, platform.components, platform.containers)
    platform.resources.apply(pipeline)
    name = create(platform, pipeline.name, parameters, (), str(pipeline_file())).name
    with Steps() as show:
        training = wait_for(platform, name, show)
        show(training, last=True)
    if training.status.phase != "Succeeded":
        raise LykeionError(failure(training) or f"training/{name} was {training.status.phase.lower()}")
    return training


def pipeline_file() -> Path:
    """The example that the demo runs: in the checkout, or beside the installed package."""
    package = Path(__file__).parents[1]
    found = [folder / FILE for folder in (package / "examples", package.parents[1] / "examples") if (folder / FILE).is_file()]
    if not found:
        raise NotFound(f"the example {FILE} is not installed; take it from the project's repository")
    return found[0]


def asked(platform: Platform) -> list[dict[str, Any]]:
    """Some searches, by items that are spread over the catalogue."""
    _, folder = platform.mounted(f"{FAMILY}@stable")
    index = open_index(folder)
    answers = []
    for row in index.rows([index.count * number // ASKED for number in range(min(ASKED, index.count))]):
        found = search(platform.mounted, FAMILY, json.dumps({"item": row["id"]}).encode(), is_json=True, k=K)
        answers.append({"item": row["id"], "items": [{"id": one["id"], "score": one["score"]} for one in found["items"]]})
    return answers


def metric(training: Training, name: str) -> int:
    """Summed over the steps that report it."""
    return int(sum(step.metrics.get(name, 0) for step in training.status.steps))


def of_step(training: Training, step: str, name: str) -> float | None:
    return next((found.metrics.get(name) for found in training.status.steps if found.name == step), None)


def report(training: Training, answers: list[dict[str, Any]], seconds: dict[str, float]) -> dict[str, Any]:
    """What `--once -o json` prints; others script against these keys."""
    return {
        "items": int(of_step(training, "items", "items") or 0),
        "pictures": int(of_step(training, "pictures", "pictures") or 0),
        "quarantined": metric(training, "quarantined"),
        "versions": {one.model: one.version for one in training.status.published} | existing(training),
        "recall_at_10": of_step(training, "report", "recall_at_10"),
        "searches": answers,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "training": training.name,
    }


def existing(training: Training) -> dict[str, int]:
    """The versions that the run took from the repository instead of publishing them."""
    return {str(found["model"]): int(found["version"]) for found in training.status.models.values() if found}


def told(training: Training) -> str:
    status = training.status
    took = (status.finished_at - status.started_at).total_seconds() if status.finished_at and status.started_at else 0.0
    items, pictures, bad = of_step(training, "items", "items"), of_step(training, "pictures", "pictures"), metric(training, "quarantined")
    recall = of_step(training, "report", "recall_at_10")
    return (
        f"{items:,.0f} items with {pictures:,.0f} pictures are indexed ({bad} set aside) in {span(took)}; recall@10 {recall:.3f}\n"
        f"your own: lykeion run {FILE} -p listings=CATALOGUE.csv -p family=NAME"
    )


def page(platform: Platform, port: int) -> int:
    """The platform, until it is told to stop."""
    with Up(platform, port) as up:
        waiting = True

        def told_when_ready() -> bool:
            nonlocal waiting
            if waiting and is_ready(platform):
                waiting = False
                print(f"\n  Search by photo at  {up.front.url}\n", flush=True)
                print(f"  (home: {platform.home.root}; trainings, models …: lykeion open; Ctrl-C stops it)", flush=True)
            return False

        up.run(told_when_ready)
    return 0


def is_ready(platform: Platform) -> bool:
    serving = next((one for one in platform.resources.list("Serving") if one.name == FAMILY), None)
    return isinstance(serving, Serving) and any(one.type == "Ready" and one.status == "True" for one in serving.status.conditions)
