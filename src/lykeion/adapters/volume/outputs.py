"""Committed outputs by cache key, in folders: `outputs/<key>/<output>/…` and `outputs/<key>/manifest.json`.

Publishing is one rename of a sealed folder, so a key is there as a whole or not at all. A hit is verified each time it is asked for (a
controller asks once for each step of a run). What does not verify is moved to `corrupt/<key>`, so that it is built again and can still
be looked at.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lykeion.adapters.volume.faults import point
from lykeion.adapters.volume.manifest import MANIFEST_FILE, Manifest
from lykeion.adapters.volume.seal import write_manifest
from lykeion.adapters.volume.verify import read_manifest, verify
from lykeion.core.values import StepResult
from lykeion.durable import sync_folder
from lykeion.errors import Corrupt

SYNC_SECONDS = 1.0


class Known(NamedTuple):
    """What was read under a key, and the file that it was read from (inode, time): it is not parsed again while that stands."""

    manifest: Manifest
    result: StepResult
    stat: tuple[int, int]


class DirectoryOutputs:
    """The port `Outputs` on the folders of a home."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.folder = self.home / "outputs"
        self._known: dict[str, Known] = {}
        self._unsynced = 0.0  # since when there are keys that a power failure could take back; 0 where there are none
        self.folder.mkdir(parents=True, exist_ok=True)

    def find(self, key: str) -> StepResult | None:
        """The verified result of a key, or None; a damaged one is moved aside."""
        known = self._known.get(key)
        folder = f"{self.folder}/{key}"
        try:
            stat = os.stat(f"{folder}/{MANIFEST_FILE}")
        except (FileNotFoundError, NotADirectoryError):
            self._known.pop(key, None)
            if os.path.isdir(folder):
                self._move_aside(key)
            return None
        version = (stat.st_ino, stat.st_mtime_ns)
        manifest = known.manifest if known and known.stat == version else read_manifest(folder)
        current = verify(folder, manifest) if manifest and manifest.key == key else None
        if manifest is None or current is None:
            self._known.pop(key, None)
            self._move_aside(key)
            return None
        if current is not manifest:
            with suppress(OSError):  # a full disk, or a volume that is read-only here: it is digested again next time
                write_manifest(folder, current)
        result = known.result if known and known.manifest is current else current.step_result()
        self._known[key] = Known(current, result, version)
        return result

    def path(self, key: str, output: str) -> Path:
        """Where an output's files are."""
        return self.folder / key / output

    def keys(self) -> Iterator[str]:
        yield from sorted(os.listdir(self.folder))

    def delete(self, key: str) -> int:
        """Free a key; returns bytes. From then on it is not found, whatever happens half-way."""
        doomed = f"{self.home}/corrupt/{key}"
        self._known.pop(key, None)
        try:
            self._move_aside(key)
        except FileNotFoundError:
            return 0
        size = sum(entry.stat().st_size for entry in Path(doomed).rglob("*") if entry.is_file())
        shutil.rmtree(doomed)
        return size

    def publish(self, folder: str, manifest: Manifest) -> StepResult:
        """Commit a sealed folder whose writers are all dead. Raises Corrupt where it changed since it was sealed, OSError.

        Where the key was published while the attempt ran, the first one stays. One that was there before is replaced: somebody chose
        to run the step again.
        """
        current = verify(folder, manifest)
        if current is None:
            raise Corrupt(
                f"step {manifest.step}: files of its output changed after the component had returned, so the output was dropped; "
                "end the threads and processes that write to it before returning"
            )
        existing = self.find(manifest.key)
        if existing and existing.created and not existing.uncached and existing.created.timestamp() >= manifest.started:
            shutil.rmtree(folder, ignore_errors=True)
            return existing
        if existing:
            self._move_aside(manifest.key)
        for stray in set(os.listdir(folder)) - {MANIFEST_FILE, *manifest.outputs}:
            os.unlink(f"{folder}/{stray}")
        point("before_rename")
        os.rename(folder, f"{self.folder}/{manifest.key}")
        point("after_rename")
        self._unsynced = self._unsynced or time.monotonic()
        self._known.pop(manifest.key, None)
        return current.step_result()

    def sync(self) -> None:
        """Make the names of all published keys durable."""
        if self._unsynced:
            self._unsynced = 0.0
            sync_folder(str(self.folder))

    def sync_if_due(self) -> None:
        """Once in `SYNC_SECONDS` for all keys together: a power failure takes back at most the last ones, which are then made again."""
        if self._unsynced and time.monotonic() - self._unsynced > SYNC_SECONDS:
            self.sync()

    def _move_aside(self, key: str) -> None:
        """Out of sight by one rename. Raises FileNotFoundError where it is gone already."""
        aside = f"{self.home}/corrupt/{key}"
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(f"{self.folder}/{key}", aside)
