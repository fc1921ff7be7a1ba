"""What the benchmarks share: CPU-seconds of a process tree, the least of several, and a table in Markdown."""

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Of one command with all its children: CPU seconds and seconds on the wall."""

    cpu: float
    wall: float


def cost(command: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Cost:
    """Run it to its end. Raises RuntimeError, with what it printed, where it fails."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in command], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def least(command: Sequence[str | Path], times: int = 7) -> float:
    """The least CPU seconds of several runs: what it costs where nothing else disturbs."""
    return min(cost(command).cpu for _ in range(times))


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print("| " + " | ".join(headings) + " |")
    print("|" + "---|" * len(headings))
    for row in rows:
        print("| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
