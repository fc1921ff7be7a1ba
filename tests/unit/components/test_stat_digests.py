"""A digest is remembered only while nothing about the file says that it changed."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.components.stat_digests import REST_NS, Stat, StatDigests


def remembered(folder: Path, file: Path) -> StatDigests:
    """A cache that has seen `file`, which has rested long enough."""
    first = StatDigests(folder / "cache.arrow")
    first.seen[str(file)] = (Stat.of(file.stat()), sha256(file.read_bytes()).digest())
    first.save()
    return StatDigests(folder / "cache.arrow")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    return path


def test_a_digest_is_that_of_the_bytes(tmp_path: Path, file: Path) -> None:
    assert StatDigests(tmp_path / "cache.arrow").digest(str(file)) == sha256(b"content").digest()


def test_an_unchanged_file_is_known_without_reading(tmp_path: Path, file: Path) -> None:
    cache = remembered(tmp_path, file)
    assert cache.known(str(file), Stat.of(file.stat())) == sha256(b"content").digest()


@pytest.mark.parametrize("field", Stat._fields)
def test_any_difference_in_stat_means_reading(tmp_path: Path, file: Path, field: str) -> None:
    stat = Stat.of(file.stat())
    assert remembered(tmp_path, file).known(str(file), stat._replace(**{field: getattr(stat, field) + 1})) is None


def test_content_changed_behind_an_old_mtime_is_noticed(tmp_path: Path, file: Path) -> None:
    cache = remembered(tmp_path, file)
    before = file.stat()
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache.digest(str(file)) == sha256(b"CONTENT").digest()


def test_a_replaced_file_is_noticed(tmp_path: Path, file: Path) -> None:
    cache = remembered(tmp_path, file)
    other = tmp_path / "b"
    other.write_bytes(b"another")
    os.replace(other, file)
    assert cache.digest(str(file)) == sha256(b"another").digest()


def test_a_file_that_was_just_written_is_not_remembered_yet(tmp_path: Path, file: Path) -> None:
    stat = Stat.of(file.stat())
    newest = max(stat.mtime, stat.ctime)
    assert not stat.rested(newest + REST_NS)
    assert stat.rested(newest + REST_NS + 1)


def test_a_damaged_cache_is_an_empty_one(tmp_path: Path, file: Path) -> None:
    remembered(tmp_path, file)
    (tmp_path / "cache.arrow").write_bytes(b"junk")
    assert StatDigests(tmp_path / "cache.arrow").before == {}


def test_files_that_are_gone_are_forgotten(tmp_path: Path, file: Path) -> None:
    cache = remembered(tmp_path, file)
    cache.save()
    assert StatDigests(tmp_path / "cache.arrow").before == {}


def test_a_missing_file_is_the_callers_to_handle(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StatDigests(tmp_path / "cache.arrow").digest(str(tmp_path / "none"))
