"""The controller: passes over Trainings and Servings until it is told to stop. It acts on what is, not on what it was told.

`lykeion up` moves both sorts; `lykeion run` moves Trainings only, until its own is over. Who moves what is guarded by a lock each.
"""

from collections.abc import Callable
from typing import Protocol

from lykeion.ports import Children

LONGEST_WAIT = 1.0


class Part(Protocol):
    def pass_(self) -> float | None:
        """One pass; in how many seconds to look again at the latest."""


def control(parts: Callable[[], list[Part]], children: Children, done: Callable[[], bool]) -> None:
    """Pass after pass over `parts()`, waiting in the engine in between, until `done()`."""
    while not done():
        pauses = [pause for part in parts() if (pause := part.pass_()) is not None]
        if not done():
            children.wait(min([*pauses, LONGEST_WAIT]))
