"""Which address a request goes to: the table of routes, read from JSON, and the choice among its targets. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A service's share of a route, and the addresses of its workers that are ready now ("unix:/path")."""

    service: str
    weight: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    prefix: str
    targets: tuple[Target, ...]

    @property
    def ready(self) -> tuple[Target, ...]:
        """Weights go only to targets that can answer."""
        return tuple(target for target in self.targets if target.weight > 0 and target.addresses)

    def takes(self, path: str) -> bool:
        """Whole segments only: "/v1/search/a" does not take "/v1/search/ab"."""
        prefix = self.prefix.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")


def parse(raw: Any) -> tuple[Route, ...]:
    """The routes of a table as the platform writes it, longest prefix first. ValueError where it is none."""
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise ValueError("a table of routes is a list")
    try:
        routes = [Route(str(one["name"]), str(one["prefix"]), tuple(map(parse_target, one["targets"]))) for one in raw]
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError(f"a route needs name, prefix and targets: {wrong!r}") from wrong
    return tuple(sorted(routes, key=lambda route: (-len(route.prefix), route.name)))


def parse_target(raw: Mapping[str, Any]) -> Target:
    return Target(str(raw["service"]), int(raw.get("weight", 100)), tuple(map(str, raw.get("addresses", ()))))


def match(routes: Sequence[Route], path: str) -> Route | None:
    """The route with the longest prefix that takes `path`."""
    return next((route for route in routes if route.takes(path)), None)


def candidates(route: Route, turn: int) -> tuple[str, ...]:
    """The addresses to try for the `turn`-th request (0, 1, …), best first, none twice.

    Of any W turns in a row, W the sum of the ready weights, each target is first exactly as often as its weight says, evenly spread;
    within a target the addresses take turns. The others follow for a request whose first choice has vanished.
    """
    ready = route.ready
    if not ready:
        return ()
    total = sum(target.weight for target in ready)
    first, place = chosen(ready, turn * stride(total) % total)
    count = turn if len(ready) == 1 else turn // total * first.weight + place  # numbers the times that it is first, if not in order
    rest = [address for target in ready if target is not first for address in rotated(target.addresses, turn)]
    return tuple(dict.fromkeys([*rotated(first.addresses, count), *rest]))


def chosen(targets: Sequence[Target], place: int) -> tuple[Target, int]:
    """The target whose stretch of the weights, laid end to end, holds `place`, and where in its stretch that is."""
    for target in targets:
        if place < target.weight:
            return target, place
        place -= target.weight
    raise ValueError(f"there is no place {place} beyond the weights")


def stride(total: int) -> int:
    """A step that visits all of 0 … total-1 (it shares no factor with `total`) and spreads them, being near the golden section."""
    step = max(1, round(total * 0.618))
    while gcd(step, total) != 1:
        step += 1
    return step


def rotated(addresses: tuple[str, ...], count: int) -> tuple[str, ...]:
    start = count % len(addresses)
    return addresses[start:] + addresses[:start]
