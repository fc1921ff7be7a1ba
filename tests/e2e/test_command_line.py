"""The commands, as they are typed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

LYKEION = Path(sys.executable).with_name("lykeion")
WORDS = "examples/01-one-step/pipeline.yaml"


def test_help_names_every_command_and_loads_nothing(cli):
    told = cli("--help").out
    assert all(name in told for name in ("up", "run", "explain", "models", "search", "demo", "gc", "doctor"))
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys; from lykeion.cli.main import main; main(['--help']); print(len(sys.modules), 'rich' in sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    assert loaded.endswith("False")


def test_a_pipeline_is_run_and_its_model_is_there(cli):
    told = cli("run", WORDS, "-o", "json").json
    assert told["phase"] == "Succeeded"
    assert [(step["name"], step["state"], step["cache"]) for step in told["steps"]] == [
        ("count", "Succeeded", "miss"),
        ("top", "Succeeded", "miss"),
    ]
    assert [(one["model"], one["version"]) for one in told["published"]] == [("best-words", 1)]
    again = cli("run", WORDS, "-o", "json").json
    assert [step["cache"] for step in again["steps"]] == ["hit", "hit"]
    assert again["published"][0]["version"] == 1, "the same content is the same version"
    anew = cli("run", WORDS, "--no-cache", "-o", "json").json
    assert [(step["state"], step["key"]) for step in anew["steps"]] == [("Succeeded", step["key"]) for step in told["steps"]]
    assert anew["published"][0]["version"] == 1
    more = cli("run", WORDS, "-p", "n=5", "-o", "json").json
    assert [step["cache"] for step in more["steps"]] == ["hit", "miss"]
    assert more["published"][0]["version"] == 2
    assert cli("models", "list", "-o", "json").json == [{"model": "best-words", "versions": [1, 2], "aliases": {"stable": 2}}]


def test_explain_says_what_a_run_would_do_and_runs_nothing(cli):
    cli("run", WORDS)
    told = {one["name"]: one for one in cli("explain", WORDS, "-p", "n=9", "-o", "json").json}
    assert told["count"]["cache"] == "hit"
    assert told["top"]["cache"] == "miss"
    assert told["top"]["why"] == "parameter n: 3 then, 9 now (since words-1)"
    assert len(cli("get", "trainings", "-o", "json").json) == 1


def test_rerun_makes_a_new_training_of_the_same(cli):
    cli("run", WORDS)
    assert cli("rerun", "words-1", "-o", "json").json["training"] == "words-1-r1"
    assert cli("rerun", "words-1-r1", "-o", "json").json["training"] == "words-1-r2"


def test_aliases_are_moved_and_rolled_back(cli):
    cli("run", WORDS)
    cli("run", WORDS, "-p", "n=5")
    assert cli("models", "rollback", "best-words", "-o", "json").json["version"] == 1
    cli("models", "alias", "best-words@2", "canary")
    assert cli("models", "list", "-o", "json").json[0]["aliases"] == {"stable": 1, "canary": 2}
    history = cli("models", "alias", "best-words", "stable", "-o", "json").json
    assert [move["version"] for move in history] == [1, 2, 1]
    assert "stable" in cli("models", "rm", "best-words@1", code=4).err
    assert "3" in cli("models", "show", "best-words@3", code=3).err


def test_a_corrupted_version_is_found(cli, home):
    cli("run", WORDS)
    cli("models", "verify")
    (file,) = (home / "repository" / "best-words" / "1").rglob("best.txt")
    file.chmod(0o644)
    file.write_text("other words")
    assert "best.txt" in cli("models", "verify", code=6).out


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_resources_are_printed_as_they_are_written(cli, output):
    cli("run", WORDS)
    told = cli("get", "pipeline", "words", "-o", output).out
    shown = yaml.safe_load(told)
    assert shown["apiVersion"] == "lykeion.dev/v1alpha1"
    assert shown["spec"]["steps"][0]["component"] == "./words.py:count"


def test_what_get_prints_can_be_applied(cli, tmp_path):
    cli("apply", "-f", WORDS)
    (tmp_path / "copy.yaml").write_text(cli("get", "pipeline", "words", "-o", "yaml").out)
    assert cli("apply", "-f", tmp_path / "copy.yaml", "-o", "json", cwd=tmp_path).json[0]["change"] in ("unchanged", "configured")


def test_all_mistakes_of_a_file_come_at_once_with_their_lines(cli, tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: Bad}\nspec:\n  stepz: []\n  steps:\n"
        "    - {name: a, component: './none.py:x', inputs: {i: b.out}}\n"
    )
    told = cli("run", tmp_path / "bad.yaml", code=2).err
    assert "bad.yaml:3" in told
    assert "bad.yaml:5" in told
    assert "bad.yaml:7" in told


def test_a_failing_step_is_shown_with_the_end_of_its_log(cli, tmp_path):
    (tmp_path / "work.py").write_text(
        "from lykeion import Output, component\n\n\n@component\ndef fail(out: Output) -> None:\n    print('before')\n    raise ValueError('no luck')\n"
    )
    (tmp_path / "p.yaml").write_text(
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: failing}\nspec:\n  steps:\n    - {name: a, component: './work.py:fail'}\n"
    )
    done = subprocess.run(
        [LYKEION, "run", tmp_path / "p.yaml", "--home", tmp_path / "home", "-o", "json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "no luck" in done.stderr
    assert "before" in done.stderr
    told = subprocess.run(
        [LYKEION, "logs", "failing-1", "a", "--home", tmp_path / "home"], capture_output=True, text=True, timeout=60
    ).stdout
    assert "before" in told


def test_one_step_runs_alone_in_this_process(cli):
    folder = Path(cli("run", WORDS, "--step", "top", "-p", "n=2", "-o", "json", "-q").json["outputs"])
    assert len((folder / "best" / "best.txt").read_text().split()) == 2


def slow(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(
        "import time\nfrom lykeion import Output, component\n\n\n@component\ndef wait(out: Output) -> None:\n    print('begun', flush=True)\n    time.sleep(600)\n"
    )
    (tmp_path / "p.yaml").write_text(
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: slow}\nspec:\n  steps:\n    - {name: a, component: './work.py:wait'}\n"
    )
    return tmp_path / "p.yaml"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_and_leaves_nothing_running(tmp_path, cli, home, number, until):
    process = subprocess.Popen(
        [LYKEION, "run", slow(tmp_path), "-o", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LYKEION_HOME": str(home)},
    )
    log = home / "logs" / "slow-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert '"Cancelled"' in out
    left = subprocess.run(["pgrep", "-f", str(home)], capture_output=True, text=True).stdout
    assert left == ""
