"""The two kinds of log in the repository: numbered objects that are created, never changed, and have no gaps."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lykeion.core.content import canonical, read_json
from lykeion.core.models.aliases import AliasMove, next_move, way_back
from lykeion.errors import Conflict, Corrupt, NotFound
from lykeion.repository.layout import JOURNAL, alias_key, aliases_folder, journal_key, numbers

if TYPE_CHECKING:  # the ports bring pydantic's models with them, which a step that publishes can do without
    from lykeion.ports import ObjectStore

LONGEST_RACE = 10_000  # rounds that an append can lose; each lost round is one that somebody else won


class Journal:
    """What happened in the repository, for those who follow it instead of listing."""

    def __init__(self, store: "ObjectStore") -> None:
        self.store = store
        self.seen = 0  # a number that is certainly taken: where to look for the end

    def append(self, event: Mapping[str, Any]) -> int:
        """Add an entry; returns its number."""
        if not self.seen:
            self.seen = max(numbers(list(self.store.names(JOURNAL))), default=0)
        for n in range(self.seen + 1, self.seen + LONGEST_RACE):
            if self.store.create(journal_key(n), canonical({"n": n, **event})):
                self.seen = n
                return n
        raise Conflict("the journal grows faster than an entry can be added; try again")

    def after(self, n: int) -> list[dict[str, Any]]:
        """The entries behind `n`, in order. Costs one read more than there are entries, never a listing. A damaged one is passed over:
        who follows the journal looks at everything once an hour anyway."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                data = self.store.get(journal_key(n + 1))
            except NotFound:
                return found
            with suppress(ValueError):
                if isinstance(entry := read_json(data), dict) and isinstance(entry.get("model"), str):
                    found.append({**entry, "n": n + 1})
            n += 1
            self.seen = max(self.seen, n)


class AliasLog:
    """The log of one alias."""

    def __init__(self, store: "ObjectStore", model: str, name: str) -> None:
        self.store, self.model, self.name = store, model, name

    def last(self) -> AliasMove | None:
        taken = numbers(list(self.store.names(f"{aliases_folder(self.model)}/{self.name}")))
        return self.entry(taken[-1]) if taken else None

    def entry(self, n: int) -> AliasMove:
        """Raises Corrupt where it is damaged: what an alias names is never guessed."""
        key = alias_key(self.model, self.name, n)
        try:
            return AliasMove.from_bytes(self.store.get(key))
        except Corrupt as error:
            raise Corrupt(f"{key}: {error}; put back what was there, or delete it, and move {self.model}@{self.name} anew") from error

    def history(self) -> list[AliasMove]:
        """All entries, oldest first."""
        return [self.entry(n) for n in numbers(list(self.store.names(f"{aliases_folder(self.model)}/{self.name}")))]

    def move(self, version: int, *, reason: str, at: str, expected: int | None) -> AliasMove | None:
        """Append that it names `version`; None where it does so already. Raises Conflict where it did not name `expected`."""
        for _ in range(LONGEST_RACE):
            move = next_move(self.last(), version, reason=reason, at=at, expected=expected)
            if move is None or self._add(move):
                return move
        raise Conflict(f"{self.model}@{self.name} is moved by others all the time; try again")

    def go_back(self, existing: Sequence[int], *, reason: str, at: str) -> AliasMove:
        """Append that it names the version before the current one again. Raises Conflict where there is none, or it just moved."""
        history = self.history()
        version = way_back(history, existing)
        if version is None:
            raise Conflict(f"{self.model}@{self.name} has no earlier version that still exists to go back to")
        move = next_move(history[-1], version, reason=reason, at=at, back=True)
        if move is None or not self._add(move):
            raise Conflict(f"{self.model}@{self.name} was moved by somebody else just now; look again, then decide anew")
        return move

    def _add(self, move: AliasMove) -> bool:
        return self.store.create(alias_key(self.model, self.name, move.n), move.to_bytes())
