"""Committed outputs: a key is there as a whole and right, or not at all."""

import shutil
import time
from pathlib import Path

import pytest

from lykeion.adapters.volume import outputs as module
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.errors import Corrupt

KEY = "a" * 64


def test_a_published_step_is_found_with_what_it_said(outputs, make_sealed):
    published = outputs.publish(*make_sealed({"out/a.txt": "hello"}, result={"metrics": {"m": 1.0}, "result": {"r": [1]}, "uncached": ""}))
    found = outputs.find(KEY)
    assert found == published
    assert found.metrics == {"m": 1.0}
    assert found.result == {"r": [1]}
    assert (outputs.path(KEY, "out") / "a.txt").read_text() == "hello"
    assert list(outputs.keys()) == [KEY]


def test_a_half_written_output_is_never_seen(home, outputs):
    (home / "outputs" / KEY / "out").mkdir(parents=True)
    (home / "outputs" / KEY / "out" / "a.txt").write_text("hal")
    assert outputs.find(KEY) is None
    assert not (home / "outputs" / KEY).exists()


def test_only_outputs_and_the_manifest_are_committed(home, outputs, make_sealed):
    folder, manifest = make_sealed({"out/a": "1"}, result={})
    (folder / "progress.json").write_text("{}")
    outputs.publish(folder, manifest)
    assert {path.name for path in (home / "outputs" / KEY).iterdir()} == {"out", "manifest.json"}


def test_what_changed_after_the_seal_is_not_published(outputs, make_sealed):
    folder, manifest = make_sealed({"out/a.txt": "hello"})
    (folder / "out" / "late.txt").write_text("")
    with pytest.raises(Corrupt, match="changed after the component had returned"):
        outputs.publish(folder, manifest)
    assert outputs.find(KEY) is None


def test_a_damaged_output_is_not_found_and_is_put_aside_to_be_looked_at(home, outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "hello"}))
    file = home / "outputs" / KEY / "out" / "a.txt"
    file.chmod(0o644)
    file.write_text("HELLO")
    assert DirectoryOutputs(home).find(KEY) is None
    assert (home / "corrupt" / KEY / "out" / "a.txt").read_text() == "HELLO"
    assert list(outputs.keys()) == []


def test_a_hit_is_verified_each_time(home, outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "hello"}))
    assert outputs.find(KEY) is not None
    (home / "outputs" / KEY / "out" / "a.txt").unlink()
    assert outputs.find(KEY) is None


def test_a_copied_volume_is_digested_once_and_believed_from_then_on(monkeypatch, tmp_path, outputs, home, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "hello"}))
    shutil.copytree(home, tmp_path / "copy")
    copy = DirectoryOutputs(tmp_path / "copy")
    assert copy.find(KEY) == outputs.find(KEY)
    digested = []
    monkeypatch.setattr("lykeion.adapters.volume.verify.file_digest", lambda *given: digested.append(given))
    assert DirectoryOutputs(tmp_path / "copy").find(KEY) is not None
    assert digested == []


def test_of_two_attempts_at_the_same_time_the_first_one_counts(outputs, make_sealed):
    began = time.time()
    first = outputs.publish(*make_sealed({"out/a.txt": "first"}, started=began))
    folder, manifest = make_sealed({"out/a.txt": "second"}, started=began)
    assert outputs.publish(folder, manifest) == first
    assert (outputs.path(KEY, "out") / "a.txt").read_text() == "first"
    assert not folder.exists()


def test_a_step_that_was_run_again_on_purpose_replaces_what_was_there(outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "old"}))
    again = outputs.publish(*make_sealed({"out/a.txt": "new"}, started=time.time() + 1))
    assert (outputs.path(KEY, "out") / "a.txt").read_text() == "new"
    assert outputs.find(KEY) == again


def test_an_uncached_output_is_replaced(outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "old"}, result={"uncached": "clock"}, started=5.0))
    outputs.publish(*make_sealed({"out/a.txt": "new"}, started=5.0))
    found = outputs.find(KEY)
    assert found is not None
    assert not found.uncached


def test_a_deleted_key_is_gone_and_says_how_much_it_was(home, outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "x" * 1000}))
    assert outputs.delete(KEY) >= 1000
    assert outputs.find(KEY) is None
    assert outputs.delete(KEY) == 0
    assert list((home / "corrupt").iterdir()) == []


def test_a_key_under_another_name_is_not_found(home, outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "hello"}))
    (home / "outputs" / KEY).rename(home / "outputs" / ("f" * 64))
    assert outputs.find("f" * 64) is None


def test_a_volume_where_nothing_can_be_written_still_answers(monkeypatch, home: Path, outputs, make_sealed):
    outputs.publish(*make_sealed({"out/a.txt": "hello"}))
    (home / "outputs" / KEY / "out" / "a.txt").touch()

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_manifest", full)
    assert DirectoryOutputs(home).find(KEY) is not None
