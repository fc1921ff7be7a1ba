"""Partitions commit one by one; the last one makes the output whole, whatever happened on the way."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.adapters.volume.partitions import Partitions
from lykeion.adapters.volume.seal import seal, seal_output
from lykeion.adapters.volume.verify import read_manifest
from lykeion.core.content import digest_of_files
from lykeion.core.pipelines.contract import StepFile
from lykeion.errors import Corrupt

KEY = "a" * 64
COUNT = 4


@pytest.fixture
def partitions(home: Path, outputs) -> Partitions:
    return Partitions(home, outputs)


@pytest.fixture
def commit(partitions, make_sealed):
    def make(*numbers: int, text="part {}") -> None:
        for number in numbers:
            said = {"metrics": {"items": number}, "result": {"last": number}}
            partitions.commit(*make_sealed({"out/a.txt": text.format(number)}, partition=number, count=COUNT, result=said))

    return make


def test_an_output_is_not_there_before_its_last_partition(outputs, partitions, commit):
    commit(0, 1, 3)
    assert partitions.publish(KEY, range(COUNT)) is None
    assert outputs.find(KEY) is None
    commit(2)
    assert partitions.publish(KEY, range(COUNT)) == outputs.find(KEY) is not None


def test_a_whole_output_has_a_folder_for_each_partition_and_the_sum_of_the_metrics(outputs, partitions, commit):
    commit(3, 1, 0, 2)
    result = partitions.publish(KEY, range(COUNT))
    assert result.metrics == {"items": 6}
    assert result.result == {"last": 3}
    files = outputs.path(KEY, "out")
    assert {path.relative_to(files).as_posix(): path.read_text() for path in files.rglob("*.txt")} == {
        f"part-{number:05d}/a.txt": f"part {number}" for number in range(COUNT)
    }
    assert partitions.keys() == []


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(COUNT)))
def test_the_digest_does_not_depend_on_the_order_of_commits(tmp_path_factory, order):
    home = tmp_path_factory.mktemp("home")
    digests = []
    for given_order in (range(COUNT), order):
        outputs = DirectoryOutputs(home / str(len(digests)))
        partitions = Partitions(outputs.home, outputs)
        for number in given_order:
            partitions.commit(*sealed_partition(outputs.home, number))
        digests.append(partitions.publish(KEY, range(COUNT)).outputs)
    assert digests[0] == digests[1]


def sealed_partition(home: Path, number: int):
    folder = home / "staging" / str(number)
    (folder / "out").mkdir(parents=True)
    (folder / "out" / "a.txt").write_text(f"part {number}")
    seal(str(folder), StepFile("s", "m:f", KEY, outputs=("out",), partition_count=COUNT), 0.0, number)
    return folder, read_manifest(str(folder))


def test_the_digest_is_that_of_all_files_below_the_output(outputs, partitions, commit, home):
    commit(*range(COUNT))
    result = partitions.publish(KEY, range(COUNT))
    shutil.copytree(outputs.path(KEY, "out"), home / "copy")
    assert result.outputs["out"] == digest_of_files(file.digest for file in seal_output(str(home / "copy")))


def test_a_partition_that_made_nothing_is_an_empty_folder_of_the_whole(outputs, partitions, make_sealed):
    partitions.commit(*make_sealed({"out/a.txt": "x"}, partition=0, count=2))
    partitions.commit(*make_sealed({}, partition=1, count=2))
    assert partitions.publish(KEY, range(2)) == outputs.find(KEY) is not None
    assert sorted(path.name for path in outputs.path(KEY, "out").iterdir()) == ["part-00000", "part-00001"]


@pytest.mark.parametrize("moved", range(COUNT + 1))
def test_a_crash_while_the_whole_is_put_together_loses_nothing(monkeypatch, outputs, partitions, commit, moved):
    commit(*range(COUNT))
    calls = 0

    def crash(point: str) -> None:
        nonlocal calls
        calls += point == "between_partitions"
        if calls == moved + 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lykeion.adapters.volume.partitions.point", crash)
        if moved < COUNT:
            with pytest.raises(KeyboardInterrupt):
                partitions.publish(KEY, range(COUNT))
            assert outputs.find(KEY) is None
    assert sorted(partitions.committed(KEY)) == list(range(COUNT))
    assert partitions.publish(KEY, range(COUNT)) is not None
    assert outputs.find(KEY) is not None


def test_what_a_crash_leaves_of_partitions_that_are_an_output_already_goes(monkeypatch, outputs, partitions, commit):
    commit(*range(COUNT))

    def crash(point: str) -> None:
        if point == "after_rename":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lykeion.adapters.volume.outputs.point", crash)
        with pytest.raises(KeyboardInterrupt):
            partitions.publish(KEY, range(COUNT))
    assert partitions.keys() == [KEY]
    partitions.tidy()
    assert partitions.keys() == []
    assert outputs.find(KEY) is not None


def test_partitions_that_wait_for_others_are_not_tidied_away(partitions, commit):
    commit(0, 1)
    partitions.tidy()
    assert sorted(partitions.committed(KEY)) == [0, 1]


def test_a_damaged_partition_is_not_committed_any_more_and_can_be_made_again(home, outputs, partitions, commit):
    commit(*range(COUNT))
    (home / "partial" / KEY / "part-00002" / "out" / "a.txt").unlink()
    assert sorted(partitions.committed(KEY)) == [0, 1, 3]
    assert partitions.publish(KEY, range(COUNT)) is None
    commit(2)
    assert partitions.publish(KEY, range(COUNT)) is not None


def test_the_first_commit_of_a_partition_stays(outputs, partitions, commit):
    commit(0, 1, 2, 3)
    commit(1, text="another {}")
    partitions.publish(KEY, range(COUNT))
    assert (outputs.path(KEY, "out") / "part-00001" / "a.txt").read_text() == "part 1"


def test_a_partition_that_changed_after_its_seal_is_refused(partitions, make_sealed):
    folder, manifest = make_sealed({"out/a.txt": "x"}, partition=0, count=COUNT)
    (folder / "out" / "b.txt").write_text("late")
    with pytest.raises(Corrupt, match="partition 0 changed"):
        partitions.commit(folder, manifest)


def test_what_is_dropped_is_gone(partitions, commit):
    commit(0, 1)
    assert partitions.keys() == [KEY]
    partitions.drop(KEY)
    assert partitions.keys() == []
    assert partitions.committed(KEY) == {}
