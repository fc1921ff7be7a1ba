"""What workers tell their supervisor, and what follows for all of them together: readiness, acknowledgements, restarts. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
LOOPING = 3  # ends in a row, each soon after its start, until it is called a loop
SOUND = 10.0  # seconds that a worker must live for its end to count as the first again


@dataclass(frozen=True, slots=True)
class Report:
    """What one worker says of itself. `address`: where it answers; `acknowledged`: document -> digest that it has applied."""

    ready: bool = False
    reason: str = "starting"
    address: str = ""
    acknowledged: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """One message from a worker: how it is, or its metrics."""

    report: Report | None = None
    families: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer to `/readyz`. Ready as soon as one worker is; acknowledged is only what every living worker has applied."""

    ready: bool
    reason: str
    addresses: tuple[str, ...] = ()
    acknowledged: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)


def readiness(reports: Iterable[Report], wanted: int, draining: bool, trouble: str = "") -> Readiness:
    """Of `wanted` workers, those that live have said `reports`. trouble: why some do not live."""
    reports = tuple(reports)
    ready = [report for report in reports if report.ready]
    acknowledged = agreed([report.acknowledged for report in reports])
    if draining:
        return Readiness(False, "draining", (), acknowledged)
    said = next((report.reason for report in sorted(reports, key=lambda report: report.ready) if report.reason), "")
    reason = said if len(ready) == wanted else f"{len(ready)} of {wanted} workers are ready: {said or trouble or 'starting'}"
    return Readiness(bool(ready), reason, tuple(report.address for report in ready), acknowledged)


def agreed(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all of them say; nothing where there is nobody."""
    if not given:
        return {}
    first, *rest = given
    return {name: digest for name, digest in first.items() if all(one.get(name) == digest for one in rest)}


def pause(ends: int) -> float:
    """Seconds to wait before the start that follows the `ends`-th end in a row."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(ends - 1, 20)))


def ends_in_a_row(before: int, lived: float) -> int:
    return 1 if lived >= SOUND else before + 1


def encode(message: Told) -> bytes:
    return msgspec.json.encode(message)


def decode(message: bytes) -> Told:
    return msgspec.json.decode(message, type=Told)
