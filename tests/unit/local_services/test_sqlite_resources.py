"""What only a store in a file has to stand: several processes, kills, damage, a full disk, size."""

import re
import resource as limits
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lykeion.adapters.local.resources import MOST_EVENTS, SqliteResources
from lykeion.core.resources import Metadata, PipelineRef, StepStatus, Training, TrainingSpec, TrainingStatus
from lykeion.core.values import Event, Ref
from lykeion.errors import Conflict, Corrupt, Unavailable
from lykeion.ports import refuse
from lykeion.testing.clock import FakeClock
from lykeion.testing.effort import calls

CLOCK = FakeClock()


def training(name: str) -> Training:
    return Training(metadata=Metadata(name=name), spec=TrainingSpec(pipeline_ref=PipelineRef(name="shop")))


def big_status(steps: int, log: int = 200) -> TrainingStatus:
    return TrainingStatus(
        phase="Succeeded",
        steps=tuple(StepStatus(name=f"s{n}", phase="Succeeded", key="a" * 64, log_tail="x" * log, metrics={"m": n}) for n in range(steps)),
    )


def elsewhere(call: str) -> "subprocess.Popen[str]":
    """`call` of this module in a process of its own."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_sqlite_resources import *; {call}"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def result(process: "subprocess.Popen[str]") -> int:
    process.communicate(timeout=60)
    return process.returncode


def count_up(path: str, times: int) -> None:
    store = SqliteResources(Path(path), CLOCK)
    done = 0
    while done < times:
        there = store.get("Training", "shared")
        assert isinstance(there, Training)
        step = StepStatus(name="n", attempts=(there.status.steps[0].attempts if there.status.steps else 0) + 1)
        try:
            store.write_status(there.model_copy(update={"status": TrainingStatus(steps=(step,))}))
            done += 1
        except Conflict:
            continue
    store.close()


def test_no_write_is_lost_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = SqliteResources(path, CLOCK)
    store.create(training("shared"))
    before = store.changes()
    writers = [elsewhere(f"count_up({str(path)!r}, 40)") for _ in range(3)]
    assert [result(writer) for writer in writers] == [0, 0, 0]
    assert store.get("Training", "shared").status.steps[0].attempts == 120
    assert store.changes() != before
    store.close()


def test_many_processes_may_open_a_new_home_at_once(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from lykeion.adapters.local.schema import connect; connect(Path(sys.argv[1])).close()"
    opened = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "state.db")]) for _ in range(8)]
    assert [process.wait(60) for process in opened] == [0] * 8


def create_many(path: str) -> None:
    store = SqliteResources(Path(path), CLOCK)
    for number in range(100_000):
        store.create(training(f"run-{number}"))
        print(number, flush=True)


def test_an_answered_write_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    for kill_after in (1, 7, 30):
        path.unlink(missing_ok=True)
        writer = elsewhere(f"create_many({str(path)!r})")
        assert writer.stdout is not None
        for _ in range(kill_after):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        answered = kill_after + len(writer.stdout.read().splitlines())
        writer.wait()
        writer.stdout.close()
        store = SqliteResources(path, CLOCK)
        names = [one.name for one in store.list("Training")]
        assert len(names) >= answered
        assert names == [f"run-{number}" for number in range(len(names))]
        store.create(training("after"))
        store.close()
        for left in tmp_path.glob("state.db*"):
            left.unlink()


def test_a_file_that_is_no_database_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"these are not the bytes of a database at all" * 100)
    with pytest.raises(Corrupt, match="move it away"):
        SqliteResources(tmp_path / "state.db", CLOCK)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(Unavailable, match="upgrade"):
        SqliteResources(tmp_path / "state.db", CLOCK)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        SqliteResources(tmp_path / "no" / "state.db", CLOCK)


def fill_the_disk(path: str) -> None:
    """In a process of its own: files may have 400 kB from now on."""
    store = SqliteResources(Path(path), CLOCK)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits.setrlimit(limits.RLIMIT_FSIZE, (400_000, 400_000))
    made = 0

    def write_on() -> None:
        nonlocal made
        while True:
            created = store.create(training(f"run-{made}"))
            store.write_status(created.model_copy(update={"status": big_status(20)}))
            made += 1

    with pytest.raises(Unavailable, match="cannot be written"):
        write_on()
    assert made > 0
    assert len(store.list("Training")) in (made, made + 1)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    assert result(elsewhere(f"fill_the_disk({str(path)!r})")) == 0
    store = SqliteResources(path, CLOCK)
    before = len(store.list("Training"))
    store.create(training("after"))
    assert len(store.list("Training")) == before + 1
    store.close()


def test_events_are_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    store = SqliteResources(tmp_path / "state.db", CLOCK)
    store.database.execute("PRAGMA synchronous = OFF")
    for number in range(MOST_EVENTS + 10):
        store.record(Event(Ref("Training", "run"), "Normal", "R", str(number)), CLOCK.now() + timedelta(seconds=number))
    told = store.events()
    assert (len(told), told[0][2].message, told[-1][2].message) == (MOST_EVENTS, "10", str(MOST_EVENTS + 9))
    store.close()


def test_a_status_of_a_thousand_steps_is_read_with_little_work_for_each(tmp_path: Path) -> None:
    store = SqliteResources(tmp_path / "state.db", CLOCK)
    made = store.create(training("big"))
    store.write_status(made.model_copy(update={"status": big_status(1000)}))
    store.parsed.clear()
    assert calls(lambda: store.get("Training", "big")) < 30 * 1000
    assert len(store.get("Training", "big").status.steps) == 1000
    store.close()


def test_a_long_list_reads_no_status(tmp_path: Path) -> None:
    store = SqliteResources(tmp_path / "state.db", CLOCK)
    for number in range(3):
        made = store.create(training(f"run-{number}"))
        store.write_status(made.model_copy(update={"status": big_status(30)}))
    whole = store.list("Training")
    store.database.execute("UPDATE resource SET spec = 'not read', status = 'not read'")
    rows = store.summaries("Training")
    assert [(row.name, row.phase, row.pipeline) for row in rows] == [(one.name, "Succeeded", "shop") for one in whole]
    assert [row.metadata for row in rows] == [one.metadata for one in whole]
    store.close()


def test_every_write_rings_and_reading_does_not(tmp_path: Path) -> None:
    rung: list[int] = []
    store = SqliteResources(tmp_path / "state.db", CLOCK, ring=lambda: rung.append(1))
    store.create(training("run"))
    store.apply(training("run"))
    store.list("Training")
    assert len(rung) == 1
    store.close()


def test_a_write_that_was_taken_back_is_not_remembered(tmp_path: Path) -> None:
    """The version that it was to have goes to the next write."""
    path = tmp_path / "state.db"
    store, other = SqliteResources(path, CLOCK), SqliteResources(path, CLOCK)
    made = store.create(training("run"))

    def write_and_fail() -> None:
        with store.writing():
            store.update(made.model_copy(update={"status": TrainingStatus(phase="Failed", folder="never written")}))
            store.update(made.model_copy(update={"status": TrainingStatus(phase="Running", folder="never written")}))
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    for folder in ("first", "second"):
        there = other.get("Training", "run")
        other.write_status(there.model_copy(update={"status": TrainingStatus(phase="Running", folder=folder)}))
    assert store.get("Training", "run").status.folder == "second"
    store.close()
    other.close()


def spoilt(path: Path, column: str, value: str) -> SqliteResources:
    """A store with the Trainings `good` and `bad`, of which the second has this in its row."""
    store = SqliteResources(path, CLOCK)
    for name in ("good", "bad"):
        store.create(training(name))
    store.close()
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE resource SET {column} = ? WHERE name = 'bad'", (value,))
    database.close()
    return SqliteResources(path, CLOCK)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", '{"steps":[{"name":"a","metrics":{"recall":"high"}}]}'),
        ("status", '{"phase":"Pondering"}'),
        ("status", '{"fieldOfALaterVersion":1}'),
        ("status", '{"steps":['),
        ("spec", "{}"),
        ("spec", ""),
        ("metadata", '{"name":"Not A Name"}'),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_the_way_out_and_can_be_let_go_of(tmp_path: Path, column: str, value: str) -> None:
    store = spoilt(tmp_path / "state.db", column, value)
    assert store.get("Training", "good").name == "good"
    way_out = r"^training/bad: .* lykeion delete training bad lets go of it"
    with pytest.raises(Corrupt, match=way_out):
        store.get("Training", "bad")
    for listed in (store.list, store.unfinished):
        damaged: list[Corrupt] = []
        assert [one.name for one in listed("Training", damaged.append)] == ["good"]
        assert [bool(re.match(way_out, str(wrong))) for wrong in damaged] == [True]
        with pytest.raises(Corrupt, match=way_out):
            listed("Training", refuse)
    assert [one.name for one in store.summaries("Training")] == ["good", "bad"]
    store.create(training("another"))
    store.delete("Training", "bad")
    assert [one.name for one in store.list("Training")] == ["good", "another"]
    assert store.create(training("bad")).name == "bad"
    store.close()
