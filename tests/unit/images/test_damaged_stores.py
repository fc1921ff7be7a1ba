"""Whatever happens to a store (a builder killed at any moment, a full disk, a damaged file), it is whole, and building again heals it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from recipe_of_noise import ENOUGH, noise_recipe

from lykeion.adapters.images.archive import save
from lykeion.adapters.images.build import build, plan
from lykeion.adapters.images.codecs import CODECS, PLAIN
from lykeion.adapters.images.store import Store
from lykeion.errors import Corrupt, NotFound, Unavailable

SOON = datetime.now(UTC) + timedelta(hours=1)
MEBI = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "content"
    made.mkdir()
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


def is_whole(store: Store) -> bool:
    """Each blob is what its name says, and all that tags lead to is there."""
    blobs = [store.files.file(key) for key, _ in store.files.list("blobs")]
    named = all(sha256(blob.read_bytes()).hexdigest() == blob.name for blob in blobs)
    return named and all(store.has(layer.descriptor.digest) for tag in store.tags() for layer in store.image(tag).layers)


def digests(folder: Path, store: Store) -> list[str]:
    return [build(noise_recipe(folder, number, 100_000), store, PLAIN).image.digest for number in range(7)]


@pytest.mark.slow
def test_builders_and_collectors_that_are_killed_at_any_moment_leave_a_store_that_is_whole(folder, store, tmp_path):
    script = Path(__file__).with_name("recipe_of_noise.py")
    ran = subprocess.run([sys.executable, str(script), str(folder), "7"], capture_output=True, text=True, check=True)
    assert sum(json.loads(ran.stdout)) == ENOUGH  # killed before they had finished
    survived = Store(folder / "images")
    assert is_whole(survived)
    assert digests(folder, survived) == digests(folder, store)
    assert is_whole(survived)
    for tag in survived.tags():
        survived.untag(tag)
    survived.collect(timedelta(0), SOON)
    assert {key.partition("/")[0] for key, _ in survived.files.list("")} == {"oci-layout", "index.json", "locks"}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"this user may not mount: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, left: int) -> Path:
    """Use a file system up until `left` bytes are free."""
    there = os.statvfs(place)
    filler = place / "filler"
    filler.write_bytes(bytes(there.f_bavail * there.f_bsize - left))
    return filler


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_disk_that_gets_full_at_any_moment_of_a_build_is_said_and_the_build_can_be_done_again(small, folder, store, codec):
    recipe = noise_recipe(folder, size=100_000)
    wanted = build(recipe, store, codec).image.digest
    outcomes: set[str] = set()
    for left in range(0, 320 << 10, 4 << 10):
        filler = fill(small, left)
        try:
            made = Store(small / "images")
            outcomes.add(build(recipe, made, codec).image.digest)
        except Unavailable as refused:
            outcomes.add(str(refused).rpartition(": ")[2])
        filler.unlink()
        again = Store(small / "images")
        assert is_whole(again)
        assert build(recipe, again, codec).image.digest == wanted
        subprocess.run(["rm", "-rf", str(small / "images")], check=True)
    assert outcomes == {"No space left on device", wanted}


def test_an_image_that_does_not_fit_where_it_is_saved_leaves_no_file(small, folder, store):
    build(noise_recipe(folder, size=2 * MEBI), store, PLAIN)
    with pytest.raises(Unavailable, match=r"cannot be written: No space left on device"):
        save(store, "noise:0", small / "image.tar")
    assert list(small.iterdir()) == []


# damaged files ------------------------------------------------------------------------------------------------------------------


def damage(file: Path, data: bytes) -> None:
    os.chmod(file, 0o644)
    file.write_bytes(data)


DAMAGES = {
    "nothing": b"",
    "zeros": bytes(300),
    "a list": b"[]",
    "an object": b"{}",
    "half": b'{"descriptor": {"dig',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("data", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["layers", "virtual"])
def test_a_damaged_memory_of_what_was_made_is_none_and_is_made_anew(folder, store, kind, data):
    """As after a power failure: what can be made again is no reason to fail."""
    recipe = noise_recipe(folder)
    wanted = build(recipe, store).image.digest
    damaged = [store.files.file(key) for key, _ in store.files.list(kind)]
    for file in damaged:
        damage(file, data)
    assert damaged
    assert len(plan(recipe, store)) == 3
    assert store.collect(timedelta(hours=2), SOON).blobs == ()
    assert build(recipe, store).image.digest == wanted
    assert all(file.read_bytes() != data for file in damaged if not file.name.startswith("natives-"))


@pytest.mark.parametrize("data", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_list_of_images_is_said_and_nothing_is_collected(folder, store, data):
    build(noise_recipe(folder), store)
    damage(store.files.root / "index.json", data)
    for ask in (store.tags, lambda: store.image("noise:0"), lambda: store.untag("noise:0"), lambda: store.collect(timedelta(0), SOON)):
        with pytest.raises(Corrupt, match=r"index\.json .*; remove it, and build or pull"):
            ask()
    assert len(list(store.files.list("blobs"))) == 4
    (store.files.root / "index.json").unlink()
    assert build(noise_recipe(folder), store).hits == (True, True, True)
    assert store.tags().keys() == {"noise:0"}


def test_an_image_whose_documents_are_damaged_is_said_with_the_file(folder, store):
    made = build(noise_recipe(folder), store).image
    for digest in (made.config_descriptor.digest, made.digest):
        damage(store.path(digest), b"{}")
        with pytest.raises(Corrupt, match=rf"{digest[7:]} is not what its name says; remove it, and build or pull"):
            store.image("noise:0")
        store.path(digest).unlink()
        with pytest.raises(NotFound, match="build or pull the image again"):
            store.image("noise:0")
        build(noise_recipe(folder), store)
        assert store.image("noise:0") == made


def test_a_blob_that_is_damaged_goes_when_it_is_found_out_and_others_stay(folder, store):
    made = build(noise_recipe(folder), store).image
    first, second, _ = (layer.descriptor.digest for layer in made.layers)
    data = b"".join(store.read(first))
    damage(store.path(first), data[:-1] + bytes([data[-1] ^ 1]))
    assert [store.drop_damaged(digest) for digest in (first, second, made.digest, "sha256:" + "0" * 64)] == [True, False, False, False]
    assert (store.has(first), store.has(second)) == (False, True)
    again = build(noise_recipe(folder), store)
    assert again.hits == (False, True, True)
    assert again.image == made
    assert b"".join(store.read(first)) == data


def test_a_damaged_blob_is_not_saved_and_building_again_helps(folder, store, tmp_path):
    made = build(noise_recipe(folder), store).image
    blob = store.path(made.layers[1].descriptor.digest)
    damage(blob, bytes(blob.stat().st_size))
    with pytest.raises(Corrupt, match=r"in the place of .*; build or pull the image again"):
        save(store, "noise:0", tmp_path / "image.tar")
    assert not (tmp_path / "image.tar").exists()
    assert build(noise_recipe(folder), store).image == made
    assert save(store, "noise:0", tmp_path / "image.tar") > 400_000


def test_what_somebody_else_put_into_the_folder_is_left_alone(folder, store):
    build(noise_recipe(folder), store)
    (store.files.root / "notes.txt").write_text("mine")
    (store.files.root / "blobs" / "sha512").mkdir()
    (store.files.root / "blobs" / "sha512" / "abc").write_text("mine too")
    store.collect(timedelta(0), SOON)
    assert (store.files.root / "notes.txt").read_text() == "mine"
