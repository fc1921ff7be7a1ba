"""`apply`, `get`, `describe`, `delete`, and the logs."""

import io
import sqlite3
import sys

import pytest
import yaml

from lykeion.cli.up import left_alone

PIPELINE = 'apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: %s}\nspec:\n  steps:\n    - {name: a, component: "./work.py:make"}\n'
TRAINING = "apiVersion: lykeion.dev/v1alpha1\nkind: Training\nmetadata: {name: %s}\nspec: {pipelineRef: {name: p}, parameters: {n: %d}}\n"


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("p", "q"):
        (folder / f"{name}.yaml").write_text(PIPELINE % name)
    (folder / "notes.txt").write_text("no resource")
    return folder


def changes(said) -> dict[str, str]:
    return {one["name"]: one["change"] for one in said.json}


def test_files_and_folders_are_applied_and_what_changed_is_told(cli, files):
    assert changes(cli("apply", "-f", files, "-o", "json")) == {"p": "created", "q": "created"}
    (files / "q.yaml").write_text((PIPELINE % "q").replace('make"}', 'make", timeout: 5s}'))
    assert changes(cli("apply", "-f", files / "p.yaml", "-f", files / "q.yaml", "-o", "json")) == {"p": "unchanged", "q": "configured"}


def test_a_file_is_named_with_or_without_an_option(cli, files):
    for named in ([files / "p.yaml"], ["-f", files / "q.yaml"], ["-f", files / "q.yaml", files / "p.yaml"]):
        cli("apply", *named)
    assert changes(cli("apply", files / "p.yaml", "--filename", files / "q.yaml", "-o", "json")) == {"p": "unchanged", "q": "unchanged"}
    assert "lykeion apply FILE" in cli("apply", code=2).err


def test_the_problems_of_all_files_come_together_and_nothing_is_written(cli, files):
    (files / "q.yaml").write_text("kind: Pipelin\n")
    (files / "r.yml").write_bytes(b"\xff\xfe")
    told = cli("apply", "-f", files, "-f", files / "none.yaml", code=2).err
    assert "q.yaml:1" in told
    assert "r.yml: cannot be read" in told
    assert "none.yaml: cannot be read" in told
    assert cli("get", "pipelines", "-o", "json").json == []


def test_a_folder_without_files_is_a_mistake(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no .yaml file" in cli("apply", "-f", tmp_path / "empty", code=2).err


def test_what_may_not_be_changed_keeps_the_rest_from_being_written(cli, files):
    (files / "p.yaml").write_text(PIPELINE % "p" + "---\n" + TRAINING % ("t", 1))
    cli("apply", "-f", files / "p.yaml")
    (files / "p.yaml").write_text(PIPELINE % "new" + "---\n" + TRAINING % ("t", 2))
    told = cli("apply", "-f", files / "p.yaml", code=2).err
    assert "p.yaml: spec.parameters" in told
    assert "lykeion rerun t" in told
    assert "new" not in cli("get", "pipelines").out


def test_resources_come_from_stdin_too(cli, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(PIPELINE % "p"))
    assert changes(cli("apply", "-f", "-", "-o", "json")) == {"p": "created"}


@pytest.mark.parametrize("words", [("pipeline", "p"), ("pipelines", "p"), ("Pipeline/p",), ("pipeline/p",)])
def test_one_resource_is_asked_for_in_any_of_the_usual_ways(cli, files, words):
    cli("apply", "-f", files)
    assert cli("get", *words, "-o", "json").json["metadata"]["name"] == "p"


def test_what_is_shown_can_be_applied_again(cli, files, tmp_path):
    cli("apply", "-f", files)
    (tmp_path / "files" / "p.yaml").write_text(cli("get", "pipeline", "p", "-o", "yaml").out)
    assert changes(cli("apply", "-f", files / "p.yaml", "-o", "json")) == {"p": "unchanged"}


def test_lists_are_tables_for_people(cli, files):
    assert "no pipelines yet" in cli("get", "pipelines").out
    assert "no trainings yet" in cli("get", "trainings").out
    assert "no servings yet" in cli("get", "servings").out
    cli("apply", "-f", files)
    told = cli("get", "pipelines").out.splitlines()
    assert told[0].split() == ["NAME", "STEPS", "PUBLISHES", "AGE"]
    assert told[1].split()[:2] == ["p", "1"]


def test_a_resource_is_described_with_what_happened_to_it(cli, write):
    cli(
        "run",
        write(
            '  steps:\n    - {name: a, component: "./work.py:make"}\n',
            "@component\ndef make(out: Output) -> None:\n    print('[/] hello')\n",
        ),
    )
    told = cli("describe", "training/p-1")
    assert yaml.safe_load(told.out.split("LAST SEEN")[0])["status"]["phase"] == "Succeeded"
    assert "TrainingSucceeded" in told.out
    assert cli("describe", "training", "p-1", "-o", "json").json["events"][-1]["reason"] == "TrainingSucceeded"
    assert cli("get", "trainings").out.splitlines()[1].split()[:3] == ["p-1", "Succeeded", "1/1"]


def test_of_a_run_in_which_nothing_succeeded_no_step_is_counted(cli, write):
    cli("run", write(TWO, TALKING.replace('    print("first"', "    raise ValueError\n    print('first'")), code=1)
    assert cli("get", "trainings").out.splitlines()[1].split()[:3] == ["p-1", "Failed", "0/2"]


def test_of_a_run_of_some_steps_those_not_asked_for_are_not_counted(cli, write):
    cli("run", write(TWO, TALKING), "--only", "a")
    assert cli("get", "trainings").out.splitlines()[1].split()[:3] == ["p-1", "Succeeded", "1/1"]


def test_all_that_is_to_be_deleted_must_be_there(cli, files):
    cli("apply", "-f", files)
    cli("delete", "pipeline", "p", "nothing", code=3)
    assert len(cli("get", "pipelines", "-o", "json").json) == 2
    assert cli("delete", "pipeline", "p", "q", "p").out.splitlines() == ["pipeline/p deleted", "pipeline/q deleted"]
    assert cli("get", "pipelines", "-o", "json").json == []


TWO = '  steps:\n    - {name: a, component: "./work.py:one"}\n    - {name: b, component: "./work.py:two", inputs: {x: a.out}}\n'
TALKING = """@component
def one(out: Output) -> None:
    print("first", "second", "third", sep="\\n")


@component
def two(x: Input, out: Output) -> None:
    print("[/] from b")


"""


def test_logs_are_shown_whole_or_their_last_lines(cli, write):
    cli("run", write(TWO, TALKING))
    assert cli("logs", "p-1", "a").out == "first\nsecond\nthird\n"
    assert cli("logs", "p-1", "a", "--tail", "2").out == "second\nthird\n"
    assert cli("logs", "p-1", "a", "--tail", "0").out == ""
    assert cli("logs", "p-1", "a", "--tail", "9").out == "first\nsecond\nthird\n"
    assert cli("logs", "p-1").out == "==> a <==\nfirst\nsecond\nthird\n==> b <==\n[/] from b\n"
    assert "did you mean 'p-1'" in cli("logs", "p1", code=3).err
    assert "a, b" in cli("logs", "p-1", "zzz", code=3).err


def test_what_came_from_the_cache_has_its_log_where_it_was_made(cli, write, home):
    three = TWO + '    - {name: c, component: "./work.py:two", inputs: {x: b.out}, cache: never}\n'
    for spec in (TWO, three, TWO):
        cli("run", write(spec, TALKING))
    assert cli("logs", "p-2", "a", code=3).err.endswith("p-2 has no log of step 'a'; a came from the cache: lykeion logs p-1 a\n")
    assert cli("logs", "p-3", code=3).err.endswith(
        "there are no logs of 'p-3'; a came from the cache: lykeion logs p-1 a; b came from the cache: lykeion logs p-1 b\n"
    )
    assert "known here: c" in cli("logs", "p-2", "zzz", code=3).err
    (home / "logs" / "p-1" / "a.log").unlink()
    assert "a came from the cache: the log of the run that made it is not kept any more" in cli("logs", "p-2", "a", code=3).err


def test_what_the_engine_logs_of_itself_is_no_training(cli, write, home):
    cli("run", write(TWO, TALKING))
    (home / "logs" / "parents").mkdir(exist_ok=True)
    assert cli("logs", "u-zzzzz", code=3).err.endswith("known here: p-1\n")


def test_logs_of_steps_that_begin_later_are_followed(write, beside, until, tmp_path, home):
    gate = (
        f"    for _ in range(6000):\n        if Path({str(tmp_path / 'gate')!r}).exists():\n            return\n        time.sleep(0.01)\n"
    )
    running = beside("run", write(TWO, TALKING.replace('sep="\\n")\n', f'sep="\\n", flush=True)\n{gate}')))
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "third" in log.read_text())
    following = beside("logs", "p-1", "-f")
    assert [following.stdout.readline() for _ in range(3)] == ["first\n", "second\n", "third\n"]
    (tmp_path / "gate").touch()
    told, _ = following.communicate(timeout=60)
    assert told == "==> b <==\n[/] from b\n"
    assert running.wait(60) == 0


