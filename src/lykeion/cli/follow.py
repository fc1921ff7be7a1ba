"""What a person sees while a Training runs: a live tree of steps on a terminal, plain lines elsewhere. Both on stderr."""

import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from textwrap import wrap

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
SHORTEST_BAR = 6
NAME = 14
SHORTEST_NAME = 8
WIDEST = 10_000  # characters: no limit
INDENT = " " * 6
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
            self.live.draw(tree(training, self.drawn, self.live.width))

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


def tree(training: Training, now: float, width: int = WIDEST) -> list[Line]:
    """The Training and its steps at `now` (Unix time), in lines of at most `width`; of very many steps, those that matter now."""
    steps = training.status.steps
    shown = steps if len(steps) <= MOST_LINES else interesting(steps)
    hidden = len(steps) - len(shown)
    needed = max((len(progress(step, now)) for step in shown if is_counted(step)), default=0) - BAR + SHORTEST_BAR
    names = max(
        SHORTEST_NAME, min(max([NAME, *(len(step.name) for step in shown)]), width - len(plain(head(StepStatus(name=""), 0))) - needed)
    )
    lines: list[Line] = [((f"{training.name}  ", "bold"), (training.status.phase, ""))]
    for step in shown:
        lines += fitted(step, now, names, width)
    if hidden:
        ended = sum(step.phase in ENDED for step in steps)
        lines.append(((f"  … {hidden} more steps; {ended} of {len(steps)} have ended", "dim"),))
    return lines


def interesting(steps: tuple[StepStatus, ...]) -> list[StepStatus]:
    by_weight = sorted(steps, key=lambda step: {"Failed": 0, "Running": 1, "Waiting": 2}.get(step.phase, 3))
    chosen = {step.name for step in by_weight[:MOST_LINES]}
    return [step for step in steps if step.name in chosen]


def line(step: StepStatus, now: float) -> Line:
    """One step: mark, whole name, phase, progress with rate and time left, or what went wrong."""
    counted = ((progress(step, now), ""),) if is_counted(step) else ()
    return (*head(step, max(NAME, len(step.name))), *counted, *remark_on(step))


def fitted(step: StepStatus, now: float, names: int, width: int) -> list[Line]:
    """The same in lines of `width`: the name has `names` characters, and what does not fit behind it goes below it."""
    start = head(step, names)
    room = width - len(plain(start))
    if is_counted(step):
        return [(*start, (progress(step, now, room), ""))]
    remarks = remark_on(step)
    if len(plain(remarks)) <= room and "\n" not in plain(remarks):
        return [(*start, *remarks)]
    *times, (text, style) = remarks
    below = [part for paragraph in text.splitlines() for part in wrap(paragraph.strip(), max(width - len(INDENT), SHORTEST_NAME))]
    return [(*start, *times), *(((INDENT + part, style),) for part in below)]


def head(step: StepStatus, names: int) -> Line:
    mark, style = MARKS[step.phase]
    name = step.name if len(step.name) <= names or not names else f"{step.name[: names - 1]}…"
    return (f"  {mark} ", style), (f"{name:<{names}} ", ""), (f"{step.phase:<10}", style)


def is_counted(step: StepStatus) -> bool:
    return step.phase == "Running" and step.total > 0


def remark_on(step: StepStatus) -> Line:
    """How long it took, and what there is to say of it."""
    took = ((f" {span(step.seconds)}", "dim"),) if step.phase in ("Succeeded", "Cached") and step.seconds else ()
    if step.phase == "Failed" or step.retry_at:
        return *took, (f" {step.reason}: {step.message}", "red")
    if step.why and step.phase == "Succeeded":
        return *took, (f"  ran because: {step.why}", "dim")
    return (*took, (f" {step.message}", "dim")) if step.phase == "Skipped" else took


def plain(line: Line) -> str:
    return "".join(text for text, _ in line)


def progress(step: StepStatus, now: float, room: int = WIDEST) -> str:
    """ "█████████▏        412/1000 pictures · 61/s · 9s left": in less room without the bar, then the rate, then the unit."""
    part = min(step.done / step.total, 1.0)
    count, unit, rate, left = f"{step.done}/{step.total}", f" {step.unit}" if step.unit else "", "", ""
    if step.started_at is not None and step.done:
        per_second = step.done / max(now - step.started_at.timestamp(), 1e-3)
        rate, left = f" · {per_second:,.0f}/s", f" · {span(max(step.total - step.done, 0) / per_second)} left"
    text = next((one for one in (count + unit + rate + left, count + unit + left) if len(one) < room), count + left)
    bar = min(BAR, room - len(text) - 2)
    return f" {'█' * int(part * bar):<{bar}} {text}" if bar >= SHORTEST_BAR else f" {text}"
