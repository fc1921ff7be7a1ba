"""Sealing: what a manifest says of a folder, and what cannot be an output."""

import os
import stat
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.adapters.volume.manifest import Manifest, SealedFile, whole
from lykeion.adapters.volume.seal import seal, seal_output
from lykeion.adapters.volume.verify import read_manifest, verify, verify_output
from lykeion.core.content import FileDigest, digest_of_files
from lykeion.core.pipelines.contract import StepFile

KEY = "b" * 64
names = st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..")
)


def test_a_sealed_file_is_read_only_and_its_digest_is_that_of_its_bytes(make_sealed):
    folder, manifest = make_sealed({"out/a.txt": "hello"})
    (file,) = manifest.outputs["out"]
    assert (file.path, file.size, file.sha256) == ("a.txt", 5, sha256(b"hello").hexdigest())
    assert stat.S_IMODE((folder / "out" / "a.txt").stat().st_mode) == 0o444


def test_the_digest_of_an_output_does_not_depend_on_what_it_is_called_or_when_it_was_made(make_sealed):
    _, first = make_sealed({"out/a.txt": "1", "out/deep/b.txt": "2"})
    _, second = make_sealed({"other/deep/b.txt": "2", "other/a.txt": "1"}, outputs=("other",))
    assert first.digests()["out"] == second.digests()["other"]
    assert first.digests()["out"] == digest_of_files(
        [FileDigest("a.txt", 1, sha256(b"1").hexdigest()), FileDigest("deep/b.txt", 1, sha256(b"2").hexdigest())]
    )


def test_the_digest_of_an_output_without_programs_and_empty_folders_stays_what_it_always_was(make_sealed):
    _, manifest = make_sealed({"out/a.txt": "1", "out/deep/b.txt": "2"})
    assert manifest.digests() == {"out": "sha256:e0fcde0ff343620ea2f15eb8f38ab39eb8f3d5a3fac2a46284ab59c4a7aaecf5"}


def test_a_program_stays_one_and_is_other_content_than_the_same_text(make_sealed, tmp_path: Path):
    for name in ("text", "program"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "s.sh").write_text("#!/bin/sh\necho it ran\n")
    (tmp_path / "program" / "s.sh").chmod(0o755)
    text, program = (seal_output(str(tmp_path / name)) for name in ("text", "program"))
    assert stat.S_IMODE((tmp_path / "program" / "s.sh").stat().st_mode) == 0o555
    assert subprocess.run([tmp_path / "program" / "s.sh"], capture_output=True, text=True, check=True).stdout == "it ran\n"
    assert digest_of_files(file.digest for file in text) != digest_of_files(file.digest for file in program)
    assert verify_output(str(tmp_path / "program"), program) == program


def test_an_empty_folder_is_part_of_an_output(make_sealed, tmp_path: Path):
    (tmp_path / "assets" / "icons").mkdir(parents=True)
    (tmp_path / "a.txt").write_text("1")
    sealed = seal_output(str(tmp_path))
    assert [file.path for file in sealed] == ["a.txt", "assets/icons/"]
    assert digest_of_files(file.digest for file in sealed) != digest_of_files(file.digest for file in sealed[:1])
    assert verify_output(str(tmp_path), sealed) == sealed
    (tmp_path / "assets" / "icons").rmdir()
    assert verify_output(str(tmp_path), sealed) is None


def test_what_an_earlier_version_sealed_without_its_empty_folders_is_still_whole(make_sealed):
    folder, manifest = make_sealed({"out/a.txt": "hello"})
    (folder / "out" / "assets").mkdir()
    (folder / "manifest.json").write_text(manifest.to_json().replace('"format":2', '"format":1').replace(",false]", "]"))
    earlier = read_manifest(str(folder))
    assert earlier is not None
    assert earlier.digests() == manifest.digests()
    assert verify(str(folder), earlier) is earlier


def test_an_output_without_files_is_an_output(make_sealed):
    folder, manifest = make_sealed({})
    assert manifest.outputs == {"out": ()}
    assert verify(str(folder), manifest) is manifest


def test_what_the_step_said_is_in_the_manifest(make_sealed):
    said = {"metrics": {"recall": 0.5}, "result": {"rows": 3}, "uncached": "it read the clock"}
    _, manifest = make_sealed({"out/a": "x"}, result=said)
    result = manifest.step_result()
    assert (result.metrics, result.result, result.uncached) == ({"recall": 0.5}, {"rows": 3}, "it read the clock")
    assert result.material == {"identity": "i"}
    assert result.size == 1
    assert result.created is not None


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo], ids=["link", "fifo"])
def test_only_regular_files_can_be_an_output(tmp_path: Path, make):
    make(tmp_path / "odd")
    with pytest.raises(ValueError, match=r"odd is not a regular file.*copy what it points to"):
        seal_output(str(tmp_path))


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path):
    (tmp_path / "odd").symlink_to("/etc")
    with pytest.raises(ValueError, match="odd is not a regular file"):
        seal_output(str(tmp_path))


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path):
    open(os.fsencode(tmp_path) + b"/\xff", "w").close()
    with pytest.raises(ValueError, match=r"the name \\udcff is not UTF-8"):
        seal_output(str(tmp_path))


