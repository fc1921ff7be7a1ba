"""A mapping that looks only when it is asked, and remembers what it saw for one pass."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")


class Lookup(Mapping[str, V], Generic[V]):
    """`Lookup(f)[key]` is `f(key)`; None counts as missing. It cannot be listed."""

    def __init__(self, find: Callable[[str], V | None]) -> None:
        self.find = find
        self.seen: dict[str, V | None] = {}

    def __getitem__(self, key: str) -> V:
        if key not in self.seen:
            self.seen[key] = self.find(key)
        value = self.seen[key]
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(key for key, value in self.seen.items() if value is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
