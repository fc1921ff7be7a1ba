"""Staging folders: what an attempt left is adopted or dropped, and an empty folder serves the next attempt."""

import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lykeion.adapters.local.attempts import LOCK, Attempt, Staging, left, publish
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.partitions import Partitions
from lykeion.adapters.volume.seal import seal
from lykeion.core.pipelines.contract import StepFile


def step(name: str) -> StepFile:
    return StepFile(name, "m:f", name * 8, outputs=("out",))


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path)


def done(attempt: Attempt) -> None:
    """Do what the steps' processes and the engine do."""
    home = Path(attempt.folder).parents[1]
    for each in attempt.steps:
        os.mkdir(f"{each.staging}/out")
        Path(each.staging, "out", "text").write_text(each.step)
        seal(each.staging, each, 0.0)
    outputs = DirectoryOutputs(home)
    assert publish(attempt, outputs, Partitions(home, outputs)).keys() == {each.step for each in attempt.steps}


def inode(attempt: Attempt) -> int:
    return os.stat(attempt.folder).st_ino


def test_the_folder_of_an_attempt_that_was_published_serves_the_next(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    before = inode(first)
    done(first)
    staging.end(first)
    assert list((tmp_path / "staging").iterdir()) == []
    second = staging.begin("second", (step("b"),), None)
    assert inode(second) == before
    assert second.name.startswith("second-")
    assert sorted(os.listdir(second.folder)) == ["b", "b.json", LOCK]
    assert StepFile.from_json(Path(second.files()[0]).read_text()) == second.steps[0]


def test_a_shorter_step_file_leaves_nothing_of_the_longer_one_before(staging):
    first = staging.begin("first", (StepFile("a", "m:f", "k" * 8, outputs=("out",), parameters={"text": "x" * 5000}),), None)
    done(first)
    staging.end(first)
    second = staging.begin("second", (step("b"),), None)
    assert Path(second.files()[0]).read_text() == second.steps[0].to_json()


def test_an_attempt_that_left_something_is_removed(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    Path(first.folder, "a", "half").write_text("half")
    staging.end(first)
    assert not os.path.exists(first.folder)
    assert list((tmp_path / "spare").iterdir()) == []


def test_two_attempts_at_a_time_have_a_folder_each(staging):
    first = staging.begin("first", (step("a"),), None)
    done(first)
    staging.end(first)
    second, third = staging.begin("second", (step("b"),), None), staging.begin("third", (step("c"),), None)
    assert inode(second) != inode(third)
    assert {os.path.dirname(path) for path in (*second.files(), *third.files())} == {second.folder, third.folder}


def test_several_steps_fit_into_a_folder_that_one_has_left(staging):
    first = staging.begin("first", (step("a"),), None)
    done(first)
    staging.end(first)
    second = staging.begin("second", (step("b"), step("c")), None)
    assert sorted(os.listdir(second.folder)) == ["b", "b.json", "c", "c.json", LOCK]


def test_a_spare_folder_that_somebody_removed_is_not_missed(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    done(first)
    staging.end(first)
    for spare in (tmp_path / "spare").iterdir():
        for file in spare.iterdir():
            file.unlink()
        spare.rmdir()
    assert os.path.isdir(staging.begin("second", (step("b"),), None).folder)


def test_a_folder_that_something_still_holds_serves_nobody(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    held = os.dup(first.lock)  # a process that slipped away has it, and may write there
    done(first)
    staging.end(first)
    with pytest.raises(BlockingIOError):
        staging.begin("second", (step("b"),), None)
    assert list((tmp_path / "staging").iterdir()) == []
    assert os.path.isdir(staging.begin("third", (step("b"),), None).folder)
    os.close(held)


def test_closing_leaves_no_spare_folder(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    done(first)
    staging.end(first)
    staging.close()
    assert not (tmp_path / "spare").exists()


def test_the_spare_folders_of_a_dead_engine_are_removed(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    done(first)
    staging.end(first)
    Staging(tmp_path)
    assert list((tmp_path / "spare").iterdir()) == []


def test_what_a_dead_engine_left_comes_with_its_steps(staging, tmp_path):
    first = staging.begin("first", (step("a"), step("b")), None)
    os.close(first.lock)
    (found,) = left(tmp_path)
    assert (found.folder, found.steps) == (first.folder, first.steps)
    with pytest.raises(BlockingIOError), open(f"{first.folder}/{LOCK}") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(found.lock)


def test_a_step_file_that_is_not_whole_is_passed_over(staging, tmp_path):
    first = staging.begin("first", (step("a"), step("b")), None)
    os.close(first.lock)
    Path(first.files()[0]).write_text('{"step":"a","comp')
    (found,) = left(tmp_path)
    assert found.steps == first.steps[1:]
    os.close(found.lock)


def test_what_was_sealed_under_another_key_than_its_step_file_says_is_not_adopted(staging, tmp_path):
    first = staging.begin("first", (step("a"),), None)
    os.mkdir(f"{first.steps[0].staging}/out")
    seal(first.steps[0].staging, replace(first.steps[0], key="other"), 0.0)
    outputs = DirectoryOutputs(tmp_path)
    assert publish(first, outputs, Partitions(tmp_path, outputs)) == {}
    assert list(outputs.keys()) == []
