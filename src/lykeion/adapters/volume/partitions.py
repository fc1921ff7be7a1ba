"""Partitions that committed on their own, until the last one makes the output whole: `partial/<key>/part-00000/<output>/…`.

The whole is put together in `partial/<key>/whole` by renames of folders, which leave the stat of the files as it was sealed. A crash
between two renames loses nothing: each partition's manifest stays in its folder and its files are looked for in both places.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from lykeion.adapters.volume.faults import point
from lykeion.adapters.volume.manifest import Manifest, partition_folder, whole
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.seal import write_manifest
from lykeion.adapters.volume.verify import read_manifest, verify_output
from lykeion.core.values import StepResult
from lykeion.durable import sync_folder
from lykeion.errors import Corrupt

WHOLE = "whole"


class Partitions:
    """Partial commits of the steps of one home."""

    def __init__(self, home: Path, outputs: DirectoryOutputs) -> None:
        self._folder = f"{home}/partial"
        self._outputs = outputs
        os.makedirs(self._folder, exist_ok=True)

    def commit(self, folder: str, manifest: Manifest) -> None:
        """Keep a sealed partition. Raises Corrupt where it changed since it was sealed, OSError. The first one of a partition stays."""
        if not all(verify_output(f"{folder}/{name}", files, manifest.format) is not None for name, files in manifest.outputs.items()):
            raise Corrupt(f"step {manifest.step}: files of partition {manifest.partition} changed after the component had returned")
        number = manifest.partition or 0
        target = f"{self._folder}/{manifest.key}/{partition_folder(number)}"
        if self._committed(manifest.key, number) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(folder, target)
        sync_folder(os.path.dirname(target))
        point("after_partition")

    def committed(self, key: str) -> dict[int, Manifest]:
        """The partitions of a key that are there, verified."""
        try:
            names = os.listdir(f"{self._folder}/{key}")
        except FileNotFoundError:
            return {}
        numbers = (int(name.removeprefix("part-")) for name in names if name.startswith("part-"))
        found = {number: self._committed(key, number) for number in numbers}
        return {number: manifest for number, manifest in found.items() if manifest is not None}

    def publish(self, key: str, numbers: Iterable[int]) -> StepResult | None:
        """Make the output whole where all of `numbers` are committed; None where one is missing. Raises OSError."""
        parts = self.committed(key)
        if not parts or set(numbers) - parts.keys():
            return None
        together = f"{self._folder}/{key}/{WHOLE}"
        for number, part in sorted(parts.items()):
            for name in part.outputs:
                os.makedirs(f"{together}/{name}", exist_ok=True)
                place = f"{self._folder}/{key}/{partition_folder(number)}/{name}"
                if os.path.isdir(place):
                    os.rename(place, f"{together}/{name}/{partition_folder(number)}")
                    point("between_partitions")
        for name in parts[min(parts)].outputs:
            sync_folder(f"{together}/{name}")
        manifest = whole(parts.values())
        write_manifest(together, manifest)
        result = self._outputs.publish(together, manifest)
        self.drop(key)
        return result

    def keys(self) -> list[str]:
        """The keys of which there are partitions."""
        return sorted(os.listdir(self._folder))

    def tidy(self) -> None:
        """Free what is left of keys whose output was put together when its engine died. Only while nobody commits."""
        for key in self.keys():
            if not self.committed(key) and self._outputs.find(key) is not None:
                self.drop(key)

    def drop(self, key: str) -> None:
        """Free what there is of a key."""
        shutil.rmtree(f"{self._folder}/{key}", ignore_errors=True)

    def _committed(self, key: str, number: int) -> Manifest | None:
        part = partition_folder(number)
        manifest = read_manifest(f"{self._folder}/{key}/{part}")
        if manifest is None or manifest.key != key or manifest.partition != number:
            return None
        for name, files in manifest.outputs.items():
            places = (f"{self._folder}/{key}/{part}/{name}", f"{self._folder}/{key}/{WHOLE}/{name}/{part}")
            if all(verify_output(place, files, manifest.format) is None for place in places):
                return None
        return manifest
