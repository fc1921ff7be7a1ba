"""What a manifest holds: the files of each output with their digests, and the stat that tells whether they were touched since.

Light: the parent that forks steps imports this.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from lykeion.core.content import FileDigest, digest_of_files, empty_folder
from lykeion.core.values import StepResult

MANIFEST_FILE = "manifest.json"
FORMAT = 2
FORMATS = (1, FORMAT)  # 1 names no empty folders


class SealedFile(NamedTuple):
    """One file of an output, as it was when it was sealed. Times in ns. A folder without anything in it: `content.empty_folder`."""

    path: str
    size: int
    sha256: str
    inode: int
    mtime: int
    ctime: int
    executable: bool = False

    @property
    def digest(self) -> FileDigest:
        return FileDigest(self.path, self.size, self.sha256, self.executable)

    @property
    def stat(self) -> tuple[int, int, int]:
        return self.inode, self.mtime, self.ctime

    @staticmethod
    def folder(path: str) -> "SealedFile":
        """A folder without anything in it, whose stat says nothing."""
        return SealedFile(*empty_folder(path)[:3], 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A sealed folder: a step's outputs, or one partition of them (`partition` of `partition_count`).

    `started` and `created`: when the attempt began and when it was sealed, Unix time.
    """

    key: str
    step: str
    outputs: Mapping[str, tuple[SealedFile, ...]]
    metrics: Mapping[str, float] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    uncached: str = ""
    material: Mapping[str, Any] = field(default_factory=dict)
    started: float = 0.0
    created: float = 0.0
    partition: int | None = None
    partition_count: int = 0
    format: int = FORMAT

    def digests(self) -> dict[str, str]:
        """The content digest of each output."""
        return {name: digest_of_files(file.digest for file in files) for name, files in self.outputs.items()}

    def step_result(self) -> StepResult:
        return StepResult(
            key=self.key,
            outputs=self.digests(),
            metrics=self.metrics,
            result=self.result,
            size=sum(file.size for files in self.outputs.values() for file in files),
            uncached=self.uncached,
            created=datetime.fromtimestamp(self.created, UTC),
            material=self.material,
        )

    def to_json(self) -> str:
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "outputs"}
        digests = self.digests()
        outputs = {name: {"digest": digests[name], "files": files} for name, files in self.outputs.items()}
        return json.dumps({**plain, "outputs": outputs}, separators=(",", ":"))

    @staticmethod
    def from_json(text: str | bytes) -> "Manifest":
        """Raises ValueError where it is no manifest, or its digests are not those of its files."""
        try:
            raw = json.loads(text)
            if raw["format"] not in FORMATS:
                raise ValueError("a manifest of another format")
            outputs = {name: tuple(SealedFile(*file) for file in given["files"]) for name, given in raw["outputs"].items()}
            stated = {name: given["digest"] for name, given in raw["outputs"].items()}
            manifest = Manifest(**{**raw, "outputs": outputs})
            if not (isinstance(manifest.result, dict) and isinstance(manifest.metrics, dict)):
                raise ValueError("not a manifest: its result or its metrics are no object")
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a manifest: {error!r}") from error
        if manifest.digests() != stated:
            raise ValueError("the digests of a manifest are not those of its files")
        return manifest


def partition_folder(number: int) -> str:
    """Where partition `number` of an output lies in it."""
    return f"part-{number:05d}"


def whole(parts: Iterable[Manifest]) -> Manifest:
    """The manifest of all partitions of a step together: metrics are summed, of results the highest partition's counts."""
    ordered = sorted(parts, key=lambda part: part.partition or 0)
    metrics: dict[str, float] = {}
    result: dict[str, Any] = {}
    outputs: dict[str, list[SealedFile]] = {name: [] for name in ordered[0].outputs}
    for part in ordered:
        for name, value in part.metrics.items():
            metrics[name] = metrics.get(name, 0.0) + value
        result.update(part.result)
        for name, files in part.outputs.items():
            folder = partition_folder(part.partition or 0)
            outputs[name] += [file._replace(path=f"{folder}/{file.path}") for file in files] or [SealedFile.folder(folder)]
    return replace(
        ordered[0],
        outputs={name: tuple(files) for name, files in outputs.items()},
        metrics=metrics,
        result=result,
        uncached=next((part.uncached for part in ordered if part.uncached), ""),
        started=min(part.started for part in ordered),
        created=max(part.created for part in ordered),
        partition=None,
        format=min(part.format for part in ordered),
    )
