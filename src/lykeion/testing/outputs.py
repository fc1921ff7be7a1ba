"""A volume without verification or crashes: results by key, and their files in a folder where a test gives one."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from lykeion.core.content import FileDigest, digest_of_files
from lykeion.core.values import StepResult


class FakeOutputs:
    """The port `Outputs`. `publish` is what an engine does when a step ended well; `damage` is what a disk may do."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.results: dict[str, StepResult] = {}

    def publish(self, key: str, outputs: Mapping[str, Mapping[str, bytes]], created: datetime | None = None, **said: Any) -> StepResult:
        """Publish outputs given by name and by path; `said` is the rest of the StepResult."""
        digests = {}
        for name, files in outputs.items():
            digests[name] = digest_of_files(FileDigest(path, len(data), sha256(data).hexdigest()) for path, data in files.items())
            if self.folder is not None:
                for path, data in files.items():
                    target = self.path(key, name) / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
        size = sum(len(data) for files in outputs.values() for data in files.values())
        self.results[key] = StepResult(key, digests, size=size, created=created or datetime.now(UTC), **said)
        return self.results[key]

    def damage(self, key: str) -> None:
        """Make the files of a key other than its manifest says: it is not found any more."""
        del self.results[key]

    def find(self, key: str) -> StepResult | None:
        return self.results.get(key)

    def path(self, key: str, output: str) -> Path:
        return (self.folder or Path("outputs")) / key / output

    def keys(self) -> Iterator[str]:
        yield from sorted(self.results)

    def delete(self, key: str) -> int:
        gone = self.results.pop(key, None)
        return gone.size if gone else 0
