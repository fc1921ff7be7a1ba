"""How a task stands: its workers, its shares of partitions, and what the end of a worker means. No processes here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from errno import EDQUOT, ENOSPC
from pathlib import Path
from signal import Signals
from typing import Any

from lykeion.adapters.local.attempts import Attempt
from lykeion.adapters.local.memory import Group
from lykeion.adapters.local.parents import Parent
from lykeion.core.pipelines.contract import PROGRESS_FILE, StepFile
from lykeion.core.values import Child, StepResult, Task
from lykeion.errors import LykeionError

OURS = frozenset({"LykeionError", *(kind.__name__ for kind in LykeionError.__subclasses__())})  # their text says all there is to say
DISK_FULL_CODE = ENOSPC  # a step's exit code where it found no room, not even for error.json
TAIL_LINES, TAIL_BYTES = 20, 2048


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker failed, for status: a word and a sentence."""

    reason: str
    message: str
    hopeless: bool = False  # another attempt would end the same


@dataclass(slots=True)
class Worker:
    """One process that works at a task. `doomed`: why it is being killed. `progress`: (done, total, unit)."""

    attempt: Attempt
    parent: Parent
    group: Group | None = None
    deadline: float | None = None  # monotonic
    doomed: Failure | None = None
    code: int | None = None
    progress: tuple[int, int, str] = (0, 0, "")

    @property
    def share(self) -> int:
        """How many partitions it has; 1 for a step without."""
        return max(1, sum(len(step.partitions or ()) for step in self.attempt.steps))

    def look(self) -> None:
        """Read how far it is; what cannot be read, or is no progress, is as it was."""
        for step in self.attempt.steps:
            match self.attempt.said(step.step, PROGRESS_FILE):
                case {"done": int(done), "total": int(total), "unit": str(unit)}:
                    self.progress = (done, total, unit)


@dataclass(slots=True)
class Job:
    """A task and how it stands. `waiting`: how many of its workers have not started yet.

    `book` has the children of the task's owner by name, this one among them, so that all are told without asking each.
    """

    task: Task
    book: dict[str, Child]
    waiting: int = 0
    workers: dict[str, Worker] = field(default_factory=dict)
    ended: list[Worker] = field(default_factory=list)
    partitions: int = 0  # that all workers together do
    results: dict[str, StepResult] = field(default_factory=dict)
    failure: Failure | None = None
    unwanted: bool = False  # to be forgotten when it ends

    @property
    def child(self) -> Child:
        return self.book[self.task.name]

    @child.setter
    def child(self, child: Child) -> None:
        self.book[self.task.name] = child

    @property
    def over(self) -> bool:
        return self.child.phase in ("Succeeded", "Failed")

    def look(self) -> None:
        """Read how far its workers are."""
        for worker in self.workers.values():
            worker.look()
        self._sum()

    def _sum(self) -> None:
        seen = [(worker.share, *worker.progress) for worker in (*self.ended, *self.workers.values())]
        done, total, unit = together(seen, self.partitions)
        if (done, total, unit) != (self.child.done, self.child.total, self.child.unit):
            self.child = replace(self.child, done=done, total=total, unit=unit)

    def end(self, now: datetime, log_tail: str) -> None:
        """Conclude, all workers being gone."""
        self._sum()
        missing = [step.step for step in self.task.steps if step.step not in self.results]
        if self.failure is None and missing:
            self.failure = Failure("Lost", f"{', '.join(missing)}: some partitions are not there any more; run it again")
        if self.failure is not None:
            self.child = replace(
                self.child, phase="Failed", reason=self.failure.reason, message=self.failure.message, hopeless=self.failure.hopeless,
                finished=now, log_tail=log_tail, results=dict(self.results),
            )  # fmt: skip
        else:
            self.child = replace(
                self.child, phase="Succeeded", reason="", message="", finished=now, done=self.child.total, results=dict(self.results)
            )


def together(reports: Sequence[tuple[int, int, int, str]], partitions: int) -> tuple[int, int, str]:
    """The progress of workers that do `partitions` together, from (share, done, total, unit) of each.

    Those that have not said anything yet are taken to have as much to do for each partition as the others.
    """
    known = [report for report in reports if report[2]]
    if not known:
        return 0, 0, ""
    done, total = sum(report[1] for report in known), sum(report[2] for report in known)
    seen = sum(report[0] for report in known)
    return done, max(done, total * max(partitions, seen) // seen), known[0][3]


def shares(numbers: Sequence[int], workers: int) -> list[tuple[int, ...]]:
    """Deal partitions to at most `workers` workers, evenly; none gets nothing."""
    count = max(1, min(workers, len(numbers)))
    return [tuple(numbers[first::count]) for first in range(count)]


def partition_count(task: Task, step: StepFile) -> int:
    return step.partition_count or task.partitions


def publishes(step: StepFile) -> bool:
    """Whether a step leaves files behind; the others leave only what they say."""
    return bool(step.outputs) and step.mode == "run"


def verdict(code: int | None, error: Mapping[str, Any], ran_out: bool, doomed: Failure | None) -> Failure | None:
    """What the end of a worker means. `code` as `Popen.returncode`, None where nobody saw it end; `error` is error.json."""
    if code == 0:
        return None
    if ran_out or error.get("type") == "MemoryError":
        return Failure("OutOfMemory", "it used more memory than resources.memory allows: raise it, or work in smaller parts")
    if doomed is not None:
        return doomed
    if code is None:
        return Failure("Lost", "its parent process ended; the step was stopped with it")
    if code == DISK_FULL_CODE:
        return Failure("DiskFull", "there is no room left on the volume: `lykeion gc` frees what no run needs")
    if error:
        kind, message = str(error.get("type")), str(error.get("message", ""))
        told = message if message and kind in OURS else f"{kind}: {message}" if message else kind
        return Failure("Error", told, hopeless=error.get("retryable") is False)
    if code < 0:
        return Failure("Killed", f"something outside Lykeion ended it with {Signals(-code).name}")
    return Failure("Error", f"its process ended with exit code {code} and said nothing; its log may")


def volume_failed(error: OSError) -> Failure:
    """Why something on the volume has to wait."""
    full = error.errno in (ENOSPC, EDQUOT)
    remedy = "it goes on when there is room (`lykeion gc` frees what no run needs)" if full else "it is tried again"
    return Failure("DiskFull" if full else "VolumeFailed", f"the volume says: {error.strerror}; {remedy}")


def tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-TAIL_LINES:])
