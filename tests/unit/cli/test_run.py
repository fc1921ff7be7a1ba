"""`run`, `rerun`, `cancel`, `explain`: in this process, and beside others of the same home."""

import json

import pytest

ONE = '  steps:\n    - {name: a, component: "./work.py:make"}\n'
LINE = """  steps:
    - {name: a, component: "./work.py:make"}
    - {name: b, component: "./work.py:take", inputs: {given: a.out}}
    - {name: other, component: "./work.py:make"}
"""
MAKE = """@component
def make(out: Output) -> None:
    (out.path / "x").write_text("made")


@component
def take(given: Input, out: Output) -> None:
    (out.path / "x").write_text((given.path / "x").read_text() + " and taken")


"""
GATED = """@component
def make(out: Output) -> None:
    print("begun", flush=True)
    gate = Path({gate!r})
    for _ in range(6000):
        if gate.exists():
            return
        time.sleep(0.01)


"""


def steps(said) -> dict[str, str]:
    return {step["name"]: step["state"] for step in said.json["steps"]}


def test_a_home_that_others_may_look_into_is_told(cli, home, write):
    home.mkdir(mode=0o700)
    home.chmod(0o1755)
    assert f"lykeion run: {home}: others may look into this home" in cli("run", write("  steps: []\n"), code=None).err
    home.chmod(0o700)
    assert "others may" not in cli("run", write("  steps: []\n"), code=None).err


def test_a_run_says_what_every_script_needs(cli, write):
    told = cli("run", write(LINE, MAKE), "-o", "json")
    assert told.json["training"] == "p-1"
    assert told.json["phase"] == "Succeeded"
    assert set(steps(told)) == {"a", "b", "other"}
    assert {"name", "state", "cache", "key", "seconds", "attempts"} <= told.json["steps"][0].keys()
    assert told.json["published"] == []
    assert "✓ a" in told.err


def test_quiet_is_quiet(cli, write):
    assert cli("run", write(ONE, MAKE), "-q").err == ""


def test_only_some_steps_are_run_with_what_they_need(cli, write):
    told = cli("run", write(LINE, MAKE), "--only", "b", "-o", "json")
    assert steps(told) == {"a": "Succeeded", "b": "Succeeded", "other": "Skipped"}


@pytest.mark.parametrize("option", ["--only", "--step"])
def test_a_step_that_there_is_not_is_said_before_anything_runs(cli, write, option):
    told = cli("run", write(LINE, MAKE), option, "othr", code=2)
    assert "did you mean 'other'?" in told.err
    assert cli("get", "trainings", "-o", "json").json == []


def test_one_step_runs_alone_after_what_it_needs_and_says_so_in_one_document(cli, write):
    told = cli("run", write(LINE, MAKE), "--step", "b", "-o", "json").json
    assert told["step"] == "b"
    with open(told["outputs"] + "/out/x") as made:
        assert made.read() == "made and taken"


def test_a_step_whose_input_failed_is_not_run_alone(cli, write):
    file = write(LINE, MAKE.replace('(out.path / "x").write_text("made")', 'raise ValueError("no luck")'))
    told = cli("run", file, "--step", "b", "-o", "json", code=1)
    assert told.json["phase"] == "Failed"
    assert "no luck" in told.err


@pytest.mark.parametrize(
    ("line", "attempts"),
    [
        ("raise ValueError('bad luck')", 2),
        ("import no_such_package", 1),
        ("from lykeion.errors import Invalid; raise Invalid('bad luck')", 1),
    ],
)
def test_only_what_may_end_otherwise_is_tried_again(cli, write, line, attempts):
    pause = "1h" if attempts == 1 else "0s"
    spec = f'  steps:\n    - {{name: a, component: "./work.py:make", retry: {{limit: 1, backoff: {pause}}}}}\n'
    told = cli("run", write(spec, f"@component\ndef make(out: Output) -> None:\n    {line}\n"), "-o", "json", code=1)
    assert (told.json["steps"][0]["state"], told.json["steps"][0]["attempts"]) == ("Failed", attempts)


def test_all_that_is_wrong_is_told_at_once(cli, write):
    spec = '  parameters: {n: {type: integer}}\n  stepz: []\n  steps:\n    - {name: a, component: "./wrk.py:make"}\n    - {name: b, component: "./work.py:take", inputs: {gven: a.out}}\n'
    told = cli("run", write(spec, MAKE), "-p", "m=1", "-p", "x", code=2).err
    for part in (
        "p.yaml:6: spec.stepz",
        "spec.steps[0].component: there is no file",
        "spec.steps[1].inputs.gven",
        "parameters.m",
        "parameters.n",
        "-p: write name=value",
    ):
        assert part in told, told


