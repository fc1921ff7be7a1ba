"""A volume that is really full: nothing that was finished is lost, nothing half-written is seen, and it goes on when there is room."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.adapters.local.tasks import Tasks
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import Child, Ref, Task

OWNER = Ref("Training", "full")
MEGABYTE = 1 << 20
SOURCE = """
from lykeion import component, Output

@component
def write(out: Output, *, megabytes: int):
    with (out.path / "big.bin").open("wb") as file:
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
"""


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    place = tmp_path / "volume"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this user may not mount: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def tasks(volume: Path) -> Iterator[Tasks]:
    made = Tasks(volume / "home", runner="lykeion.components.runner:run", slots=2)
    yield made
    made.close()


def write(tmp_path: Path, name: str, megabytes: int) -> Task:
    (tmp_path / "big.py").write_text(SOURCE)
    key = sha256(name.encode()).hexdigest()
    step = StepFile(name, f"{tmp_path}/big.py:write", key, folder=str(tmp_path), parameters={"megabytes": megabytes}, outputs=("out",))
    return Task(f"full.{name}.1", OWNER, (step,))


def until(tasks: Tasks, name: str, *reasons: str) -> Child:
    """The child, when it has ended or waits for one of `reasons`."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        child = tasks.observe(OWNER)[name]
        if child.phase in ("Succeeded", "Failed") or child.reason in reasons:
            return child
        tasks.wait(0.2)
    raise AssertionError(tasks.observe(OWNER))


def test_a_step_that_fills_the_volume_fails_with_the_reason_and_frees_what_it_wrote(tasks, tmp_path):
    tasks.start(write(tmp_path, "small", 2))
    assert until(tasks, "full.small.1").phase == "Succeeded"
    tasks.start(write(tmp_path, "big", 64))
    child = until(tasks, "full.big.1")
    assert (child.phase, child.reason) == ("Failed", "DiskFull")
    assert "lykeion gc" in child.message
    assert not list((tasks.home / "staging").iterdir())
    assert tasks.outputs.find(write(tmp_path, "small", 2).steps[0].key) is not None
    again = write(tmp_path, "big", 4)
    tasks.start(replace(again, name="full.big.2"))
    assert until(tasks, "full.big.2").phase == "Succeeded"


def test_nothing_starts_on_a_full_volume_and_it_goes_on_when_there_is_room(tasks, volume, tmp_path):
    ballast = volume / "ballast"
    ballast.write_bytes(bytes(13 * MEGABYTE))
    tasks.start(write(tmp_path, "one", 1))
    waiting = until(tasks, "full.one.1", "DiskFull")
    assert (waiting.phase, waiting.reason) == ("Pending", "DiskFull")
    os.unlink(ballast)
    done = until(tasks, "full.one.1")
    assert (done.phase, done.reason) == ("Succeeded", "")


def test_an_engine_starts_and_ends_on_a_full_volume(tasks, volume, tmp_path):
    tasks.start(write(tmp_path, "one", 1))
    assert until(tasks, "full.one.1").phase == "Succeeded"
    tasks.close()
    ballast = volume / "ballast"
    room = os.statvfs(volume)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    with pytest.raises(OSError, match="No space"):
        (volume / "one more").write_bytes(b"byte")
    full = Tasks(volume / "home", runner="lykeion.components.runner:run", slots=2)
    assert full.outputs.find(write(tmp_path, "one", 1).steps[0].key) is not None
    full.start(write(tmp_path, "two", 1))
    assert until(full, "full.two.1", "DiskFull").phase == "Pending"
    full.close()
