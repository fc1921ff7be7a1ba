"""`lykeion gc`: free what nothing refers to: not runs, not versions, nothing in use."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from lykeion.adapters.local.collector import Collector
from lykeion.adapters.local.mentions import mentions
from lykeion.assembly import Platform, local
from lykeion.cli.printing import emit, rows, say
from lykeion.core.pipelines.reachability import Keep
from lykeion.core.resources.metadata import Duration
from lykeion.errors import Invalid, Problem

try:
    from lykeion.components.item_cache import compact
except ImportError:  # without pyarrow nobody has written rows

    def compact(folder: Path, keep: frozenset[str], dry_run: bool = False) -> tuple[int, int]:  # noqa: ARG001
        return 0, 0


DURATION: TypeAdapter[float] = TypeAdapter(Duration)


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would go, and why the rest stays")
    parser.add_argument("--older-than", default="30d", metavar="TIME", help="keep whatever is younger (default: 30d)")
    parser.add_argument("--keep", type=int, default=3, metavar="N", help="keep the newest N ended runs of each pipeline (default: 3)")


def main(args: Namespace) -> int:
    with local(args.home) as platform:
        return collect(platform, args)


def collect(platform: Platform, args: Namespace) -> int:
    collector = Collector(platform.home, platform.resources, platform.repository, platform.clock, mentions, compact)
    age = time_of(args.older_than)
    plan = collector.plan(Keep(recent=how_many(args.keep), age=age, rubbish=min(Keep().rubbish, age)))
    removed = plan.by_kind() if args.dry_run else collector.sweep(plan).removed
    shown = {"dryRun": args.dry_run, "removed": figures(removed), "kept": figures(plan.staying), "notes": list(plan.notes)}
    word = "WOULD GO" if args.dry_run else "GONE"
    lines = [(word, kind, count, megabytes(size)) for kind, (count, size) in sorted(removed.items())]
    lines += [("STAYS", why, count, megabytes(size)) for why, (count, size) in sorted(plan.staying.items())]
    if args.output == "table":
        for note in plan.notes:
            say(note)
    emit(shown, args.output, rows(("", "WHAT", "COUNT", "SIZE"), lines, "there is nothing on the volume yet"))
    return 0


def how_many(given: int) -> int:
    """Of things to keep."""
    if given < 0:
        raise Invalid([Problem("fewer than none cannot be kept", field="--keep", value=given, remedy="0 keeps none")])
    return given


def time_of(text: str) -> timedelta:
    """Of `--older-than`. Raises Invalid."""
    try:
        return timedelta(seconds=DURATION.validate_python(text))
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise Invalid([Problem(message, field="--older-than", value=text)]) from error


def figures(totals: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, int]]:
    return {name: {"count": count, "bytes": size} for name, (count, size) in totals.items()}


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
