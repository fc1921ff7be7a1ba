"""The store holds what an image is made of: whole or not at all, whoever is killed, and without a copy of a model's files."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.images.store import Store
from lykeion.adapters.images.virtual import VirtualBlob
from lykeion.core.content import digest_of
from lykeion.core.images.oci import MANIFEST, TAR, Image, Layer, Settings, image
from lykeion.core.models import layer as model_layer
from lykeion.errors import Corrupt, NotFound, Unavailable

NOW = datetime.now(UTC)
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


def layered(store: Store, *texts: bytes) -> Image:
    layers = [store.add([text], TAR) for text in texts]
    return image([Layer(one, one.digest) for one in layers], Settings())


def bytes_of(store: Store, digest: str, start: int = 0) -> bytes:
    return b"".join(store.read(digest, start))


def age(store: Store, by: timedelta = timedelta(days=2)) -> None:
    """As if all that is there had been written that long ago."""
    then = (NOW - by).timestamp()
    for key, _ in store.files.list(""):
        os.utime(store.files.file(key), (then, then))


def model_file(folder: Path, data: bytes) -> tuple[Path, str]:
    """A model's file, and the digest of its layer."""
    file = folder / "weights.bin"
    file.write_bytes(data)
    whole = model_layer.header("weights.bin", len(data)) + data + model_layer.trailer(len(data))
    return file, digest_of(whole)


def put_model(store: Store, file: Path, digest: str) -> None:
    size = file.stat().st_size
    store.put_virtual(digest, model_layer.header("weights.bin", size), file, len(model_layer.trailer(size)))


def test_a_blob_is_named_by_its_bytes_and_read_from_anywhere(store):
    made = store.add([b"ab", b"", b"cde"], TAR, {"note": "x"})
    assert (made.digest, made.size, made.annotations) == (digest_of(b"abcde"), 5, {"note": "x"})
    assert bytes_of(store, made.digest, 3) == b"de"
    assert (store.has(made.digest), store.size(made.digest)) == (True, 5)


def test_what_is_not_there_is_said(store):
    nothing = digest_of(b"nothing")
    assert not store.has(nothing)
    for ask in (store.size, store.document, store.read):
        with pytest.raises(NotFound, match="build or pull the image again"):
            ask(nothing)


def test_a_source_that_fails_leaves_nothing(store):
    def broken():
        yield b"half"
        raise RuntimeError("the disk it came from is gone")

    with pytest.raises(RuntimeError):
        store.add(broken(), TAR)
    assert {key for key, _ in store.files.list("")} == {"oci-layout"}


def test_a_document_whose_bytes_were_changed_is_found(store):
    made = store.put(b'{"a": 1}', MANIFEST)
    os.chmod(store.path(made.digest), 0o644)
    store.path(made.digest).write_bytes(b'{"a": 2}')
    with pytest.raises(Corrupt, match="build or pull the image again"):
        store.document(made.digest)


@given(data=st.binary(max_size=3000), start=st.integers(0, 6000))
def test_a_virtual_blob_reads_like_the_layer_that_it_stands_for(tmp_path_factory, data, start):
    file, _ = model_file(tmp_path_factory.mktemp("v"), data)
    header, trailer = model_layer.header("weights.bin", len(data)), model_layer.trailer(len(data))
    blob = VirtualBlob.of(header, file, len(trailer))
    whole = header + data + trailer
    assert blob.length == len(whole)
    assert b"".join(blob.read(start)) == whole[start:]
    assert VirtualBlob.from_json(blob.to_json()) == blob


def test_a_models_file_is_not_copied(store, tmp_path):
    file, digest = model_file(tmp_path, os.urandom(3 << 20))
    put_model(store, file, digest)
    assert digest_of(bytes_of(store, digest)) == digest
    assert store.size(digest) == model_layer.length("weights.bin", 3 << 20)
    assert sum(size for _, size in store.files.list("")) < 8 << 10


def test_a_models_file_that_changed_is_not_given_for_the_layer(store, tmp_path):
    file, digest = model_file(tmp_path, b"one")
    put_model(store, file, digest)
    file.write_bytes(b"two, longer")
    assert not store.has(digest)
    with pytest.raises(NotFound):
        store.read(digest)


def test_a_models_file_that_changes_while_it_is_read_is_corrupt(store, tmp_path):
    file, digest = model_file(tmp_path, bytes(4 << 20))
    put_model(store, file, digest)
    reading = store.read(digest)
    next(reading), next(reading)
    os.truncate(file, 2 << 20)
    with pytest.raises(Corrupt, match="must stay as they are"):
        for _ in reading:
            pass


def test_an_image_is_found_by_its_tag_and_by_its_digest(store):
    made = layered(store, b"one", b"two")
    descriptor = store.put_image(made, "photos:7")
    assert store.image("photos:7") == store.image(descriptor.digest) == made
    assert store.tags() == {"photos:7": descriptor}
    with pytest.raises(NotFound, match="did you mean photos:7"):
        store.image("photo:7")
    store.untag("photos:7")
    assert store.tags() == {}
    with pytest.raises(NotFound):
        store.untag("photos:7")


