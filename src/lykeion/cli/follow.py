"""What a person sees while a Training runs: a live tree of steps on a terminal, plain lines elsewhere. Both on stderr."""

import sys
import time
from collections.abc import Callable, Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lykeion.cli.printing import err, span
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


class Progress:
    """Shows a Training as it moves on. Use as a context manager; call it with each newer Training."""

    def __init__(self, quiet: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.console: Console = err()
        self.live = Live(console=self.console, auto_refresh=False, transient=False) if sys.stderr.isatty() and not quiet else None
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
            self.live.update(tree(training, self.drawn), refresh=True)

    def remark(self, text: str) -> None:
        """A line beside what is shown; the same one again is not told twice."""
        if not self.quiet and text != self.remarked:
            self.remarked = text
            self.console.print(text)

    def tell(self, training: Training) -> None:
        """A line for each step that changed its phase or failed an attempt."""
        for step in training.status.steps:
            now = (step.phase, step.attempts if step.phase == "Waiting" else 0)
            if (step.phase != "Waiting" or step.retry_at) and self.told.get(step.name) != now:
                self.console.print(line(step, self.clock()).plain.rstrip())
        self.told = {step.name: (step.phase, step.attempts if step.phase == "Waiting" else 0) for step in training.status.steps}


def tree(training: Training, now: float) -> Group:
    """The Training and its steps at `now` (Unix time); of very many steps, those that matter now."""
    steps = training.status.steps
    heading = Text(f"{training.name}  ", style="bold") + Text(training.status.phase)
    shown = steps if len(steps) <= MOST_LINES else interesting(steps)
    hidden = len(steps) - len(shown)
    lines = [heading, *(line(step, now) for step in shown)]
    if hidden:
        ended = sum(step.phase in ENDED for step in steps)
        lines.append(Text(f"  … {hidden} more steps; {ended} of {len(steps)} have ended", style="dim"))
    return Group(*lines)


def interesting(steps: tuple[StepStatus, ...]) -> list[StepStatus]:
    by_weight = sorted(steps, key=lambda step: {"Failed": 0, "Running": 1, "Waiting": 2}.get(step.phase, 3))
    chosen = {step.name for step in by_weight[:MOST_LINES]}
    return [step for step in steps if step.name in chosen]


def line(step: StepStatus, now: float) -> Text:
    """One step: mark, name, phase, progress with rate and time left, or what went wrong."""
    mark, style = MARKS[step.phase]
    text = Text(f"  {mark} ", style=style) + Text(f"{step.name:<14} ") + Text(f"{step.phase:<10}", style=style)
    if step.phase == "Running" and step.total:
        text += Text(progress(step, now))
    elif step.phase in ("Succeeded", "Cached") and step.seconds:
        text += Text(f" {span(step.seconds)}", style="dim")
    if step.phase == "Failed" or step.retry_at:
        text += Text(f" {step.reason}: {step.message}", style="red")
    elif step.why and step.phase == "Succeeded":
        text += Text(f"  ran because: {step.why}", style="dim")
    elif step.phase == "Skipped":
        text += Text(f" {step.message}", style="dim")
    return text


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