def test_a_step_that_made_no_such_output_is_not_sealed(tmp_path: Path):
    with pytest.raises(ValueError, match="the folder of the output out is gone"):
        seal(str(tmp_path), StepFile("s", "m:f", KEY, outputs=("out",)), 0.0)
    assert read_manifest(str(tmp_path)) is None


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(names, st.tuples(st.binary(max_size=20), st.sampled_from([0o644, 0o755])), max_size=5), st.sets(names, max_size=2))
def test_every_set_of_files_and_folders_verifies_after_sealing_and_after_a_round_trip(tmp_path_factory, files, empty):
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "out").mkdir()
    for name, (data, mode) in files.items():
        (folder / "out" / name).write_bytes(data)
        (folder / "out" / name).chmod(mode)
    for name in empty - files.keys():
        (folder / "out" / name).mkdir()
    seal(str(folder), StepFile("s", "m:f", KEY, outputs=("out",)), 0.0)
    manifest = read_manifest(str(folder))
    assert manifest is not None
    expected = {name: mode == 0o755 for name, (_, mode) in files.items()} | {f"{name}/": False for name in empty - files.keys()}
    assert {file.path: file.executable for file in manifest.outputs["out"]} == expected
    assert verify(str(folder), manifest) is manifest
    assert Manifest.from_json(manifest.to_json()) == manifest


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.dictionaries(st.sampled_from("ab"), st.integers(-5, 5))),
        min_size=1,
        max_size=6,
        unique_by=lambda p: p[0],
    )
)
def test_the_whole_of_partitions_sums_metrics_and_does_not_depend_on_their_order(parts):
    manifests = [
        Manifest(KEY, "s", {"out": (SealedFile(f"{number}.txt", 1, "0" * 64, 1, 2, 3),)}, metrics, partition=number, partition_count=51)
        for number, metrics in parts
    ]
    together = whole(manifests)
    assert together == whole(reversed(manifests))
    for name in "ab":
        assert together.metrics.get(name, 0) == sum(metrics.get(name, 0) for _, metrics in parts)
    assert [file.path for file in together.outputs["out"]] == [f"part-{n:05d}/{n}.txt" for n, _ in sorted(parts, key=lambda part: part[0])]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-5],
        lambda text: "",
        lambda text: "[]",
        lambda text: '{"format": 2}',
        lambda text: text.replace('"format":2', '"format":9'),
        lambda text: text.replace("a.txt", "b.txt"),
        lambda text: text.replace('"key"', '"kee"'),
    ],
)
def test_a_damaged_manifest_is_no_manifest(make_sealed, damage):
    folder, manifest = make_sealed({"out/a.txt": "hello"})
    (folder / "manifest.json").write_text(damage(manifest.to_json()))
    assert read_manifest(str(folder)) is None


def overwrite(file: Path) -> None:
    file.chmod(0o644)
    file.write_text("HELLO")


@pytest.mark.parametrize(
    "touch",
    [
        overwrite,
        lambda file: file.unlink(),
        lambda file: file.rename(file.with_name("c.txt")),
        lambda file: file.with_name("added").write_text(""),
        lambda file: os.truncate(file, 2),
        lambda file: (file.rename(file.with_name("x")), file.symlink_to("x")),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: file.chmod(0o555),
        lambda file: file.with_name("assets").mkdir(),
    ],
    ids=["bytes", "removed", "renamed", "added", "truncated", "link", "folder", "program", "empty"],
)
def test_every_change_of_an_output_is_found(make_sealed, touch):
    folder, manifest = make_sealed({"out/a.txt": "hello"})
    touch(folder / "out" / "a.txt")
    assert verify(str(folder), manifest) is None


def test_changed_bytes_are_found_though_size_and_mtime_are_put_back(make_sealed):
    folder, manifest = make_sealed({"out/a.txt": "hello"})
    file = folder / "out" / "a.txt"
    before = file.stat()
    overwrite(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify(str(folder), manifest) is None


def test_a_file_that_was_only_touched_or_copied_still_verifies_and_its_new_stat_is_learnt(make_sealed):
    folder, manifest = make_sealed({"out/a.txt": "hello", "out/b.txt": "x"})
    os.utime(folder / "out" / "a.txt", ns=(1, 1))
    current = verify(str(folder), manifest)
    assert current is not None
    assert current is not manifest
    assert current.digests() == manifest.digests()
    assert verify(str(folder), current) is current


def test_a_missing_folder_does_not_verify(tmp_path: Path):
    assert verify_output(str(tmp_path / "gone"), ()) is None


def test_a_file_that_its_writer_cannot_read_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "shut").write_text("x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read what nobody may
    with pytest.raises(ValueError, match="shut cannot be read by who wrote it"):
        seal_output(str(tmp_path))