def test_what_is_wrong_beside_a_good_file_is_told_at_once_too(cli, write):
    spec = '  parameters: {n: {type: integer}}\n  steps:\n    - {name: a, component: "./wrk.py:make"}\n    - {name: b, component: "./work.py:take", inputs: {gven: a.out}}\n'
    told = cli("run", write(spec, MAKE), "-p", "m=1", "-p", "x", code=2).err
    for part in (
        "p.yaml:7: spec.steps[0].component: there is no file",
        "p.yaml:8: spec.steps[1].inputs.gven",
        "parameters.m",
        "parameters.n",
        "-p: write name=value",
    ):
        assert part in told, told
    assert cli("get", "pipelines", "-o", "json").json == []


def test_rerun_takes_the_next_name_and_the_cache(cli, write):
    cli("run", write(LINE, MAKE))
    told = cli("rerun", "p-1", "-o", "json").json
    assert told["training"] == "p-1-r1"
    assert {step["cache"] for step in told["steps"]} == {"hit"}
    assert cli("rerun", "p-1-r1", "-o", "json").json["training"] == "p-1-r2"


def test_a_training_that_has_ended_is_not_cancelled(cli, write):
    cli("run", write(ONE, MAKE))
    assert "has ended already" in cli("cancel", "p-1", code=4).err


def test_explain_says_why_a_fingerprint_cannot_be_had(cli, write):
    code = 'def look() -> str:\n    raise FileNotFoundError("nothing lies there")\n\n\n@component(fingerprint=look)\ndef make(out: Output) -> None:\n    pass\n'
    told = cli("explain", write(ONE, code), "-o", "json").json
    assert "nothing lies there" in told[0]["why"]


def test_explain_of_a_step_that_there_is_not_says_which_there_are(cli, write):
    assert "the steps are: a, b, other" in cli("explain", write(LINE, MAKE), "zzz", code=3).err


def test_explain_shows_all_that_a_key_is_made_of(cli, write):
    cli("run", write(ONE, MAKE))
    (told,) = cli("explain", "p-1", "a", "-o", "json").json
    assert told["material"]["outputs"] == ["out"]


def test_a_training_created_without_waiting_is_run_by_whoever_comes(cli, write, beside, until):
    file = write(ONE, MAKE)
    assert cli("run", file, "--no-wait", "-o", "json").json == {"training": "p-1", "phase": "Pending"}
    assert cli("get", "training", "p-1", "-o", "json").json.get("status") is None
    beside("up", "--port", "0")
    until(lambda: cli("get", "training", "p-1", "-o", "json").json.get("status", {}).get("phase") == "Succeeded")


def test_of_two_runs_of_one_pipeline_both_succeed_and_the_second_waits(cli, write, beside, until, home, tmp_path):
    gate = tmp_path / "gate"
    file = write(ONE, GATED.format(gate=str(gate)))
    first = beside("run", file, "-o", "json")
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    second = beside("run", file, "-o", "json")
    until(lambda: len(cli("get", "trainings", "-o", "json").json) == 2)
    assert f"p-2: it waits for the run of p-1 (process {first.pid})" in second.stderr.readline()
    gate.touch()
    told = [json.loads(process.communicate(timeout=60)[0]) for process in (first, second)]
    assert sorted(one["training"] for one in told) == ["p-1", "p-2"]
    assert [one["phase"] for one in told] == ["Succeeded", "Succeeded"]
    assert told[1]["steps"][0]["cache"] == "hit"


def test_runs_of_different_pipelines_at_once_all_succeed(write, beside):
    files = [write(ONE, MAKE, name=f"p{number}") for number in range(3)]
    running = [beside("run", file, "-o", "json") for file in files]
    told = [json.loads(process.communicate(timeout=90)[0]) for process in running]
    assert [(one["training"], one["phase"]) for one in told] == [(f"p{number}-1", "Succeeded") for number in range(3)]


def test_what_another_process_runs_can_be_cancelled(cli, write, beside, until, home, tmp_path):
    running = beside("run", write(ONE, GATED.format(gate=str(tmp_path / "never"))), "-o", "json")
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    cli("cancel", "p-1")
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 130
    assert json.loads(out)["phase"] == "Cancelled"


def test_what_is_deleted_while_another_process_runs_it_ends(cli, write, beside, until, home, tmp_path):
    running = beside("run", write(ONE, GATED.format(gate=str(tmp_path / "never"))))
    log = home / "logs" / "p-1" / "a.log"
    until(lambda: log.exists() and "begun" in log.read_text())
    cli("delete", "training", "p-1")
    _, err = running.communicate(timeout=30)
    assert running.returncode == 3
    assert "training/p-1" in err
    assert "Traceback" not in err


def test_with_other_packages_than_the_requirements_name_nothing_runs(cli, write, tmp_path):
    (tmp_path / "requirements.lock").write_text(f"numpy==1.0.0 --hash=sha256:{'0' * 64}\n")
    told = cli("run", write("  environment: {requirements: requirements.lock}\n" + LINE, MAKE), code=2)
    assert told.err.count("numpy==1.0.0 is locked, but numpy ") == 1
    assert f"{tmp_path}/requirements.lock:1" in told.err
    assert cli("get", "trainings", "-o", "json").json == []
