"""Which versions of a model may go."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """What to keep besides what is needed: the `recent` newest versions, and those younger than `age`."""

    recent: int = 5
    age: timedelta = timedelta(0)


def expendable(versions: Iterable[tuple[int, datetime]], needed: Collection[int], keep: Retention, now: datetime) -> list[int]:
    """Of (number, created): the versions that nothing keeps, oldest first. `needed`: those that aliases, Servings and pins name."""
    newest_first = sorted(versions, reverse=True)
    return sorted(number for number, created in newest_first[max(keep.recent, 0) :] if number not in needed and now - created >= keep.age)