def spoil(home, name):
    """As a version that knew other fields would have left it."""
    with sqlite3.connect(home / "state.db") as database:
        database.execute("UPDATE resource SET spec = '{\"stepz\": []}' WHERE name = ?", (name,))
    database.close()


def test_a_resource_that_cannot_be_read_any_more_is_named_and_deleted(cli, files, home):
    cli("apply", "-f", files)
    spoil(home, "q")
    for words in (("get", "pipeline", "q"), ("describe", "pipeline", "q"), ("apply", "-f", files)):
        told = cli(*words, code=6).err
        assert "pipeline/q: what is kept of it" in told
        assert "lykeion delete pipeline q" in told
    assert cli("get", "pipeline", "p", "-o", "json").json["metadata"]["name"] == "p"
    cli("delete", "pipeline", "q")
    assert changes(cli("apply", "-f", files, "-o", "json")) == {"p": "unchanged", "q": "created"}


def test_one_that_cannot_be_read_is_told_of_and_keeps_nobody_from_the_others(cli, files, home):
    cli("apply", "-f", files)
    spoil(home, "q")
    listed = cli("get", "pipelines", "-o", "json")
    assert [one["metadata"]["name"] for one in listed.json] == ["p"]
    assert "pipeline/q: what is kept of it" in listed.err
    checked = {one["name"]: one for one in cli("doctor", "--port", "0", "-o", "json", code=1).json}
    assert checked["pipeline/q"]["remedy"].startswith("lykeion delete pipeline q")


def test_a_training_that_cannot_be_read_stops_no_other_run_and_nothing_is_freed_meanwhile(cli, write, home, platform, capsys):
    file = write('  steps:\n    - {name: a, component: "./work.py:make"}\n', "@component\ndef make(out: Output) -> None: ...\n")
    cli("run", file, "-q", "--no-wait")
    spoil(home, "p-1")
    left_alone(platform)
    assert "lykeion up: training/p-1: what is kept of it" in capsys.readouterr().err
    assert cli("run", file, "-q", "-o", "json").json["training"] == "p-2"
    assert "training/p-1: what is kept of it" in cli("gc", code=6).err
    assert "training/p-1: what is kept of it" in cli("models", "prune", code=6).err
    cli("delete", "training", "p-1")
    cli("gc")
