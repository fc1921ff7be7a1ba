"""What is found on a volume: one of everything, with its size; what does not belong there is passed over."""

import fcntl
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.local.home import Home
from lykeion.adapters.local.inventory import inventory, measured
from lykeion.adapters.local.locks import Lock

DIGEST = "ab" + "0" * 62
MANIFEST = json.dumps({"step": "train"})
ONE_OF_EACH = {
    "outputs/KEY/manifest.json": ("output", "KEY", "train"),
    "partial/KEY/part-00003/manifest.json": ("partial", "KEY", "train"),
    "staging/t.a.1-0/a.json": ("staging", "t.a.1-0", ""),
    "staging/t.b.1-0/b/manifest.json": ("sealed", "t.b.1-0", ""),
    "corrupt/KEY/out/x": ("corrupt", "KEY", ""),
    f"cache/pictures/ab/{DIGEST}": ("picture", DIGEST, ""),
    "cache/features/EXTRACTOR/1.arrow": ("features", "EXTRACTOR", ""),
    "cache/extractors/EXTRACTOR/extractor.onnx": ("extractor", "EXTRACTOR", ""),
    f"cache/thumbnails/256/ab/{DIGEST}.webp": ("thumbnail", DIGEST, ""),
    "cache/components/sha.json": ("description", "sha.json", ""),
    "models/shoes/7/weights": ("mount", "shoes/7", ""),
    "cache/models/shoes/7/weights": ("download", "shoes/7", ""),
    f"rootfs/{DIGEST}/etc/passwd": ("root", DIGEST, ""),
    "logs/p-1/a.log": ("log", "p-1", ""),
    "logs/services/photos-index-0.log": ("log", "photos-index", ""),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def put(home: Home, path: str, text: str = MANIFEST) -> None:
    file = home.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_one_of_everything_is_found_once_by_the_name_that_others_refer_to_it_by(home: Home) -> None:
    for path in ONE_OF_EACH:
        put(home, path)
    found = [(thing.kind, thing.name, thing.step) for thing in inventory(home)]
    assert sorted(found) == sorted(ONE_OF_EACH.values())
    assert all(thing.size == len(MANIFEST) for thing in inventory(home))
    assert all((home.root / thing.path).exists() for thing in inventory(home))


@pytest.mark.parametrize(
    "path",
    [
        "outputs/a-file",
        "staging/a-file",
        "models/shoes/latest/x",
        "models/a-file",
        "cache/pictures/ab/.new-1",
        "cache/thumbnails/x",
        "elsewhere/x",
    ],
)
def test_what_does_not_belong_there_is_passed_over(home: Home, path: str) -> None:
    put(home, path)
    assert list(inventory(home)) == []


@pytest.mark.parametrize("manifest", ["", "{", "[]", "7", "{}", "\udcff"])
def test_a_manifest_that_does_not_say_its_step_is_of_no_step(home: Home, manifest: str) -> None:
    put(home, "outputs/KEY/manifest.json", "")
    (home.outputs / "KEY" / "manifest.json").write_bytes(manifest.encode("utf-8", "surrogateescape"))
    (found,) = inventory(home)
    assert (found.kind, found.step) == ("output", "")


def test_links_are_not_followed(home: Home, tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_bytes(b"x" * 10_000)
    put(home, "outputs/KEY/manifest.json")
    (home.outputs / "KEY" / "link").symlink_to(tmp_path / "big")
    (home.outputs / "OTHER").symlink_to(tmp_path / "big")
    (found,) = inventory(home)
    assert found.size < 1000


def test_an_attempt_that_a_process_works_at_is_held(home: Home) -> None:
    put(home, "staging/t.a.1-0/a.json")
    with Lock(home.staging / "t.a.1-0" / "lock", "an engine"):
        assert [thing.held for thing in inventory(home)] == [True]
    assert [thing.held for thing in inventory(home)] == [False]


def test_an_unpacked_image_is_as_old_as_its_last_use_and_held_by_a_step_that_runs_it(home: Home) -> None:
    put(home, f"rootfs/{DIGEST}/bin/tool")
    root = home.root / "rootfs" / DIGEST
    os.utime(root, (1000, 1000))
    with (root.parent / f"{DIGEST}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert [thing.held for thing in inventory(home)] == [True]
    assert [(thing.held, thing.touched.timestamp()) for thing in inventory(home)] == [(False, 1000)]


@given(st.dictionaries(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), st.integers(0, 500), max_size=8))
def test_a_size_is_that_of_all_files_below(tmp_path_factory: pytest.TempPathFactory, files: dict[str, int]) -> None:
    folder = tmp_path_factory.mktemp("sized")
    made = 0
    for name, size in files.items():
        path = folder / f"{name}.file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        made += size
    size, touched = measured(folder)
    assert size == made
    assert touched == max(path.stat().st_mtime for path in [folder, *folder.rglob("*")])