def test_an_image_whose_layer_is_missing_is_not_kept(store):
    made = layered(store, b"one")
    store.files.delete([f"blobs/sha256/{made.layers[0].descriptor.digest[7:]}"])
    with pytest.raises(NotFound, match="build or pull"):
        store.put_image(made, "x")
    assert store.tags() == {}


def test_the_layout_is_what_the_specification_says(store):
    store.put_image(layered(store, b"one"), "photos:7")
    root = store.files.root
    assert json.loads((root / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    entry = json.loads((root / "index.json").read_text())["manifests"][0]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "photos:7"}
    manifest = (root / "blobs" / "sha256" / entry["digest"][7:]).read_bytes()
    assert sha256(manifest).hexdigest() == entry["digest"][7:]


def test_a_layer_is_recalled_by_what_it_was_made_of_while_its_blob_is_there(store):
    made = store.add([b"layer"], TAR)
    store.remember("sha256:aa", Layer(made, "sha256:bb"))
    assert store.recall("sha256:aa") == Layer(made, "sha256:bb")
    assert store.recall("sha256:cc") is None
    os.chmod(store.path(made.digest), 0o644)
    os.truncate(store.path(made.digest), 1)
    assert store.recall("sha256:aa") is None
    store.path(made.digest).unlink()
    assert store.recall("sha256:aa") is None


def test_a_collection_keeps_what_a_tag_leads_to_and_what_is_young(store):
    kept = store.put_image(layered(store, b"kept"), "kept")
    gone = store.put_image(layered(store, b"gone"), "gone")
    age(store)
    store.untag("gone")
    young = store.add([b"young"], TAR)
    swept = store.collect(AN_HOUR, NOW)
    assert gone.digest in swept.blobs
    assert store.image("kept").digest == kept.digest
    assert store.has(young.digest)
    assert not store.has(digest_of(b"gone"))


def test_a_dry_run_says_the_same_and_takes_nothing(store):
    store.put_image(layered(store, b"one"))
    age(store)
    told = store.collect(AN_HOUR, NOW, dry_run=True)
    assert len(told.blobs) == 3
    assert told.bytes == sum(store.size(digest) for digest in told.blobs)
    assert store.collect(AN_HOUR, NOW) == told
    assert store.collect(AN_HOUR, NOW).blobs == ()


def test_what_is_recalled_is_young_again(store):
    made = store.add([b"layer"], TAR)
    store.remember("sha256:aa", Layer(made, "sha256:bb"))
    age(store)
    assert store.recall("sha256:aa")
    assert store.collect(AN_HOUR, NOW).blobs == ()


def in_a_process(code: str, *words: object) -> subprocess.Popen[str]:
    head = "import sys\nfrom pathlib import Path\nfrom lykeion.adapters.images.store import Store\nstore = Store(Path(sys.argv[1]))\n"
    command = [sys.executable, "-c", head + code, *map(str, words)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_builder_that_is_killed_leaves_no_half_of_a_blob(store):
    endless = (
        "def forever():\n    while True:\n        print('more', flush=True)\n        yield bytes(1 << 16)\nstore.add(forever(), 't')\n"
    )
    with in_a_process(endless, store.files.root) as builder:
        for _ in range(20):
            builder.stdout.readline()
        builder.send_signal(signal.SIGKILL)
        builder.wait()
    assert [key for key, _ in store.files.list("") if key.startswith("blobs/")] == []


def test_builders_at_the_same_time_lose_no_tag(store):
    made = layered(store, b"one")
    store.put_image(made)
    code = f"for n in range(20): store.tag(f'{{sys.argv[2]}}-{{n}}', store.put_image(store.image({made.digest!r})))"
    builders = [in_a_process(code, store.files.root, name) for name in "abcd"]
    for builder in builders:
        builder.communicate()
        assert builder.returncode == 0
    assert set(store.tags()) == {f"{name}-{n}" for name in "abcd" for n in range(20)}


def test_nothing_is_collected_from_under_a_builder(store):
    made = store.add([b"in use"], TAR)
    age(store)
    with in_a_process("with store.using():\n    print('held', flush=True)\n    sys.stdin.read()\n", store.files.root) as builder:
        builder.stdout.readline()
        collector = in_a_process(
            "from datetime import *\nprint('begins', flush=True)\n"
            "print(store.collect(timedelta(hours=1), datetime.now(timezone.utc)).blobs)",
            store.files.root,
        )
        assert collector.stdout.readline() == "begins\n"
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            assert store.has(made.digest)
        builder.kill()
        assert made.digest in collector.communicate()[0]
    assert not store.has(made.digest)


def test_a_full_disk_is_said_in_a_sentence_and_nothing_stays(store):
    code = (
        "import resource, signal\nfrom lykeion.errors import Unavailable\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "try:\n    store.add([bytes(1 << 20)] * 2, 't')\nexcept Unavailable as error:\n    print(error)\n"
    )
    with in_a_process(code, store.files.root) as builder:
        assert "cannot write" in builder.communicate()[0]
    assert {key for key, _ in store.files.list("")} == {"oci-layout"}


def test_a_folder_that_cannot_be_a_store_is_said(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unavailable, match="cannot write"):
        Store(tmp_path / "file" / "images")
