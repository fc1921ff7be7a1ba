"""`lykeion quarantine TRAINING`: the rows and pictures that its steps set aside, and why; of steps that came from the cache, too."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Collection

from lykeion.assembly import Platform, local
from lykeion.cli.printing import emit, rows, say
from lykeion.components import quarantine
from lykeion.components.quarantine import Reason
from lykeion.core.resources import Training
from lykeion.errors import Invalid, Problem

SHOWN = 1000
MOST_TOLD = 8  # reasons at the end of a run


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("training", help="the Training")
    parser.add_argument("--limit", type=int, default=SHOWN, metavar="N", help=f"show at most N (default: {SHOWN})")
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="pass over the first N")


def main(args: Namespace) -> int:
    if wrong := [
        Problem("must be 0 or more", field=f"--{name}", value=vars(args)[name]) for name in ("limit", "offset") if vars(args)[name] < 0
    ]:
        raise Invalid(wrong)
    with local(args.home) as platform:
        training = platform.resources.get("Training", args.training)
        assert isinstance(training, Training)
        steps = training.status.kept
        total = sum(each.total for each in set_aside(platform, training))
        entries = quarantine.entries(platform.outputs.folder, steps, args.offset, args.limit)
        items = [{"step": each.step, "item": each.item, "what": each.what, "reason": each.reason} for each in entries]
        table = rows(("STEP", "ITEM", "WHAT", "REASON"), (each[:4] for each in entries), f"{training.name} has set nothing aside")
        emit({"total": total, "items": items}, args.output, table if total == 0 or items else f"{total:,} were set aside")
        if len(items) < total and args.output == "table":
            say(f"{len(items):,} of {total:,}: --limit and --offset show the others")
        for step in quarantine.gone(platform.outputs.folder, steps):
            say(f"what step {step} set aside went with its output (lykeion gc): run the pipeline again")
    return 0


def set_aside(platform: Platform, training: Training) -> list[Reason]:
    """What a Training's steps set aside, by reason."""
    return quarantine.reasons(platform.outputs.folder, training.status.kept)


def summary(training: str, reasons: Collection[Reason]) -> list[str]:
    """How many rows and pictures were set aside, by reason: the lines at the end of a run; none where nothing was."""
    kinds: Counter[str] = Counter()
    for each in reasons:
        kinds[each.kind] += each.total
    if not kinds:
        return []
    by_number = sorted(reasons, key=lambda each: -each.total)
    lines = [f"  set aside: {', '.join(number_of(kind, number) for kind, number in kinds.items())} (lykeion quarantine {training})"]
    lines += [f"    {number_of(each.kind, each.total)} in {each.step}: {each.reason}" for each in by_number[:MOST_TOLD]]
    if hidden := by_number[MOST_TOLD:]:
        lines.append(f"    {sum(each.total for each in hidden):,} more, for {len(hidden)} other reasons")
    return lines


def number_of(kind: str, number: int) -> str:
    """ "1 row", "2,000 pictures"."""
    return f"{number:,} {kind}{'' if number == 1 else 's'}"
