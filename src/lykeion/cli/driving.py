"""Waiting for a Training: whoever holds the tasks of the home runs it; where nobody does, this process does."""

import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from lykeion.adapters.local.tasks import Tasks
from lykeion.assembly import Platform, children, tasks_engine, trainings
from lykeion.core.resources import Training
from lykeion.core.resources.training import OVER
from lykeion.daemons.controller import control
from lykeion.errors import Unavailable

LOOK_EVERY = 0.2


class Show(Protocol):
    """What a person is shown meanwhile."""

    def __call__(self, training: Training) -> None: ...
    def remark(self, text: str) -> None: ...


class Interruption:
    """The first Ctrl-C (or SIGTERM) asks for the Training to be cancelled; the second one ends us at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def interruptible() -> Iterator[Interruption]:
    interruption = Interruption()
    before = {number: signal.signal(number, interruption) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for(platform: Platform, name: str, show: Show) -> Training:
    """The Training when it is over. It is run here where no other process runs the steps of this home."""
    with interruptible() as interruption:

        def moved(training: Training) -> None:
            show(training)
            if interruption.asked and training.spec.state == "Run":
                cancel(platform, training)

        platform.bell.listen()
        while True:
            training = read(platform, name)
            if training.status.phase in OVER:
                return training
            moved(training)
            try:
                engine = tasks_engine(platform, name)
            except Unavailable:
                if training.spec.state == "Cancelled":
                    end_cancelled(platform, name)
                show.remark(f"{name}: {platform.why_idle(name) or run_by(platform)}")
                select.select([platform.bell], [], [], LOOK_EVERY)
                platform.bell.hush()
                continue
            drive(platform, engine, name, moved)


def run_by(platform: Platform) -> str:
    driver = platform.driver()
    return f"it is run by {driver.who}" if driver else "it is about to be run"


def end_cancelled(platform: Platform, name: str) -> Training:
    """Carry out that a Training is to be cancelled, where nobody else does; how it is then.

    Whoever takes the tasks of the home first ends what a dead process has left of them, so nothing writes for it any more. Where another
    run has them, that was done when it took them: then it is only written down. To be killed in between leaves what there was before.
    """
    driver = platform.driver()
    if driver is None or not driver.drives(name):
        try:
            engine = tasks_engine(platform, name)
        except Unavailable:
            engine = None
        drive(platform, engine, name, lambda _: None)
    return read(platform, name)


def drive(platform: Platform, engine: Tasks | None, name: str, each: Callable[[Training], None]) -> None:
    """Run the loop for this one Training until it is over, telling `each` how it is; nothing is left running."""
    all_children = children(platform, engine, services=False)
    part = trainings(platform, all_children, only=name)

    def done() -> bool:
        moving = part.moving.get(name)
        if moving is not None:
            each(moving.training)
        return part.seen >= 0 and moving is None

    try:
        control(lambda: [part], all_children, done)
    finally:
        all_children.close()


def read(platform: Platform, name: str) -> Training:
    training = platform.resources.get("Training", name)
    assert isinstance(training, Training)
    return training


def cancel(platform: Platform, training: Training) -> None:
    """Ask for it; whoever runs it does it."""
    platform.resources.apply(training.model_copy(update={"spec": training.spec.model_copy(update={"state": "Cancelled"})}))
