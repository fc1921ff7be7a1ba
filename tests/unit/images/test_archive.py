"""An image as one file: a layout that others read, whole or not there, and never in the place of something else."""

import json
import os
import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from lykeion.adapters.images.archive import save
from lykeion.adapters.images.store import Store
from lykeion.core.content import digest_of
from lykeion.core.images.oci import TAR, Descriptor, Layer, Settings, image, titled
from lykeion.core.models import layer as model_layer
from lykeion.errors import Corrupt, Invalid, NotFound, Unavailable

SAVE = """
import sys
from pathlib import Path
from lykeion.adapters.images.archive import save
from lykeion.adapters.images.store import Store
from lykeion.errors import Unavailable
try:
    save(Store(Path(sys.argv[1])), "photos:1", Path(sys.argv[2]))
except Unavailable as error:
    print(error)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With an image of a small layer and a model's file."""
    store = Store(tmp_path / "images")
    weights = tmp_path / "weights"
    weights.write_bytes(os.urandom(300_000))
    header, trailer = model_layer.header("weights", 300_000), model_layer.trailer(300_000)
    digest = digest_of(header + weights.read_bytes() + trailer)
    store.put_virtual(digest, header, weights, len(trailer))
    code = store.add([b"code"], TAR)
    layers = [Layer(code, code.digest), Layer(Descriptor(TAR, digest, store.size(digest)), digest)]
    store.put_image(image([titled(one, "model", "x") for one in layers], Settings()), "photos:1")
    return store


def test_every_blob_is_in_the_archive_also_those_that_are_files_elsewhere(store, tmp_path):
    size = save(store, "photos:1", tmp_path / "photos.tar")
    assert size == (tmp_path / "photos.tar").stat().st_size
    with tarfile.open(tmp_path / "photos.tar") as archive:
        blobs = {member.name: archive.extractfile(member).read() for member in archive}
    listed = json.loads(blobs["index.json"])["manifests"]
    assert [one["annotations"]["org.opencontainers.image.ref.name"] for one in listed] == ["photos:1"]
    assert json.loads(blobs["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for name, data in blobs.items():
        if name.startswith("blobs/sha256/"):
            assert digest_of(data) == f"sha256:{name.removeprefix('blobs/sha256/')}"
    assert len(blobs) == 2 + 4  # manifest, config, two layers


def test_the_same_image_gives_the_same_file(store, tmp_path):
    for name in ("a.tar", "b.tar"):
        save(store, "photos:1", tmp_path / name)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_model_that_changed_meanwhile_leaves_no_file_and_keeps_an_older_one(store, tmp_path):
    (tmp_path / "photos.tar").write_bytes(b"older")
    (tmp_path / "weights").write_bytes(b"changed")
    with pytest.raises((Corrupt, NotFound)):
        save(store, "photos:1", tmp_path / "photos.tar")
    assert (tmp_path / "photos.tar").read_bytes() == b"older"
    assert not list(tmp_path.glob(".photos.tar*"))


def test_a_file_never_takes_the_place_of_a_pipe_or_a_folder(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(Invalid, match="no file that an image could be written to"):
            save(store, "photos:1", tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()


def test_a_folder_that_is_not_there_is_told(store, tmp_path):
    with pytest.raises(Unavailable, match="No such file or directory"):
        save(store, "photos:1", tmp_path / "nowhere" / "photos.tar")


def test_a_full_disk_is_told_and_nothing_stays(store, tmp_path):
    """A process that may write no file so large meets what a full disk is."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    words = [sys.executable, "-c", SAVE, str(store.files.root), str(tmp_path / "photos.tar")]
    ran = subprocess.run(words, capture_output=True, text=True, check=True, preexec_fn=limit)
    assert "photos.tar cannot be written: File too large" in ran.stdout
    assert not list(tmp_path.glob("*photos.tar*"))
