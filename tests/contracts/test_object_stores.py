"""One suite for every object store: what the repository needs of them."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from lykeion.errors import Invalid, NotFound, Refused, Unavailable
from lykeion.ports import ObjectStore
from lykeion.repository import Repository, open_store
from lykeion.testing.storage import MemoryStore

BIG = 20_000_000  # more than one part of a multipart upload


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server over a folder; the URL of a bucket in it."""
    gateway = shutil.which("versitygw-v1.8.0")
    if gateway is None:
        pytest.skip("versitygw is not here (scripts/object-store builds it)")
    root = tmp_path_factory.mktemp("s3")
    (root / "bucket").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = {"ROOT_ACCESS_KEY": "lykeion", "ROOT_SECRET_KEY": "lykeion-secret"}
    server = subprocess.Popen(
        [gateway, "--port", f"127.0.0.1:{port}", "posix", str(root)],
        env={**os.environ, **keys},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ACCESS_KEY_ID", "lykeion")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "lykeion-secret")
    patch.setenv("AWS_REGION", "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    patch.setenv("AWS_ALLOW_HTTP", "true")
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield "s3://bucket"
    finally:
        patch.undo()
        server.terminate()
        server.wait(10)


@pytest.fixture(params=["memory", "file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "file":
        return open_store(f"file://{tmp_path}/store")
    return open_store(f"{request.getfixturevalue('s3')}/{uuid4().hex}")


def read(store: ObjectStore, key: str, start: int = 0) -> bytes:
    return b"".join(store.read(key, start))


def test_what_is_put_is_got_and_replaced(store: ObjectStore) -> None:
    store.put("a/b", b"one")
    store.put("a/b", b"two")
    assert store.get("a/b") == b"two"
    assert read(store, "a/b") == b"two"


def test_what_is_adopted_is_an_object_and_what_is_refused_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    file.chmod(0o444)
    if store.adopt("a/weights", file):
        file.unlink()
        assert read(store, "a/weights") == b"weights"
    else:
        assert list(store.list("")) == []


def test_an_adopted_file_replaces_what_was_there(store: ObjectStore, tmp_path: Path) -> None:
    store.put("a", b"before")
    file = tmp_path / "a"
    file.write_bytes(b"after")
    file.chmod(0o444)
    adopted = store.adopt("a", file)
    assert store.adopt("a", file) is adopted  # again: both are names of one file perhaps
    assert store.get("a") == (b"after" if adopted else b"before")
    assert [key for key, _ in store.list("")] == ["a"]


def test_what_is_not_there_is_not_found(store: ObjectStore) -> None:
    store.put("a/b/c", b"")
    for key in ("a/x", "nothing", "a/b"):
        with pytest.raises(NotFound):
            store.get(key)
        with pytest.raises(NotFound):
            read(store, key)


def test_where_objects_are_files_a_program_is_one_and_an_empty_folder_goes_with_what_it_lies_in(store: ObjectStore) -> None:
    store.upload("a/run", [b"#!/bin/sh"], executable=True)
    store.upload("a/text", [b"#!/bin/sh"])
    store.make_folder("a/empty/deep")
    assert sorted(key for key, _ in store.list("")) == ["a/run", "a/text"]
    if (here := store.local_path("a")) is not None:
        assert [os.access(here / name, os.X_OK) for name in ("run", "text", "empty/deep")] == [True, False, True]
    store.delete(["a"])
    assert read(store, "a/run") == b"#!/bin/sh"
    store.delete(["a/run", "a/text", "a"])
    assert list(store.names("")) == []


@pytest.mark.parametrize(
    ("bucket", "secret", "told"),
    [
        ("nowhere", "lykeion-secret", "there is no such bucket (NoSuchBucket"),
        ("bucket", "wrong", "access is denied (SignatureDoesNotMatch"),
    ],
)
def test_a_bucket_that_says_no_is_told_from_one_that_does_not_answer(s3: str, monkeypatch, bucket: str, secret: str, told: str) -> None:
    assert s3 == "s3://bucket"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    store = open_store(f"s3://{bucket}")
    asked = [
        lambda: store.put("a", b"x"),
        lambda: store.create("a", b"x"),
        lambda: store.upload("a", [b"x"]),
        lambda: store.names(""),
        lambda: list(store.list("")),
    ]
    for ask in asked:
        with pytest.raises(Refused, match=re.escape(told)):
            ask()


def test_an_empty_store_is_empty(store: ObjectStore) -> None:
    assert list(store.list("")) == []
    assert list(store.names("")) == []
    assert list(store.names("a/b")) == []
    store.delete(["a/b"])


def test_create_only_put_lets_the_first_win(store: ObjectStore) -> None:
    assert store.create("a/1.json", b"first")
    assert not store.create("a/1.json", b"second")
    assert not store.create("a/1.json", b"first")
    assert store.get("a/1.json") == b"first"


def test_of_sixteen_racing_writers_exactly_one_wins_each_time(store: ObjectStore) -> None:
    with ThreadPoolExecutor(16) as pool:
        for race in range(20):
            won = list(pool.map(lambda n, race=race: store.create(f"race/{race}", b"%d" % n), range(16)))
            assert sum(won) == 1
            assert store.get(f"race/{race}") == b"%d" % won.index(True)


@pytest.mark.parametrize("size", [0, 1, BIG])
def test_uploads_stream(store: ObjectStore, size: int) -> None:
    data = os.urandom(size)
    store.upload("big/one", (data[at : at + 1_000_000] for at in range(0, size, 1_000_000)))
    assert read(store, "big/one") == data
    assert list(store.list("big")) == [("big/one", size)]


@pytest.mark.parametrize("size", [10, BIG])
def test_an_upload_that_breaks_off_leaves_nothing(store: ObjectStore, size: int) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * (size // 10)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.upload("big/one", chunks())
    assert list(store.list("")) == []


def test_an_upload_that_breaks_off_leaves_what_was_there(store: ObjectStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"new"
        raise ZeroDivisionError

    store.put("one", b"old")
    with pytest.raises(ZeroDivisionError):
        store.upload("one", chunks())
    assert store.get("one") == b"old"


@pytest.mark.parametrize("start", [0, 1, 9, 10, 11])
def test_reading_starts_where_it_is_told(store: ObjectStore, start: int) -> None:
    store.put("ten", b"0123456789")
    assert read(store, "ten", start) == b"0123456789"[start:]


def test_listing_goes_deep_and_minds_folder_names(store: ObjectStore) -> None:
    for key in ("a/1", "a/b/2", "a/b/c/3", "ab/4", "5"):
        store.put(key, key.encode())
    assert sorted(store.list("")) == [("5", 1), ("a/1", 3), ("a/b/2", 5), ("a/b/c/3", 7), ("ab/4", 4)]
    assert sorted(store.list("a")) == [("a/1", 3), ("a/b/2", 5), ("a/b/c/3", 7)]
    assert sorted(store.names("")) == ["5", "a", "ab"]
    assert sorted(store.names("a")) == ["1", "b"]


def test_more_objects_than_a_page_are_all_listed_and_deleted(store: ObjectStore) -> None:
    keys = [f"many/{n}/file" for n in range(1050)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.put(key, b"1"), keys))
    assert sorted(store.names("many")) == sorted(str(n) for n in range(1050))
    assert len(list(store.list("many"))) == 1050
    store.delete([*keys, "many/not/there"])
    assert list(store.list("")) == []


@pytest.mark.parametrize("name", ["a b", "ü~é", "100%", "a%20b", "#1", "[x]*?", "q=1&r"])
def test_names_are_kept_as_they_are(store: ObjectStore, name: str) -> None:
    store.put(f"names/{name}", b"1")
    assert [key for key, _ in store.list("names")] == [f"names/{name}"]
    assert list(store.names("names")) == [name]
    assert store.get(f"names/{name}") == b"1"


def test_a_folder_that_is_emptied_while_others_write_there_stays_usable(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))

    def write(n: int) -> None:
        store.put(f"shared/{n}", b"1")
        store.delete([f"shared/{n}"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert list(store.list("")) == []


@pytest.mark.parametrize("url", ["", "ftp://host/x", "s3://", "az://container", "file://host/folder", "file://", "gs:///x", "s3//typo://x"])
def test_urls_that_name_no_store_are_refused_with_those_that_do(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(Invalid, match="write file:///FOLDER"):
        open_store(url)


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    open_store(str(tmp_path / "plain")).put("a", b"1")
    assert open_store(f"file://{tmp_path}/plain").get("a") == b"1"
    assert (tmp_path / "plain" / "a").read_bytes() == b"1"


def test_a_server_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        store = open_store("s3://bucket")
        with pytest.raises(Unavailable, match="cannot read s3://bucket/key"):
            store.get("key")


def test_keys_do_not_lead_out_of_a_folder(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "inner"))
    for key in ("../x", "a/../../x", "a//b", "/etc/passwd", "."):
        with pytest.raises(Invalid):
            store.put(key, b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_repository_lives_in_it(store: ObjectStore, tmp_path: Path) -> None:
    """Publish at the same time, move, fetch, damage, find the damage, go back, remove."""
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "big").write_bytes(os.urandom(9_000_000))
        (tmp_path / name / "name with ü").write_text(name)
        (tmp_path / name / "name with ü").chmod(0o755)
        (tmp_path / name / "empty").mkdir()
    models = Repository(store)
    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(lambda n: Repository(store).publish("photos", tmp_path / ("one" if n % 2 else "two")).version, range(8)))
    assert set(published[::2]) != set(published[1::2])
    assert models.versions("photos") == [1, 2]
    assert models.models() == ["photos"]
    for version in (1, 2):
        models.move_alias("photos", "stable", version)
    assert models.resolve("photos@stable").version == 2
    path = models.path("photos", 2, tmp_path / "cache")
    source = tmp_path / (path / "name with ü").read_text()
    assert (path / "inner" / "big").read_bytes() == (source / "inner" / "big").read_bytes()
    assert os.access(path / "name with ü", os.X_OK)
    assert os.listdir(path / "empty") == []
    assert models.verify("photos", 2) == []
    store.put("photos/2/inner/big", b"damaged")
    assert [problem.file for problem in models.verify("photos", 2)] == ["photos/2/inner/big"]
    assert models.rollback("photos", "stable") == 1
    models.remove("photos", 2)
    assert models.versions("photos") == [1]
    assert [entry["kind"] for entry in models.journal()] == ["published", "published", "alias", "alias", "alias", "removed"]
