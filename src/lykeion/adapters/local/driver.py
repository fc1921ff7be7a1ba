"""Who moves the Trainings of a home on: the process that holds `locks/tasks`, all of them (`lykeion up`) or one (`lykeion run`).

It is read from the lock whenever somebody asks and written in no status, so that a process that was killed moves nothing.
"""

from dataclasses import dataclass

from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import holder, is_held, noted

TASKS = "tasks"
ALL = "*"


@dataclass(frozen=True, slots=True)
class Driver:
    """`who`: for people, "lykeion up (process 12)". `moves`: the name of a Training, ALL, "" for none; None where it does not say."""

    who: str
    moves: str | None

    def drives(self, training: str) -> bool:
        """One that does not say what it moves may move this."""
        return self.moves is None or self.moves in (ALL, training)


def driver(home: Home) -> Driver | None:
    """None where no process runs steps of this home."""
    path = home.locks / TASKS
    if not is_held(path):
        return None
    moves = noted(path).get("moves")
    return Driver(holder(path), moves if isinstance(moves, str) else None)


def why_idle(found: Driver | None, training: str) -> str:
    """Why nobody moves a Training on, and what to do; "" where somebody does."""
    if found is None:
        return f"nobody runs it: lykeion up does, lykeion cancel {training} ends it"
    if not found.drives(training):
        return f"it waits for {found.who}: one process at a time runs the steps of a home"
    return ""
