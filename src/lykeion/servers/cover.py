"""The cover that a proxy answers by: its space, its extractor, the index servers; and the change from one cover to the next.

document changes -> load what is new beside what answers -> swap -> let the queries under way end -> acknowledge
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lykeion.core.search.facets import Facet
from lykeion.core.serving.take_over import versions_in
from lykeion.core.values import ModelVersion
from lykeion.errors import LykeionError
from lykeion.search.extractor import Extractor
from lykeion.search.space import Space
from lykeion.servers.documents import Follower, Read
from lykeion.servers.index_client import IndexClient

LONGEST_QUERY = 10.0  # seconds that an acknowledgement waits for the queries under way
TRY_AGAIN = 2.0  # seconds after a cover could not be loaded

log = logging.getLogger("lykeion.cover")


@dataclass(frozen=True, slots=True)
class Eyes:
    """How a picture becomes a vector: of one space version. Both are immutable and used from one thread."""

    digest: str
    space: Space
    extractor: Extractor

    @staticmethod
    def load(folder: Path, digest: str) -> "Eyes":
        space = Space.load(folder)
        return Eyes(digest, space, space.load_extractor())


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the indexes of a cover, together."""

    items: int
    facets: Sequence[Facet]


@dataclass(slots=True)
class Cover:
    """What answers now. `servers` hold `indexes`; `under_way` queries use it."""

    digest: str
    embedding: str
    eyes: Eyes
    space: ModelVersion
    indexes: Sequence[ModelVersion]
    servers: Sequence[IndexClient]
    contents: Contents | None = None  # once it was asked for and all had answered
    under_way: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def dimension(self) -> int:
        return self.eyes.space.dimension

    @contextmanager
    def used(self) -> Iterator[None]:
        self.under_way += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.under_way -= 1
            if not self.under_way:
                self.idle.set()


def servers_of(content: Mapping[str, Any]) -> list[IndexClient]:
    """One for each set of addresses: a server is asked once, whatever number of indexes it holds."""
    together: dict[tuple[str, ...], list[str]] = {}
    for one in content["indexes"]:
        together.setdefault(tuple(one["addresses"]), []).append(one["digest"])
    return [IndexClient(addresses, digests) for addresses, digests in together.items()]


class Covers:
    """Follows the document. `current` is None until the first cover is loaded."""

    def __init__(self, follower: Follower, volume: Path) -> None:
        self.follower, self.volume = follower, volume
        self.current: Cover | None = None
        self.pending: Read | None = None
        self.not_before = 0.0
        self.problem = "waiting for the first cover"
        self.acknowledged = ""

    async def follow(self) -> None:
        """One look; takes a new cover over where there is one."""
        read = self.follower.changed()
        if read is not None:
            self.pending, self.not_before = read, 0.0
        if self.pending is None or time.monotonic() < self.not_before:
            return
        read, self.pending = self.pending, None
        try:
            new = await self.load(read)
        except (LykeionError, OSError, KeyError, TypeError, AttributeError) as error:
            log.error("the cover cannot be loaded: %s", error)
            self.problem, self.pending, self.not_before = f"the cover cannot be loaded: {error}", read, time.monotonic() + TRY_AGAIN
            return
        old, self.current, self.problem = self.current, new, ""
        if old is not None:
            await self.leave(old)
        self.acknowledged = read.digest

    async def load(self, read: Read) -> Cover:
        """What is heavy is loaded in a thread, and only where it is not what the current cover uses."""
        content = read.content
        indexes, (space,) = versions_in(content["indexes"]), versions_in([content["space"]])
        eyes = self.current.eyes if self.current else None
        if eyes is None or eyes.digest != space.digest:
            eyes = await asyncio.to_thread(Eyes.load, self.volume / space.path, space.digest)
        return Cover(read.digest, content.get("embedding") or eyes.space.embedding, eyes, space, indexes, servers_of(content))

    async def leave(self, old: Cover) -> None:
        if old.under_way:
            with suppress(TimeoutError):
                await asyncio.wait_for(old.idle.wait(), LONGEST_QUERY)
        for server in old.servers:
            await server.close()
