"""`kill -9` of a step, of a parent, of the whole engine, at chosen points and at random: never a wrong or half result, never a finished
step lost or run again, nothing left running."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lykeion.adapters.local.containment import HOME_TOKEN, tokened
from lykeion.adapters.volume.faults import VARIABLE
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.testing.servers import until

DRIVER = Path(__file__).with_name("kills_driver.py")
spec = importlib.util.spec_from_file_location("kills_driver", DRIVER)
assert spec
assert spec.loader
driver = importlib.util.module_from_spec(spec)
spec.loader.exec_module(driver)

GONE_SECONDS = 1.0
MANY = 1000


class Install:
    """A home, its journal, and the engine that runs on it."""

    def __init__(self, folder: Path) -> None:
        self.home = (folder / "home").resolve()
        self.journal = folder / "journal"
        self.engine: subprocess.Popen[str] | None = None

    def start(self, steps: int, *, attempts: int = MANY, crash_at: str = "") -> subprocess.Popen[str]:
        """Returns when the engine has recovered."""
        environment = {**os.environ, VARIABLE: crash_at}
        command = [sys.executable, str(DRIVER), str(self.home), str(self.journal), str(steps), str(attempts)]
        self.engine = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.engine.stdout is not None
        with self.engine.stdout as output:
            output.readline()
        return self.engine

    def finish(self, steps: int) -> None:
        assert self.start(steps).wait(60) == 0

    def processes(self) -> list[int]:
        return tokened(f"{HOME_TOKEN}={self.home}:")

    def published(self) -> set[int]:
        """The steps that are there, as anybody can see without asking the engine."""
        there = set(os.listdir(self.home / "outputs"))
        return {number for number in range(200) if driver.key_of(number) in there}

    def began(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def all_is_well(self, steps: int) -> None:
        """Every output is whole and right, and nothing is left of the attempts."""
        outputs = DirectoryOutputs(self.home)
        for number in range(steps):
            assert outputs.find(driver.key_of(number)) is not None, number
            files = [path for path in outputs.path(driver.key_of(number), "out").rglob("*") if path.is_file()]
            assert len(files) == (driver.PARTS if driver.is_partitioned(number) else 2)
            assert {path.read_text() for path in files} == {driver.content_of(number)}
        assert not list((self.home / "staging").iterdir())
        assert not list((self.home / "partial").iterdir())
        assert not (self.home / "corrupt").exists()
        self.nothing_runs()

    def nothing_runs(self) -> None:
        until(lambda: not self.processes(), GONE_SECONDS, "the end of them all", every=0.005, seen=self.processes)


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Install]:
    made = Install(tmp_path)
    yield made
    if made.engine is not None and made.engine.poll() is None:
        made.engine.kill()
        made.engine.wait()


def test_without_kills_every_step_runs_once(install):
    install.finish(10)
    assert max(Counter(install.began()).values()) == 1
    install.all_is_well(10)


@pytest.mark.parametrize(
    "point", ["before_send", "before_rename", "after_rename", "after_publish", "after_partition", "between_partitions"]
)
def test_an_engine_that_dies_at_any_point_of_publishing_loses_no_finished_step(install, point):
    assert install.start(5, crash_at=point).wait(30) == -signal.SIGKILL
    install.nothing_runs()
    install.finish(5)
    assert sum(count - 1 for count in Counter(install.began()).values()) <= 2  # what ran beside the finished one begins again
    install.all_is_well(5)


def test_a_step_that_dies_before_its_seal_is_dropped_and_run_again(install):
    assert install.start(3, crash_at="before_seal", attempts=1).wait(30) == 1
    assert install.published() == set()
    install.finish(3)
    assert set(install.began()) == {"0", "1", "2"}
    install.all_is_well(3)


def test_a_step_that_dies_after_its_seal_has_succeeded(install):
    assert install.start(3, crash_at="after_seal", attempts=1).wait(30) == 0
    assert Counter(install.began()) == {"0": 1, "1": 1, "2": 1}
    install.all_is_well(3)


def test_what_a_dead_engine_had_sealed_is_adopted_and_not_run_again(install):
    assert install.start(1, crash_at="before_rename").wait(30) == -signal.SIGKILL
    assert install.published() == set()
    install.finish(1)
    assert install.began() == ["0"]
    install.all_is_well(1)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_kills_never_leave_a_wrong_result_nor_repeat_a_finished_step(install, seed):
    chance = random.Random(seed)
    steps, kills = 30, 0
    finished: dict[int, int] = {}  # step -> how long the journal was when its output was seen
    engine = install.start(steps)
    while engine.poll() is None:
        time.sleep(chance.uniform(0.01, 0.12))
        for number in install.published():
            finished.setdefault(number, len(install.began()))
        victims = install.processes()
        if kills < 12:
            victim = chance.choice([engine.pid, *victims, *victims])
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
            kills += 1
            if victim == engine.pid:
                engine.wait()
                install.nothing_runs()
                engine = install.start(steps)
    assert engine.returncode == 0
    assert kills >= 6
    began = install.began()
    for number, length in finished.items():
        assert str(number) not in began[length:], f"step {number} was finished, and ran again"
    install.all_is_well(steps)


def test_a_second_engine_on_the_same_home_is_refused_and_harms_nothing(install):
    first = install.start(12)
    second = subprocess.run(
        [sys.executable, str(DRIVER), str(install.home), str(install.journal), "12", "1"], capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 1
    assert "Unavailable" in second.stderr
    assert first.wait(60) == 0
    assert max(Counter(install.began()).values()) == 1
    install.all_is_well(12)
