"""The indexes that a server holds, by the digest of their version: opened and let go while searches go on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lykeion.core.serving.take_over import versions_in
from lykeion.core.values import ModelVersion
from lykeion.errors import Corrupt, LykeionError
from lykeion.search.index import Index, open_index


@dataclass(slots=True)
class Shelf:
    """Indexes are immutable and mapped from files, so that processes that open the same one share its memory.

    A search takes what it needs from `held` once; an index that is put away meanwhile ends with the last search that uses it.
    """

    volume: Path
    held: dict[str, tuple[ModelVersion, Index]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def hold(self, versions: Iterable[ModelVersion]) -> bool:
        """Open what is missing, then put away what is not named. False where something cannot be opened: `problems` says why."""
        wanted = {version.digest: version for version in versions}
        held = {digest: found for digest, found in self.held.items() if digest in wanted}
        self.problems = {}
        for digest, version in wanted.items():
            if digest not in held:
                try:
                    held[digest] = version, open_index(self.volume / version.path)
                except (LykeionError, OSError) as error:
                    self.problems[digest] = f"{version.model}@{version.version}: {error}"
        self.held = held
        return not self.problems

    def find(self, digest: str) -> Index | None:
        found = self.held.get(digest)
        return found[1] if found else None

    def rows(self) -> Iterator[tuple[ModelVersion, int]]:
        for version, index in self.held.values():
            yield version, index.count


def wanted_by(content: Any) -> Sequence[ModelVersion]:
    """What a load document asks for. Raises Corrupt."""
    if not isinstance(content, Mapping):
        raise Corrupt("it is no load document: an object with `load` is")
    return versions_in(content.get("load", ()))
