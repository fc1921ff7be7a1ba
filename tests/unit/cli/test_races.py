"""Several commands at once on one home: each does what it says, whoever is first."""

import json
import sqlite3

import pytest

SPEC = """  parameters: {n: {type: integer, default: 0}}
  steps:
    - {name: a, component: "./work.py:make", with: {n: "${parameters.n}"}}
    - {name: b, component: "./work.py:take", inputs: {given: a.out}}
"""
CODE = """@component
def make(out: Output, *, n: int = 0) -> None:
    (out.path / "x").write_text("made" * 1000 + str(n))


@component
def take(given: Input, out: Output) -> None:
    (out.path / "x").write_text((given.path / "x").read_text())


"""
WAITING = """@component
def make(out: Output, *, n: int = 0) -> None:
    print("begun", flush=True)
    for _ in range(6000):
        if Path({gate!r}).exists():
            return
        time.sleep(0.01)


@component
def take(given: Input, out: Output) -> None:
    pass


"""


def answers(processes):
    """What each of them printed, and how it ended."""
    told = []
    for process in processes:
        out, err = process.communicate(timeout=90)
        assert "Traceback" not in err, err
        told.append((process.returncode, json.loads(out) if out else err))
    return told


def test_reruns_of_one_training_at_once_each_have_a_name_of_their_own(cli, write, beside):
    cli("run", write(SPEC, CODE), "-q")
    told = answers([beside("rerun", "p-1", "-o", "json", "-q") for _ in range(4)])
    assert [code for code, _ in told] == [0] * 4
    assert sorted(one["training"] for _, one in told) == ["p-1-r1", "p-1-r2", "p-1-r3", "p-1-r4"]


def test_of_applies_at_once_one_creates_and_the_others_find_it_there(cli, write, beside):
    file = write(SPEC, CODE)
    told = answers([beside("apply", "-f", file, "-o", "json") for _ in range(4)])
    assert [code for code, _ in told] == [0] * 4
    assert {one[0]["change"] for _, one in told} <= {"created", "unchanged"}
    assert cli("get", "pipeline", "p", "-o", "json").json["metadata"]["generation"] == 1


def test_of_deletes_at_once_nobody_is_told_a_lie(cli, write, beside):
    cli("apply", "-f", write(SPEC, CODE))
    told = answers([beside("delete", "pipeline", "p", "-o", "json") for _ in range(4)])
    assert any(code == 0 for code, _ in told)
    assert {code for code, _ in told} <= {0, 3}
    assert cli("get", "pipelines", "-o", "json").json == []


def test_a_run_goes_on_with_the_pipeline_that_it_began_with(cli, write, beside, until, home, tmp_path):
    gate = tmp_path / "gate"
    file = write(SPEC, WAITING.format(gate=str(gate)))
    running = beside("run", file, "-o", "json", "-q")
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    file.write_text(file.read_text().replace("name: b,", "name: other,"))
    assert cli("apply", "-f", file, "-o", "json").json[0]["change"] == "configured"
    gate.touch()
    ((code, told),) = answers([running])
    assert (code, [step["name"] for step in told["steps"]]) == (0, ["a", "b"])


def test_cancelling_twice_at_once_cancels_once(cli, write, beside, until, home, tmp_path):
    running = beside("run", write(SPEC, WAITING.format(gate=str(tmp_path / "never"))), "-o", "json", "-q")
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    told = answers([beside("cancel", "p-1", "-o", "json") for _ in range(3)])
    assert any(code == 0 for code, _ in told)
    assert {code for code, _ in told} <= {0, 4}, "who came late is told that it has ended already"
    ((code, ended),) = answers([running])
    assert (code, ended["phase"]) == (130, "Cancelled")
    events = cli("describe", "training", "p-1", "-o", "json").json["events"]
    assert [event["count"] for event in events if event["reason"] == "TrainingCancelled"] == [1]


@pytest.mark.slow
def test_collecting_takes_nothing_from_runs_beside_it(cli, write, beside):
    file = write(SPEC, CODE)
    for round_ in range(3):
        runs = [beside("run", file, "-p", f"n={number}", "-o", "json", "-q") for number in (round_, round_ + 1)]
        gone = [beside("gc", "--older-than", "0s", "--keep", "0", "-o", "json") for _ in range(3)]
        swept = [code for code, _ in answers(gone)]
        assert 0 in swept
        assert set(swept) <= {0, 5}, "one that finds another at it says so"
        for code, told in answers(runs):
            assert code == 0, told
            assert {step["state"] for step in told["steps"]} <= {"Succeeded", "Cached"}


def test_a_home_that_somebody_writes_to_for_long_is_waited_for_and_then_told(cli, write, home):
    """Another program that holds the database's lock, a backup say."""
    cli("apply", "-f", write(SPEC, CODE))
    (database,) = home.glob("*.db")
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert cli("get", "pipelines", "-o", "json").json, "reading waits for nobody"
        other.execute("COMMIT")
    other.close()
    assert cli("delete", "pipeline", "p").out
