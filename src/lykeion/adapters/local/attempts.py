"""The staging folders of running attempts, `staging/<attempt>`: a lock, the step files, and a folder for each step.

The lock is held by the engine and by the step itself; whoever wins it knows that nobody writes there any more. What a dead engine left
is adopted where it was sealed and dropped where it was not. A folder that an attempt left empty is moved to `spare/` and serves the
next one: making and removing one costs more than the rest of the bookkeeping of a short step.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lykeion.adapters.volume.faults import point
from lykeion.adapters.volume.manifest import Manifest
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.partitions import Partitions
from lykeion.adapters.volume.verify import read_manifest
from lykeion.core.content import legible, read_json
from lykeion.core.masking import Mask
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import StepResult
from lykeion.errors import Corrupt

LOCK = "lock"
BLANK = "blank.json"  # the step file of a spare folder, to be written over


@dataclass(frozen=True, slots=True)
class Attempt:
    """One worker's staging folder. `steps`: its step files, absolute, in order; `lock` the descriptor that holds the lock; `mask` hides
    the secrets that it was given in what it says."""

    folder: str
    lock: int
    steps: tuple[StepFile, ...]
    mask: Mask = field(default_factory=Mask)

    @property
    def name(self) -> str:
        return os.path.basename(self.folder)

    def files(self) -> list[str]:
        return [f"{self.folder}/{step.step}.json" for step in self.steps]

    def said(self, step: str, name: str) -> dict[str, Any]:
        """One of the contract's files as JSON; empty where it is not there or not whole."""
        with suppress(OSError, ValueError), open(f"{self.folder}/{step}/{name}", "rb") as file:
            found = read_json(file.read())
            if isinstance(found, dict):
                said: dict[str, Any] = self.mask.value(legible(found))
                return said
        return {}


def absolute(step: StepFile, home: Path, folder: str, deadline: float | None) -> StepFile:
    """The step file as its worker reads it, in the staging folder of the attempt."""
    inputs = {name: str(home / path) for name, path in step.inputs.items()}
    return replace(step, inputs=inputs, staging=f"{folder}/{step.step}", cache=str(home / step.cache), deadline=deadline)


class Staging:
    """The staging folders of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._spares: list[str] = []
        self._empty_aside()
        os.makedirs(f"{home}/spare")

    def begin(self, name: str, steps: tuple[StepFile, ...], deadline: float | None) -> Attempt:
        """Make and lock the staging folder of an attempt. Raises OSError; then nothing is left of it."""
        folder = f"{self.home}/staging/{name}-{time.time_ns():x}"
        self._make(folder)
        lock = os.open(f"{folder}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        attempt = Attempt(folder, lock, tuple(absolute(step, self.home, folder, deadline) for step in steps))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for step, path in zip(attempt.steps, attempt.files(), strict=True):
                os.mkdir(step.staging)
                with suppress(FileNotFoundError):
                    os.rename(f"{folder}/{BLANK}", path)
                write_over(path, step.to_json().encode())
        except OSError:
            os.close(lock)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return attempt

    def end(self, attempt: Attempt) -> None:
        """Nobody needs it any more: remove what is left of it, then let go of the lock. Idempotent."""
        if not self._spared(attempt):
            shutil.rmtree(attempt.folder, ignore_errors=True)
        with suppress(OSError):
            os.close(attempt.lock)

    def close(self) -> None:
        self._spares.clear()
        self._empty_aside()

    def _make(self, folder: str) -> None:
        while self._spares:
            with suppress(OSError):  # somebody cleaned up
                os.rename(self._spares.pop(), folder)
                return
        os.makedirs(folder)

    def _spared(self, attempt: Attempt) -> bool:
        """Move it aside where all that it made was published: only its lock and the file of a single step are left."""
        aside = f"{self.home}/spare/{attempt.name}"
        try:
            for file in attempt.files()[:1]:
                os.rename(file, f"{attempt.folder}/{BLANK}")
            if {LOCK, BLANK} != set(os.listdir(attempt.folder)):
                return False
            os.rename(attempt.folder, aside)
        except OSError:
            return False
        self._spares.append(aside)
        return True

    def _empty_aside(self) -> None:
        shutil.rmtree(f"{self.home}/spare", ignore_errors=True)


def write_over(path: str, data: bytes) -> None:
    """Make or replace a file. It is cut to length afterwards: what is emptied first, some file systems write to the disk at once."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666), "wb") as file:
        file.write(data)
        file.truncate()


def sealed(attempt: Attempt) -> Iterator[tuple[StepFile, str, Manifest]]:
    """The sealed folders of an attempt, whole steps and partitions. After a power failure a step file may be that of an attempt before."""
    for step in attempt.steps:
        folder = f"{attempt.folder}/{step.step}"
        whole = read_manifest(folder)
        for place in [folder] if whole else folders_in(folder):
            manifest = whole or read_manifest(place)
            if manifest is not None and manifest.key == step.key:
                yield step, place, manifest


def folders_in(folder: str) -> list[str]:
    """Empty where there is no such folder: it may be published already."""
    try:
        with os.scandir(folder) as found:
            return sorted(entry.path for entry in found if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def publish(attempt: Attempt, outputs: DirectoryOutputs, partitions: Partitions) -> Mapping[str, StepResult]:
    """Commit what an attempt sealed, when nobody writes there any more; the results of whole steps by name. Raises Corrupt, OSError."""
    results = {}
    touched: dict[tuple[str, str], int] = {}
    for step, place, manifest in sealed(attempt):
        require_inputs(step, outputs)
        if manifest.partition is None:
            results[manifest.step] = outputs.publish(place, manifest)
        else:
            partitions.commit(place, manifest)
            touched[manifest.step, manifest.key] = manifest.partition_count
    for (name, key), count in touched.items():
        result = partitions.publish(key, range(count))
        if result is not None:
            results[name] = result
    point("after_publish")
    return results


def require_inputs(step: StepFile, outputs: DirectoryOutputs) -> None:
    """Raises Corrupt where an input is not any more what the key of the step says that it read."""
    for name, path in step.inputs.items():
        folder, output = Path(path).parent, Path(path).name
        if folder.parent != outputs.folder or name not in step.digests:
            continue
        found = outputs.find(folder.name)
        if found is None or found.outputs.get(output) != step.digests[name]:
            raise Corrupt(
                f"step {step.step}: its input {name} was changed or replaced while it ran, so what it made was dropped; run it again, and "
                "let no step write to its inputs"
            )


def left(home: Path) -> Iterator[Attempt]:
    """The attempts that a dead engine left, each with its lock won; those that somebody still holds are passed over."""
    staging = home / "staging"
    for folder in sorted(staging.iterdir()) if staging.is_dir() else ():
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        yield Attempt(str(folder), lock, tuple(steps_in(folder)))


def steps_in(folder: Path) -> Iterator[StepFile]:
    """The step files of an attempt; one that is not whole was never started."""
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield StepFile.from_json(path.read_text())
