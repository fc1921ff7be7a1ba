"""The manifest of a version: what it holds and where it came from. Its appearance in the repository is what makes a version visible."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lykeion.core.content import FileDigest, canonical, digest_of_files, digest_of_value, empty_folder, read_json
from lykeion.errors import Corrupt, Invalid, Problem

FORMATS = (1, 2)  # 2 only where there are programs or empty folders, which readers of 1 do not know
MANIFEST = "manifest.json"
MLMODEL = "MLmodel"
REQUIREMENTS = "requirements.txt"

Window = tuple[str, str]  # ISO 8601, UTC, half-open


@dataclass(frozen=True, slots=True)
class VersionFile:
    """One file of a version. `layer`: the SHA-256 of its canonical image layer (`core.models.layer`), in hex like `sha256`."""

    path: str
    size: int
    sha256: str
    layer: str
    executable: bool = False

    @property
    def content(self) -> FileDigest:
        return FileDigest(self.path, self.size, self.sha256, self.executable)

    def to_json(self) -> dict[str, Any]:
        return {**row(self.content), "layer": self.layer}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version. `digest` is that of `files` and `folders` alone, so it equals the digest of the output that was published.

    `folders`: those in which nothing lies. `attached`: what the repository put beside them for MLflow (`MLmodel`, `requirements.txt`).
    `metadata`: what the step that made it said of it. `lineage`: training, cache keys, code. `deploy`: the Serving that it is for.
    `signature`: its inputs and outputs.
    """

    model: str
    version: int
    digest: str
    created: datetime
    files: tuple[VersionFile, ...]
    attached: tuple[FileDigest, ...] = ()
    window: Window | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    deploy: Mapping[str, Any] = field(default_factory=dict)
    signature: Mapping[str, Any] = field(default_factory=dict)
    folders: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    def contents(self) -> tuple[FileDigest, ...]:
        """Everything that lies in its folder but the manifest itself."""
        return (*(file.content for file in self.files), *self.attached)

    def to_json(self) -> dict[str, Any]:
        folders = {"folders": list(self.folders)} if self.folders else {}
        return {
            "format": 2 if folders or any(file.executable for file in self.files) else 1,
            "model": self.model,
            "version": self.version,
            "digest": self.digest,
            "window": None if self.window is None else list(self.window),
            "created": self.created.isoformat(),
            "size": self.size,
            "metrics": dict(self.metrics),
            "metadata": dict(self.metadata),
            "lineage": dict(self.lineage),
            "deploy": dict(self.deploy),
            "signature": dict(self.signature),
            "files": [file.to_json() for file in self.files],
            **folders,
            "attached": [row(file) for file in self.attached],
        }

    def to_bytes(self) -> bytes:
        """Indented JSON, with a `seal`: the digest of all the rest. Raises Invalid where a value is not JSON."""
        raw = self.to_json()
        try:
            seal = digest_of_value(raw)
        except (TypeError, ValueError) as error:
            raise Invalid([Problem(f"cannot be kept in a manifest: {error}", field=f"{self.model}: metrics, metadata, lineage")]) from error
        return json.dumps({**raw, "seal": seal}, indent=1, ensure_ascii=False).encode() + b"\n"

    @staticmethod
    def from_bytes(data: bytes, where: str) -> "Manifest":
        """Raises Corrupt, naming `where`, for anything that `to_bytes` did not write."""
        try:
            raw = read_json(data)
            seal = raw.pop("seal")
            if raw["format"] not in FORMATS:
                raise Corrupt(f"{where}: its format is {raw['format']}, this Lykeion reads {FORMATS[-1]}; install a newer one")
            manifest = Manifest(
                model=raw["model"],
                version=raw["version"],
                digest=raw["digest"],
                created=datetime.fromisoformat(raw["created"]),
                files=tuple(VersionFile(**file) for file in raw["files"]),
                attached=tuple(FileDigest(**file) for file in raw["attached"]),
                window=None if raw["window"] is None else (raw["window"][0], raw["window"][1]),
                metrics=raw["metrics"],
                metadata=raw["metadata"],
                lineage=raw["lineage"],
                deploy=raw["deploy"],
                signature=raw["signature"],
                folders=tuple(raw.get("folders", ())),
            )
            intact = seal == digest_of_value(raw) and manifest.digest == content_digest(manifest.files, manifest.folders)
            astray = [path for path in (*(file.path for file in manifest.contents()), *manifest.folders) if not is_below(path)]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise Corrupt(f"{where}: it is no manifest: {error!r}") from error
        if astray:
            raise Corrupt(f"{where}: {astray[0]!r} leads out of the version; nobody has published it so: remove the version")
        if not intact:
            raise Corrupt(f"{where}: its bytes are not those that were published; remove the version and publish it again")
        return manifest


def row(file: FileDigest) -> dict[str, Any]:
    """A file as a manifest has it."""
    plain = {"path": file.path, "size": file.size, "sha256": file.sha256}
    return {**plain, "executable": True} if file.executable else plain


def content_digest(files: Iterable[VersionFile], folders: Iterable[str]) -> str:
    """That of an output with these files and these empty folders."""
    return digest_of_files([*(file.content for file in files), *map(empty_folder, folders)])


def is_below(path: str) -> bool:
    """Whether a path stays in the folder that it is relative to."""
    return "\0" not in path and not any(part in ("", ".", "..") for part in path.split("/"))


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a number. It stays when its version is removed (`removed` says why), so that no number is given twice."""

    version: int
    digest: str
    window: Window | None
    at: datetime
    removed: str = ""

    def to_bytes(self) -> bytes:
        return canonical({"digest": self.digest, "window": self.window, "at": self.at.isoformat(), "removed": self.removed})

    @staticmethod
    def from_bytes(version: int, data: bytes) -> "Claim":
        """Raises Corrupt for anything that `to_bytes` did not write."""
        try:
            raw = read_json(data)
            window = None if raw["window"] is None else (raw["window"][0], raw["window"][1])
            return Claim(version, str(raw["digest"]), window, datetime.fromisoformat(raw["at"]), str(raw["removed"]))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise Corrupt(f"it does not say who has version {version}: {error!r}") from error

    def is_for(self, digest: str, window: Window | None) -> bool:
        return not self.removed and (self.digest, self.window) == (digest, window)
