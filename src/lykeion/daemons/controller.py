"""The controller: passes over Trainings and Servings until it is told to stop. It acts on what is, not on what it was told.

`lykeion up` moves both sorts; `lykeion run` moves Trainings only, until its own is over. Who moves what is guarded by a lock each.
"""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from lykeion.ports import Children

LONGEST_WAIT = 1.0
REST = 5  # times as long as a pass took,
LONGEST_REST = 1.0  # but what ended meanwhile, and who asks us to stop, need not wait longer than this


class Part(Protocol):
    def pass_(self) -> float | None:
        """One pass; in how many seconds to look again at the latest."""

    def settle(self) -> None:
        """The loop ends: write down what is only in memory."""


def control(parts: Callable[[], list[Part]], children: Children, done: Callable[[], bool]) -> None:
    """Pass after pass over `parts()`, waiting in the engine in between, until `done()`.

    A pass that took long is not repeated at once: the engine works on meanwhile, and deciding stays a small part of the work however
    many steps there are.
    """
    current: list[Part] = []
    try:
        while not done():
            before = monotonic()
            current = parts()
            pauses = [pause for part in current if (pause := part.pass_()) is not None]
            rested = monotonic() + min(REST * (monotonic() - before), LONGEST_REST)
            if not done():
                children.wait(min([*pauses, LONGEST_WAIT]))
                while (left := rested - monotonic()) > 0 and not done():
                    children.wait(left)
    finally:
        for part in current:
            part.settle()
