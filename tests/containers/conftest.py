"""Small images of busybox, and an engine that runs steps of them by each runtime that this machine has."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.adapters.containers.chosen import BY_NAME
from lykeion.adapters.images.store import Store
from lykeion.adapters.local.tasks import Tasks
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import Child, Ref, Resources, Task
from lykeion.errors import Unavailable
from lykeion.testing import daemons
from lykeion.testing.servers import until

sys.path.append(str(Path(__file__).parent))
from image_files import BUSYBOX, busybox, layer_of, left_of, put

BUILT = Path(__file__).parents[2] / ".cache/bin"
CONTAINERD, NERDCTL = BUILT / daemons.CONTAINERD, BUILT / daemons.NERDCTL
NEEDED = {"docker": ["dockerd", "docker"], "nerdctl": [f"{CONTAINERD}/containerd", f"{NERDCTL}/nerdctl", "runc"]}
OWNER = Ref("Training", "contained")
PATIENCE = 20.0


@dataclass
class Engine:
    """Tasks whose steps run images of one home."""

    home: Path
    runtime: str
    image: str
    tasks: Tasks

    def task(self, script: str | None = None, *, name: str = "step", outputs=("out",), image: str = "", **more) -> Task:
        """One step that runs a script of busybox, or what the image says."""
        fields = {key: more.pop(key) for key in ("env", "secrets", "timeout", "network", "attempt") if key in more}
        memory, command = more.pop("memory", None), more.pop("command", ("sh", "-c", script) if script is not None else ())
        key = sha256(f"{name} {script} {more}".encode()).hexdigest()
        step = StepFile(step=name, component="", key=key, outputs=outputs, command=command, **more)
        return Task(f"contained.{name}.1", OWNER, (step,), image=image or self.image, resources=Resources(memory=memory), **fields)

    def until(self, holds: Callable[[], object], what: str = "it") -> None:
        until(holds, PATIENCE, what, rest=self.tasks.wait, every=0.05, seen=self.children)

    def children(self) -> Mapping[str, Child]:
        return self.tasks.observe(OWNER)

    def run(self, task: Task) -> Child:
        self.tasks.start(task)
        self.until(lambda: self.children()[task.name].phase in ("Succeeded", "Failed"))
        return self.children()[task.name]

    def runs(self, script: str, **more) -> Child:
        """Run a script that must succeed."""
        child = self.run(self.task(script, **more))
        assert child.phase == "Succeeded", f"{child.reason} {child.message}\n{self.log()}"
        return child

    def fails(self, script: str | None, **more) -> Child:
        child = self.run(self.task(script, **more))
        assert child.phase == "Failed"
        return child

    def log(self, step: str = "step") -> str:
        return (self.home / "logs" / OWNER.name / f"{step}.log").read_text()

    def made(self, child: Child, path: str, output: str = "out") -> str:
        (result,) = child.results.values()
        return (self.home / "outputs" / result.key / output / path).read_text()

    def started(self, script: str, sign: str, **more) -> Task:
        """Start a script, and wait until it has printed `sign`."""
        task = self.task(script, **more)
        self.tasks.start(task)
        self.until(lambda: (self.home / "logs" / OWNER.name / "step.log").exists() and sign in self.log(), sign)
        return task


@pytest.fixture(scope="session", params=list(BY_NAME))
def runtime(request) -> Iterator[str]:
    """Each runtime that works here; docker and nerdctl with a daemon of our own."""
    name = request.param
    if name in NEEDED and not (os.geteuid() == 0 and all(map(shutil.which, NEEDED[name]))):
        pytest.skip("a daemon of our own needs root, and what scripts/containerd installs")
    daemon = {"docker": daemons.docker, "nerdctl": partial(daemons.containerd, CONTAINERD, NERDCTL)}.get(name, partial(nullcontext, {}))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as started:
        try:
            env = started.enter_context(daemon())
        except Unavailable as error:
            pytest.skip(str(error))
        for variable, value in env.items():
            patch.setenv(variable, value)
        if reason := BY_NAME[name].unfit():
            pytest.skip(reason)
        yield name


@pytest.fixture(scope="session")
def needs_busybox() -> None:
    if not BUSYBOX.exists():
        pytest.skip("busybox is not installed (apt install busybox-static)")


@pytest.fixture
def home(tmp_path) -> Path:
    return (tmp_path / "home").resolve()


@pytest.fixture
def store(home) -> Store:
    return Store(home / "images")


@pytest.fixture
def engine(home, store, runtime, needs_busybox) -> Iterator[Engine]:
    """Closed at the end, after which nothing of it may be left running."""
    made = put(store, "busybox", layer_of(store, busybox()))
    tasks = Tasks(home, runner="lykeion.components.runner:run", slots=2, containers=lambda: runtime)
    yield Engine(home, runtime, f"busybox@{made.digest}", tasks)
    tasks.close()
    assert left_of(home) == []
