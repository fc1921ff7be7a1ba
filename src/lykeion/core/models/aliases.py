"""An alias is a log: entry n says which version it names from then on; the highest n counts.

Create-only put of the next entry makes this a compare-and-set on every object store, with a history and a way back.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from lykeion.core.content import canonical, read_json
from lykeion.errors import Conflict, Corrupt


@dataclass(frozen=True, slots=True)
class AliasMove:
    """Entry `n` (from 1) of an alias's log. `version` 0: the alias was taken away. `back`: it undid the move before it."""

    n: int
    version: int
    previous: int
    reason: str
    at: str  # ISO 8601, UTC
    back: bool = False

    def to_bytes(self) -> bytes:
        return canonical(asdict(self))

    @staticmethod
    def from_bytes(data: bytes) -> "AliasMove":
        """Also of one that a newer Lykeion wrote: fields that this one has not are passed over. Raises Corrupt where it is none."""
        try:
            raw = read_json(data)
            at, back = str(raw["at"]), bool(raw.get("back", False))
            return AliasMove(int(raw["n"]), int(raw["version"]), int(raw["previous"]), str(raw["reason"]), at, back)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise Corrupt(f"it is no move of an alias: {error!r}") from error


def next_move(
    last: AliasMove | None, version: int, *, reason: str, at: str, expected: int | None = None, back: bool = False
) -> AliasMove | None:
    """The entry to add, None where the alias is at `version` already.

    `expected`: the version that the caller believes it to name (0: none); raises Conflict where that is not so.
    """
    now = last.version if last else 0
    if expected is not None and expected != now:
        raise Conflict(
            f"the alias names {f'version {now}' if now else 'nothing'}, not {expected or 'nothing'}; look again, then decide anew"
        )
    if now == version:
        return None
    return AliasMove((last.n if last else 0) + 1, version, now, reason, at, back)


def way_back(history: Sequence[AliasMove], existing: Collection[int]) -> int | None:
    """The version to roll back to: the one before the current one, among those that still exist; None where there is none.

    Rolling back twice goes back two moves: a move that was undone is not gone back to.
    """
    past: list[int] = []
    for move in history:
        if move.back and move.version in past:
            while past[-1] != move.version:
                past.pop()
        else:
            past.append(move.version)
    current = past[-1] if past else 0
    return next((version for version in reversed(past[:-1]) if version and version != current and version in existing), None)
