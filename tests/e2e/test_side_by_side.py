"""Several commands on one home at once: each Training is run once, by whoever is there to run it."""

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from lykeion.testing.commands import LYKEION

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
WORDS = "examples/01-one-step/pipeline.yaml"


@pytest.fixture
def begin(home):
    """A command that goes on while others are asked; it is ended with the test."""
    with ExitStack() as stack:

        def start(*words):
            env = {**os.environ, "LYKEION_HOME": str(home)}
            process = subprocess.Popen(
                [LYKEION, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env
            )
            stack.callback(finish, process)
            return process

        yield start


def finish(process):
    if process.poll() is None:
        process.kill()
        process.communicate()


@pytest.fixture
def up(home, start_up):
    started = start_up(home)
    yield started
    if started.process.poll() is None:
        started.end()


def begun(ran):
    return lambda: ran.exists() and "b" in ran.read_text()


def test_two_runs_at_once_both_end_well_and_nothing_is_done_twice(begin, halting, until):
    file, ran, go = halting
    first = begin("run", file, "-o", "json")
    until(begun(ran))
    second = begin("run", file, "-o", "json")
    until(lambda: second.poll() is None)
    go.touch()
    told = [json.loads(one.communicate(timeout=60)[0]) for one in (first, second)]
    assert [one["phase"] for one in told] == ["Succeeded", "Succeeded"]
    assert {one["training"] for one in told} == {"halting-1", "halting-2"}
    assert ran.read_text().split() == ["a", "b"]


def test_a_run_that_waits_goes_on_by_itself_when_the_platform_dies(up, begin, halting, until, running_of, home):
    file, ran, go = halting
    waiting = begin("run", file, "-o", "json")
    until(begun(ran))
    up.process.kill()
    up.process.wait()
    until(lambda: ran.read_text().split() == ["a", "b", "b"], 60, "the step that is run again")
    go.touch()
    assert json.loads(waiting.communicate(timeout=60)[0])["phase"] == "Succeeded"
    until(lambda: not running_of(home), 20, "nothing that runs on")


def test_a_platform_told_to_end_while_a_step_runs_ends_in_time_and_the_next_one_finishes_it(
    up, cli, halting, until, running_of, home, start_up
):
    file, ran, go = halting
    cli("run", file, "--no-wait")
    until(begun(ran))
    assert up.end(20) == 0
    assert running_of(home) == []
    assert cli("get", "training", "halting-1", "-o", "json").json.get("status", {}).get("phase") not in ("Succeeded", "Failed", "Cancelled")
    go.touch()
    second = start_up(home)
    try:
        until(lambda: cli("get", "training", "halting-1", "-o", "json").json["status"]["phase"] == "Succeeded", 40)
    finally:
        second.end()
    assert ran.read_text().split() == ["a", "b", "b"]


def test_ctrl_c_of_a_run_beside_the_platform_cancels_it_there(up, begin, cli, halting, until, running_of, home):
    file, ran, _ = halting
    waiting = begin("run", file, "-o", "json")
    until(begun(ran))
    waiting.send_signal(signal.SIGINT)
    out, _ = waiting.communicate(timeout=40)
    assert waiting.returncode == 130
    assert json.loads(out)["phase"] == "Cancelled"
    until(lambda: not [one for one in running_of(home) if "halting" in str(one.environ())], 20)
    assert up.process.poll() is None


def test_cancel_from_another_window_ends_the_run(begin, cli, halting, until, running_of, home):
    file, ran, _ = halting
    waiting = begin("run", file, "-o", "json")
    until(begun(ran))
    cli("cancel", "halting-1")
    out, _ = waiting.communicate(timeout=40)
    assert waiting.returncode == 130
    assert json.loads(out)["phase"] == "Cancelled"
    assert running_of(home) == []
    assert "ended already" in cli("cancel", "halting-1", code=4).err


def test_many_runs_beside_the_platform_each_print_their_own(up, begin):
    runs = [begin("run", WORDS, "-p", f"n={number}", "-o", "json") for number in range(1, 5)]
    told = [json.loads(run.communicate(timeout=100)[0]) for run in runs]
    assert [one["phase"] for one in told] == ["Succeeded"] * 4
    assert len({one["training"] for one in told}) == 4
    assert {one["published"][0]["version"] for one in told} == {1, 2, 3, 4}
    assert up.process.poll() is None


def test_a_training_deleted_while_it_runs_is_ended(up, cli, halting, until, running_of, home):
    file, ran, _ = halting
    cli("run", file, "--no-wait")
    until(begun(ran))
    cli("delete", "training", "halting-1")
    log = home / "logs" / "halting-1" / "b.log"
    assert log.exists()
    until(lambda: not cli("get", "trainings", "-o", "json").json, 20)
    cli("run", WORDS, timeout=60)
    assert up.process.poll() is None


def test_a_platform_over_an_empty_home_is_ready_and_says_that_nothing_is_served(up, until):
    until(lambda: up.status("/readyz") == 200, 30)
    assert up.ask("/v1/search").json == {"families": []}
    assert up.ask("/v1/search/photos").status == 404
    assert up.ask("/").status == 200


def test_what_is_freed_beside_the_platform_is_not_what_it_serves(platform, own, tmp_path):
    before = platform.by(item="ring-red-0").json["items"]
    own.cli("gc", "--dry-run", "-o", "json")
    own.cli("gc", "--older-than", "0s", "-o", "json")
    own.cli("models", "verify")
    assert platform.by(item="ring-red-0").json["items"] == before
    assert platform.search(own.picture("ring-red-0"), "?k=1").json["items"][0]["id"] == "ring-red-0"
    again = own.index()
    assert again["phase"] == "Succeeded"
    assert next(step["cache"] for step in again["steps"] if step["name"] == "features") == "hit", "what a kept run refers to is there"


def test_the_doctor_finds_a_good_home_well_with_a_platform_and_without(site, indexed):
    for home in (site.home, indexed.home):
        indexed.cli("doctor", "--home", home, "-o", "json")
    indexed.cli("doctor")


def test_a_repository_elsewhere_is_published_to_and_served_from(own, tmp_path, monkeypatch, start_up):
    monkeypatch.setenv("LYKEION_REPOSITORY", (tmp_path / "elsewhere").as_uri())
    assert {one["version"] for one in own.index()["published"]} == {1}
    assert {path.name for path in (tmp_path / "elsewhere").iterdir()} >= {"photos", "photos-space"}
    up = start_up(own.home)
    try:
        found = up.ready().search(own.picture("ring-red-0"), "?k=1").json
        assert found["items"][0]["id"] == "ring-red-0"
        assert own.cli("search", "photos", "--item", "ring-red-0", "-k", 1, "-o", "json").json["items"][0]["id"] == "ring-red-9"
    finally:
        up.end()
