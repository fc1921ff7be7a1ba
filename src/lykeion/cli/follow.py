"""What a person sees while a Training runs: a live tree of steps on a terminal, plain lines elsewhere. Both on stderr."""

import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module

from lykeion.cli.printing import say, span
from lykeion.core.resources.training import ENDED, StepStatus, Training

MARKS = {
    "Waiting": ("·", "dim"),
    "Running": ("▶", "cyan"),
    "Cached": ("✓", "green"),
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "bold red"),
    "Skipped": ("–", "dim"),
    "Cancelled": ("–", "yellow"),
}
BAR = 24
DRAW_EVERY = 0.1  # seconds
MOST_LINES = 30

Line = tuple[tuple[str, str], ...]  # pieces of text, each with its style


class Progress:
    """Shows a Training as it moves on. Use as a context manager; call it with each newer Training."""

    def __init__(self, quiet: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.live = import_module("lykeion.cli.drawing").Tree() if sys.stderr.isatty() and not quiet else None
        self.quiet, self.clock = quiet, clock
        self.told: Mapping[str, tuple[str, int]] = {}
        self.drawn = 0.0
        self.remarked = ""

    def __enter__(self) -> "Progress":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, training: Training, last: bool = False) -> None:
        if self.quiet:
            return
        if self.live is None:
            self.tell(training)
        elif last or abs(self.clock() - self.drawn) > DRAW_EVERY:
            self.drawn = self.clock()
            self.live.draw(tree(training, self.drawn))

    def remark(self, text: str) -> None:
        """A line beside what is shown; the same one again is not told twice."""
        if not self.quiet and text != self.remarked:
            self.remarked = text
            (self.live.say if self.live else say)(text)

    def tell(self, training: Training) -> None:
        """A line for each step that changed its phase or failed an attempt."""
        for step in training.status.steps:
            now = (step.phase, step.attempts if step.phase == "Waiting" else 0)
            if (step.phase != "Waiting" or step.retry_at) and self.told.get(step.name) != now:
                say(plain(line(step, self.clock())).rstrip())
        self.told = {step.name: (step.phase, step.attempts if step.phase == "Waiting" else 0) for step in training.status.steps}


def tree(training: Training, now: float) -> list[Line]:
    """The Training and its steps at `now` (Unix time); of very many steps, those that matter now."""
    steps = training.status.steps
    shown = steps if len(steps) <= MOST_LINES else interesting(steps)
    hidden = len(steps) - len(shown)
    lines: list[Line] = [((f"{training.name}  ", "bold"), (training.status.phase, "")), *(line(step, now) for step in shown)]
    if hidden:
        ended = sum(step.phase in ENDED for step in steps)
        lines.append(((f"  … {hidden} more steps; {ended} of {len(steps)} have ended", "dim"),))
    return lines


def interesting(steps: tuple[StepStatus, ...]) -> list[StepStatus]:
    by_weight = sorted(steps, key=lambda step: {"Failed": 0, "Running": 1, "Waiting": 2}.get(step.phase, 3))
    chosen = {step.name for step in by_weight[:MOST_LINES]}
    return [step for step in steps if step.name in chosen]


def line(step: StepStatus, now: float) -> Line:
    """One step: mark, name, phase, progress with rate and time left, or what went wrong."""
    mark, style = MARKS[step.phase]
    parts = [(f"  {mark} ", style), (f"{step.name:<14} ", ""), (f"{step.phase:<10}", style)]
    if step.phase == "Running" and step.total:
        parts.append((progress(step, now), ""))
    elif step.phase in ("Succeeded", "Cached") and step.seconds:
        parts.append((f" {span(step.seconds)}", "dim"))
    if step.phase == "Failed" or step.retry_at:
        parts.append((f" {step.reason}: {step.message}", "red"))
    elif step.why and step.phase == "Succeeded":
        parts.append((f"  ran because: {step.why}", "dim"))
    elif step.phase == "Skipped":
        parts.append((f" {step.message}", "dim"))
    return tuple(parts)


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def progress(step: StepStatus, now: float) -> str:
    """ "█████████▏        412/1000 pictures · 61/s · 9s left"."""
    part = min(step.done / step.total, 1.0)
    bar = "█" * int(part * BAR)
    since = step.started_at
    text = f" {bar:<{BAR}} {step.done}/{step.total} {step.unit}"
    if since is not None and step.done:
        passed = max(now - since.timestamp(), 1e-3)
        rate = step.done / passed
        text += f" · {rate:,.0f}/s · {span((step.total - step.done) / rate)} left"
    return text
