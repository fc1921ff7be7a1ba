"""Which images are to be built, which aliases follow, which images are not needed any more. Pure and level-triggered.

A version published with `deploy: {image: true}` gets an image; where its gate held, its alias moves to it when its image, and those of
the versions that it cannot be served without, are in the registry. An alias never goes back: what it has named once, or anything
older, is not moved to again, so a roll-back by hand stays until a newer version comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lykeion.core.images.records import ImageRecord

Version = tuple[str, int]  # model, number


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that asks for an image. `holds`: its gate let it through. `needs`: versions that are served with it."""

    model: str
    version: int
    track: str
    holds: bool
    needs: tuple[Version, ...] = ()

    @property
    def versions(self) -> tuple[Version, ...]:
        """All whose images it takes: what it needs first."""
        return (*self.needs, (self.model, self.version))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a decision is made from. `records`: the newest of each version that has any, also of versions that are gone.

    `published`: the versions that there are. `named`: (model, alias) -> every version that the alias ever named, in order; the last
    one is what it names now (0: nothing).
    """

    candidates: tuple[Candidate, ...]
    records: Mapping[Version, ImageRecord]
    published: frozenset[Version]
    named: Mapping[tuple[str, str], tuple[int, ...]]
    now: datetime


@dataclass(frozen=True, slots=True)
class Move:
    """Let an alias name `version`, if it names `expected` now."""

    model: str
    alias: str
    version: int
    expected: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What follows. `build`: in this order. `drop`: images of versions that are gone. `look_again`: in how much time at the latest."""

    build: tuple[Version, ...] = ()
    move: tuple[Move, ...] = ()
    drop: tuple[Version, ...] = ()
    look_again: timedelta | None = None
    waiting: Mapping[Version, datetime] = field(default_factory=dict)  # failed ones, and when they are tried again


def decide(seen: Seen) -> Wanted:
    """Newest versions first: what is about to be served is not kept waiting by what it replaces."""
    newest_first = sorted(seen.candidates, key=lambda one: (-one.version, one.model))
    wanted = [version for candidate in newest_first for version in candidate.versions if version in seen.published]
    without = [version for version in dict.fromkeys(wanted) if not is_pushed(version, seen)]
    waiting = {version: seen.records[version].next_try for version in without if version in seen.records}
    build = tuple(version for version in without if waiting.get(version, seen.now) <= seen.now)
    later = {version: at for version, at in waiting.items() if at > seen.now}
    return Wanted(
        build=build,
        move=tuple(moves(seen)),
        drop=tuple(sorted(version for version in seen.records if version not in seen.published)),
        look_again=min(later.values()) - seen.now if later else None,
        waiting=later,
    )


def is_pushed(version: Version, seen: Seen) -> bool:
    record = seen.records.get(version)
    return record is not None and record.state == "pushed"


def moves(seen: Seen) -> Iterable[Move]:
    """For each alias the newest version that may have it, if it is newer than all that it ever named."""
    best: dict[tuple[str, str], int] = {}
    for candidate in seen.candidates:
        if candidate.holds and all(is_pushed(version, seen) and version in seen.published for version in candidate.versions):
            named_by = (candidate.model, candidate.track)
            best[named_by] = max(candidate.version, best.get(named_by, 0))
    for (model, alias), version in sorted(best.items()):
        named = seen.named.get((model, alias), ())
        if version > max(named, default=0):
            yield Move(model, alias, version, named[-1] if named else 0)


def asks_for_image(deploy: Mapping[str, Any]) -> bool:
    """Whether a version's deploy policy, as its manifest has it, asks for an image."""
    return deploy.get("image") is True and bool(deploy.get("track"))
