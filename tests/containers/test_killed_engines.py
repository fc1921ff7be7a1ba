"""kill -9 of an engine ends its containers, also those that a daemon runs, whose children they are and not the engine's."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from image_files import busybox, layer_of, left_of, put

from lykeion.adapters.containers.daemon import DAEMONS
from lykeion.adapters.containers.launch import scratch_of
from lykeion.adapters.local.tasks import Tasks
from lykeion.adapters.local.warm_parent import MARKS
from lykeion.testing.servers import until

ENGINE = """
import sys
from pathlib import Path
from lykeion.adapters.local.tasks import Tasks
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import Ref, Task

home, runtime, image = sys.argv[1:]
step = StepFile(step="step", component="", key="0" * 64, outputs=("out",),
                command=("sh", "-c", "echo begun > /lykeion/cache/f; while true; do echo more >> /lykeion/cache/f; sleep 0.01; done"))
tasks = Tasks(Path(home), runner="lykeion.components.runner:run", containers=lambda: runtime)
tasks.start(Task("killed.step.1", Ref("Training", "killed"), (step,), image=image))
while True:
    tasks.wait(1.0)
"""


@pytest.fixture
def engine(home, store, runtime, needs_busybox) -> Iterator[psutil.Process]:
    """A process of its own, whose container writes for ever."""
    made = put(store, "busybox", layer_of(store, busybox()))
    process = subprocess.Popen([sys.executable, "-c", ENGINE, str(home), runtime, f"busybox@{made.digest}"])
    try:
        until(lambda: (home / "cache/containers/f").exists(), 30, "its container")
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def containers(runtime: str) -> str:
    """The names of those that a daemon knows; other runtimes have none that outlive their processes."""
    return DAEMONS[runtime].asked("ps", "--all", "--format", "{{.Names}}") if runtime in DAEMONS else ""


def guard_of(engine: psutil.Process) -> psutil.Process:
    """Who does nothing but wait in the step's process: a fork of it, beside the client."""
    (parent,) = engine.children()
    (step,) = parent.children()
    (guard,) = [child for child in step.children() if child.cmdline() == step.cmdline()]
    return guard


def scratch_of_step(home: Path) -> Path:
    (attempt,) = (home / "staging").glob("killed*")
    return scratch_of(home / MARKS / attempt.name)


def next_engine(home: Path) -> Tasks:
    return Tasks(home, runner="lykeion.components.runner:run")


@pytest.mark.parametrize("runtime", ["bubblewrap", *DAEMONS], indirect=True, scope="session")  # podman's end with the next engine
def test_a_killed_engine_takes_its_container_with_it_though_no_other_engine_comes(engine, runtime, home):
    engine.kill()
    until(lambda: not left_of(home) and not containers(runtime), 20, "its end", seen=lambda: [*left_of(home), containers(runtime)])
    assert not list((home / "containers").glob("*"))


def test_what_nobody_could_end_is_ended_by_the_next_engine_before_it_begins(engine, runtime, home):
    scratch = scratch_of_step(home)
    if runtime in DAEMONS:
        guard_of(engine).kill()
        engine.kill()
        size = (home / "cache/containers/f").stat().st_size
        until(lambda: (home / "cache/containers/f").stat().st_size > size + 100, 20, "that it goes on without anybody")
    else:
        engine.kill()
    tasks = next_engine(home)
    try:
        assert not containers(runtime)
        assert not list((home / "containers").glob("*"))
        assert not left_of(home)
        assert not (scratch / "containers.conf").exists()
        assert runtime == "podman" or not scratch.exists()  # podman, which its monitor has just started, may make its own folders anew
    finally:
        tasks.close()


@pytest.mark.parametrize("runtime", list(DAEMONS), indirect=True, scope="session")
def test_what_a_daemon_that_does_not_answer_ran_is_remembered(engine, runtime, home, monkeypatch, capfd):
    guard_of(engine).kill()
    engine.kill()
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{home}/nothing")
        patch.setenv("CONTAINERD_ADDRESS", f"{home}/nothing")
        next_engine(home).close()
        assert list((home / "containers").glob("*"))
        assert runtime in capfd.readouterr().err
    next_engine(home).close()
    assert not containers(runtime)
    assert not list((home / "containers").glob("*"))


def test_a_step_that_is_killed_is_reported_when_its_container_is_gone(engine, runtime, home):
    """As its memory limit does it: nobody had asked for its end."""
    (parent,) = engine.children()
    (step,) = parent.children()
    scratch = scratch_of_step(home)
    assert scratch.exists() == (runtime != "bubblewrap")
    os.kill(step.pid, signal.SIGKILL)
    until(lambda: not list((home / "staging").glob("killed*")), 20, "its report")
    assert not containers(runtime)
    assert not [one for one in left_of(home) if "sh" in one or "busybox" in one]
    assert not scratch.exists()
