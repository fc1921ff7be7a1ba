"""An engine on a home of its own, and components to run in it."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.adapters.local.containment import HOME_TOKEN, tokened
from lykeion.adapters.local.tasks import Tasks
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import Child, Ref, Resources, Task
from lykeion.testing.servers import until

OWNER = Ref("Training", "monthly")
RUNNER = "lykeion.components.runner:run"
COMPONENTS = Path(__file__).with_name("components_under_test.py")
PATIENCE = 30.0


def key_of(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def task_of(function: str, *, name: str = "", outputs=("out",), parallelism=1, partitions=0, imports=(), mode="run", **more) -> Task:
    """A task of one step that calls a function of `components_under_test`."""
    task_fields = {key: more.pop(key) for key in ("env", "secrets", "timeout", "image") if key in more}
    memory = more.pop("memory", None)
    inputs, digests = more.pop("inputs", {}), more.pop("digests", {})
    step = StepFile(
        step=name or function, component=f"{COMPONENTS}:{function}", key=key_of(name or function), mode=mode, folder=str(COMPONENTS.parent),
        parameters=more, inputs=inputs, digests=digests, outputs=outputs, closure=(str(COMPONENTS),),
    )  # fmt: skip
    return Task(
        f"monthly.{name or function}.1", OWNER, (step,), imports=imports, partitions=partitions, parallelism=parallelism,
        resources=Resources(memory=memory), **task_fields,
    )  # fmt: skip


class Engine:
    """Tasks, with what a test needs to say in a line."""

    def __init__(self, home: Path, **given) -> None:
        self.home = home
        self.tasks = Tasks(home, runner=RUNNER, **{"slots": 2, **given})

    def until(self, holds: Callable[[], object], what: str = "it") -> None:
        until(holds, PATIENCE, what, rest=self.tasks.wait, every=0.05, seen=self.children)

    def children(self) -> dict[str, Child]:
        return dict(self.tasks.observe(OWNER))

    def run(self, *tasks: Task) -> list[Child]:
        """Start tasks and wait until all have ended."""
        for task in tasks:
            self.tasks.start(task)
        names = {task.name for task in tasks}
        self.until(lambda: all(child.phase in ("Succeeded", "Failed") for name, child in self.children().items() if name in names))
        return [self.children()[task.name] for task in tasks]

    def running(self) -> list[int]:
        """The processes of steps and parents of this home that live."""
        return tokened(f"{HOME_TOKEN}={self.home}:")

    def daemons(self) -> list[int]:
        """The processes that steps of this home made daemons of."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                if f"lykeion-test-daemon of {self.home}:".encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                    found.append(int(name))
        return found

    def log(self, step: str) -> str:
        return (self.home / "logs" / OWNER.name / f"{step}.log").read_text()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return (tmp_path / "home").resolve()


@pytest.fixture
def make_engine(home: Path) -> Iterator[Callable[..., Engine]]:
    made = []

    def make(**given) -> Engine:
        made.append(Engine(home, **given))
        return made[-1]

    yield make
    for engine in made:
        engine.tasks.close()
    assert tokened(f"{HOME_TOKEN}={home}:") == []


@pytest.fixture
def engine(make_engine) -> Engine:
    return make_engine()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
