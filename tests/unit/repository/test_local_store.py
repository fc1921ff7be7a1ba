"""What only a folder can do wrong."""

import errno
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from lykeion.errors import Refused, Unavailable
from lykeion.repository.local_store import LocalStore


def test_what_killed_writers_left_is_swept_after_a_day(tmp_path: Path) -> None:
    staging = tmp_path / ".staging"
    staging.mkdir()
    for name, age in (("old", 90_000), ("new", 80_000)):
        (staging / name).write_bytes(b"x")
        os.utime(staging / name, (time.time() - age,) * 2)
    LocalStore(tmp_path).put("a", b"1")
    assert [left.name for left in staging.iterdir()] == ["new"]


def test_a_file_that_nobody_writes_to_becomes_an_object_without_a_copy(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    sealed = tmp_path / "sealed"
    sealed.write_bytes(bytes(1 << 20))
    sealed.chmod(0o444)
    assert store.adopt("a/weights", sealed)
    there = store.file("a/weights")
    cloned = there.stat().st_ino != sealed.stat().st_ino
    assert cloned or sealed.stat().st_nlink == 2
    assert there.stat().st_mode & 0o777 == 0o444
    assert list((tmp_path / "store/.staging").iterdir()) == []


def test_a_file_that_somebody_may_write_to_does_not_share_its_bytes(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    open_to_all = tmp_path / "weights"
    open_to_all.write_bytes(b"first")
    if store.adopt("a", open_to_all):  # this file system can clone
        open_to_all.write_bytes(b"other")
        assert store.get("a") == b"first"
    else:
        assert list(store.list("")) == []


def test_a_second_name_that_is_being_placed_is_not_swept_for_the_files_age(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(b"x")
    os.utime(old, (0, 0))
    beside = tmp_path / "store/.staging/beside"
    beside.parent.mkdir(parents=True)
    os.link(old, beside)
    LocalStore(tmp_path / "store").put("a", b"1")
    assert beside.exists()
    old.unlink()
    LocalStore(tmp_path / "store").put("b", b"1")
    assert not beside.exists()


def test_what_is_being_written_is_not_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    def chunks():
        yield b"half"
        assert list(store.list("")) == []
        assert list(store.names("")) == []

    store.upload("a", chunks())
    assert list(store.list("")) == [("a", 4)]


def test_a_key_that_runs_through_a_file_is_said_to_be_unusable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    for write in (store.put, store.create):
        with pytest.raises(Unavailable, match="cannot write"):
            write("a/b", b"2")
    assert store.get("a") == b"1"


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, Refused), (errno.EROFS, Refused), (errno.EPERM, Refused), (errno.ENOSPC, Unavailable), (errno.EIO, Unavailable)],
)
def test_what_will_not_go_better_next_time_is_told_from_what_may_pass(tmp_path: Path, monkeypatch, number: int, kind: type) -> None:
    def write_all(handle: int, data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    store = LocalStore(tmp_path)
    monkeypatch.setattr("lykeion.repository.local_store.write_all", write_all)
    with pytest.raises(Unavailable, match="cannot write to") as told:
        store.put("a", b"1")
    assert type(told.value) is kind
    assert list(store.list("")) == []


def test_a_folder_that_nobody_may_write_to_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="Not a directory"):
        LocalStore(tmp_path / "file").put("a", b"1")


def test_folders_go_when_they_are_empty_but_never_the_root(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    for key in ("a/b/c", "a/d", "e"):
        store.put(key, b"1")
    store.delete(["a/b/c"])
    assert sorted(store.names("a")) == ["d"]
    store.delete(["a/d", "e", "a/nothing"])
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == [".staging"]


def test_replacing_an_object_leaves_readers_what_they_opened(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"old")
    reading = (tmp_path / "a").open("rb")
    store.put("a", b"new")
    with reading:
        assert reading.read() == b"old"
    assert store.get("a") == b"new"


@pytest.mark.parametrize("chunk", [1_000, 30_000, 1_000_000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, chunk: int) -> None:
    """A limit on the size of files stands in for it: the write fails in the middle."""
    store = LocalStore(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(Unavailable, match="File too large"):
            store.upload("a", (b"x" * chunk for _ in range(1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(store.list("")) == []
    assert list((tmp_path / ".staging").iterdir()) == []


def test_what_the_source_of_an_upload_raises_is_not_blamed_on_the_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with pytest.raises(FileNotFoundError):
        store.upload("a", (Path(tmp_path, name).read_bytes() for name in ["nowhere"]))
    assert list((tmp_path / ".staging").iterdir()) == []
