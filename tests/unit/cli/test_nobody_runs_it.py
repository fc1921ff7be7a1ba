"""Trainings that nobody runs, after a kill or before `lykeion up`: they say so, and can be cancelled all the same."""

import os
import signal

import pytest

ONE = '  steps:\n    - {name: a, component: "./work.py:make"}\n  publish:\n    - {output: a.out, model: m, requires: "metrics.n >= 1"}\n'
MAKE = '@component\ndef make(out: Output, *, step: Step) -> None:\n    step.metric("n", 1)\n    (out.path / "x").write_text("made")\n'
STUCK = MAKE.replace("    step.metric", '    print("begun", flush=True)\n    while True:\n        time.sleep(0.05)\n    step.metric')


def phase(cli, name):
    return cli("get", "training", name, "-o", "json").json.get("status", {}).get("phase")


@pytest.fixture
def running(cli, write, beside, until, home):
    """A process that runs p-1, which never ends."""
    process = beside("run", write(ONE, STUCK))
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    until(lambda: phase(cli, "p-1") == "Running")
    return process


@pytest.fixture
def killed(running):
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=30)
    return running


def test_a_training_left_by_a_kill_says_that_nobody_runs_it(cli, killed):
    assert "Running; nobody runs it" in cli("get", "trainings").out
    assert "p-1: nobody runs it: lykeion up does, lykeion cancel p-1 ends it" in cli("describe", "training", "p-1").out
    described = cli("describe", "training", "p-1", "-o", "json").json
    assert described["driven"] is False
    assert described["whyNotDriven"].startswith("nobody runs it")


def test_one_that_somebody_runs_says_nothing_of_it(cli, running):
    assert "nobody" not in cli("get", "trainings").out
    assert cli("describe", "training", "p-1", "-o", "json").json["driven"] is True


def test_a_training_left_by_a_kill_is_cancelled_by_the_command_and_nothing_of_it_runs_on(cli, killed, home):
    assert cli("cancel", "p-1").out == "training/p-1 cancelled\n"
    assert phase(cli, "p-1") == "Cancelled"
    assert "nobody" not in cli("get", "trainings").out
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and carries(pid, str(home))]


def carries(pid: str, home: str) -> bool:
    """Whether a process other than this one was started for the steps of a home."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return int(pid) != os.getpid() and f"={home}:".encode() in file.read()
    except OSError:
        return False


def test_what_was_only_asked_for_when_the_command_died_is_done_by_the_next(cli, killed, platform):
    training = platform.resources.get("Training", "p-1")
    platform.resources.apply(training.model_copy(update={"spec": training.spec.model_copy(update={"state": "Cancelled"})}))
    assert cli("cancel", "p-1").out == "training/p-1 cancelled\n"


def test_a_training_that_has_not_begun_is_cancelled_without_an_engine(cli, write):
    said = cli("run", write(ONE, MAKE), "--no-wait")
    assert said.out == "training/p-1 created; nobody runs it: lykeion up does, lykeion cancel p-1 ends it\n"
    assert cli("cancel", "p-1").out == "training/p-1 cancelled\n"
    assert phase(cli, "p-1") == "Cancelled"


def test_one_that_waits_for_another_run_says_for_whom_and_is_cancelled_at_once(cli, running, tmp_path):
    said = cli("run", tmp_path / "p.yaml", "--no-wait")
    assert f"p-2 created; it waits for the run of p-1 (process {running.pid})" in said.out
    assert cli("cancel", "p-2").out == "training/p-2 cancelled\n"
    assert (phase(cli, "p-1"), running.poll()) == ("Running", None)


def test_a_run_that_waits_for_another_ends_when_it_is_interrupted(cli, running, beside, tmp_path):
    waiting = beside("run", tmp_path / "p.yaml", "-o", "json")
    assert waiting.stderr.readline().startswith("p-2: it waits for the run of p-1")
    waiting.send_signal(signal.SIGINT)
    waiting.communicate(timeout=30)
    assert (waiting.returncode, phase(cli, "p-2"), phase(cli, "p-1")) == (130, "Cancelled", "Running")


def test_one_that_another_process_runs_is_cancelled_by_that_process_which_is_named(cli, running):
    assert cli("cancel", "p-1").out in (
        f"training/p-1 is being cancelled by the run of p-1 (process {running.pid})\n",
        "training/p-1 cancelled\n",  # it was quick
    )
    running.communicate(timeout=30)
    assert phase(cli, "p-1") == "Cancelled"


def test_a_rerun_says_what_it_does_otherwise_and_then_does_that(cli, write, tmp_path):
    file = write(ONE, MAKE)
    cli("run", file, "-q")
    assert "is not quite" not in cli("rerun", "p-1", "-q").err
    cli("apply", "-f", write(ONE.replace(">= 1", ">= 5"), MAKE))
    said = cli("rerun", "p-1", "-q", "-o", "json")
    assert "p-1-r2 is not quite what p-1 was; it runs the pipeline and the code as they are now:" in said.err
    assert "publish a.out as m: requires was 'metrics.n >= 1', is 'metrics.n >= 5'" in said.err
    assert said.json["published"][0]["alias"] == ""


def test_a_rerun_names_the_code_that_was_edited(cli, write):
    cli("run", write(ONE, MAKE), "-q")
    write(ONE, MAKE.replace('"made"', '"made anew"'))
    assert "component ./work.py:make: work.py changed" in cli("rerun", "p-1", "-q").err


def test_a_rerun_says_that_the_file_was_edited_and_is_not_what_runs(cli, write):
    file = write(ONE, MAKE)
    cli("run", file, "-q")
    assert "edited" not in cli("rerun", "p-1", "-q").err
    write(ONE.replace(">= 1", ">= 5"), MAKE)
    said = cli("rerun", "p-1", "-q", "-o", "json")
    assert f"{file} was edited since it was applied, and that is not run: lykeion run {file} would" in said.err
    assert said.json["published"][0]["alias"] == "stable"
    file.write_text("spec: [")
    assert "was edited since" in cli("rerun", "p-1", "-q").err
    file.unlink()
    assert "edited" not in cli("rerun", "p-1", "-q").err


def test_a_rerun_that_fails_says_so_in_its_own_name_and_counts_one_step_as_one(cli, write):
    cli("run", write(ONE, MAKE), "-q")
    write(ONE, MAKE.replace('write_text("made")', "write_text(1)"))
    said = cli("rerun", "p-1", "-q", code=1)
    assert "lykeion rerun: step a: TypeError" in said.err
    assert "lykeion run:" not in said.err
    assert said.out.endswith(": 1 step, 0 cached\n")


def test_who_watches_a_run_of_the_platform_is_told_who_runs_it(cli, write, beside, until):
    up = beside("up", "--port", "0")
    until(lambda: "lykeion up" in (cli("doctor", "-o", "json", code=None).out))
    watching = beside("run", write(ONE, STUCK))
    assert watching.stderr.readline() == f"p-1: it is run by lykeion up (process {up.pid})\n"
    cli("cancel", "p-1")
    watching.communicate(timeout=30)
    assert watching.returncode == 130
