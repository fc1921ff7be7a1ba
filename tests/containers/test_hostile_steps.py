"""Containers that do not end, do not stay where they are, take too much, or lie: none of it reaches beyond the step."""

import os
import signal

import pytest
from image_files import busybox, layer_of, left_of, put

from lykeion.testing.servers import until


def test_one_that_ignores_sigterm_is_stopped_at_its_time_limit(engine):
    child = engine.fails("trap '' TERM INT HUP; while true; do sleep 1; done", timeout=1.0)
    assert child.reason == "TimedOut"


def test_what_it_leaves_running_ends_with_it_before_its_outputs_are_sealed(engine):
    child = engine.runs(
        "setsid sh -c 'while true; do echo more >> /lykeion/staging/out/f; done' & (setsid setsid sleep 1000 &) ; sleep 0.1; echo done"
    )
    (result,) = child.results.values()
    made = engine.home / "outputs" / result.key / "out" / "f"
    assert engine.tasks.outputs.find(result.key) is not None
    assert not [one for one in left_of(engine.home) if "sleep" in one or "busybox" in one]
    assert made.stat().st_mode & 0o777 == 0o444


def test_a_cancelled_one_is_gone_with_all_that_it_started(engine):
    task = engine.started("setsid sleep 1000 & echo begun; sleep 1000", "begun")
    engine.tasks.cancel(task.name)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")
    engine.until(lambda: not [one for one in left_of(engine.home) if "sleep" in one], "its end")


def test_a_killed_engine_leaves_no_container_to_the_next_one(home, engine):
    """The parent of steps is killed, as it would be with its engine."""
    task = engine.started("setsid sleep 1000 & echo begun; sleep 1000", "begun")
    (parent,) = engine.tasks._parents.alive.values()
    os.kill(parent.process.pid, signal.SIGKILL)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")
    assert engine.children()[task.name].reason == "Lost"
    until(lambda: not [one for one in left_of(home) if "sleep" in one], 20, seen=lambda: left_of(home))


def test_one_that_takes_more_memory_than_it_may_is_ended_with_that_reason(engine):
    child = engine.fails("dd if=/dev/zero of=/dev/null bs=300M count=2 && echo got it", memory=64 << 20)
    assert child.reason in ("OutOfMemory", "Error")
    assert "got it" not in engine.log()


def test_tmp_is_bounded(engine):
    child = engine.runs("dd if=/dev/zero of=/tmp/x bs=1M count=1100 2>/dev/null; ls -l /tmp/x > /lykeion/staging/out/f")
    assert 0 < int(engine.made(child, "f").split()[4]) <= 1 << 30


@pytest.mark.parametrize("left", ["ln -s /etc/passwd", "ln -s ../../../..", "mkfifo"], ids=["a link", "a link out", "a pipe"])
def test_outputs_are_files_and_folders_only(engine, left):
    child = engine.fails(f"{left} /lykeion/staging/out/f")
    assert "is not a regular file" in child.message


def test_what_it_makes_unreadable_is_an_output_all_the_same(engine):
    child = engine.runs(
        "mkdir /lykeion/staging/out/d; echo x > /lykeion/staging/out/d/f; chmod 0 /lykeion/staging/out/d/f /lykeion/staging/out/d"
    )
    assert engine.made(child, "d/f") == "x\n"


@pytest.mark.parametrize(
    "left",
    ["ln -s /etc/passwd /lykeion/staging/result.json", "mkfifo /lykeion/staging/result.json", "echo '[1]' > /lykeion/staging/result.json",
     "echo '{\"metrics\": {\"a\": \"b\"}}' > /lykeion/staging/result.json", "mkdir /lykeion/staging/result.json"],
    ids=["a link", "a pipe", "a list", "no number", "a folder"],
)  # fmt: skip
def test_a_result_that_is_none_is_refused(engine, left):
    assert "no result.json of the step contract" in engine.fails(left).message


def test_progress_that_is_none_holds_nobody_up(engine):
    engine.runs("mkfifo /lykeion/staging/progress.json; sleep 1")


def test_it_cannot_say_that_it_has_been_sealed(engine):
    forged = '{"key": "x", "step": "step", "outputs": {}}'
    child = engine.fails(f"echo '{forged}' > /lykeion/staging/manifest.json; exit 1")
    assert not child.results


def test_a_program_that_the_image_has_not_is_named(engine):
    child = engine.fails(None, command=("python3", "-c", "1"))
    assert child.message == "command: the image has no program 'python3'"


def test_an_image_without_a_command_is_told(engine):
    assert "does not say what to run" in engine.fails(None).message


def test_an_image_that_is_gone_is_told(engine):
    child = engine.fails("true", image=f"busybox@sha256:{'0' * 64}")
    assert "build it again" in child.message


def test_an_image_for_another_machine_is_told(engine, store):
    made = put(store, "arm", layer_of(store, busybox()), architecture="arm64")
    assert "is for linux/arm64" in engine.fails("true", image=f"arm@{made.digest}").message


def test_a_user_that_the_image_has_not_is_told(engine, store):
    made = put(store, "user", layer_of(store, busybox()), user="alice")
    assert "runs as alice" in engine.fails("true", image=f"user@{made.digest}").message
