"""Getting a version's files, and finding what is wrong with stored ones."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lykeion.core.models.manifest import Manifest
from lykeion.errors import Corrupt, NotFound
from lykeion.repository import Repository
from lykeion.repository.local_store import LocalStore
from lykeion.testing.storage import MemoryStore

FILES = {"index.json": b'{"format": 1}', "part-00000/rows.arrow": os.urandom(3_000_000), "empty": b""}


@pytest.fixture
def published(repository: Repository, folder) -> Repository:
    repository.publish("photos", folder(FILES))
    return repository


@pytest.fixture
def remote(folder) -> Repository:
    repository = Repository(MemoryStore())
    repository.publish("photos", folder(FILES))
    return repository


def test_a_version_is_a_folder_with_the_files(published: Repository, tmp_path: Path) -> None:
    path = published.path("photos", 1, tmp_path / "cache")
    for name, data in FILES.items():
        assert (path / name).read_bytes() == data
    assert (path / "MLmodel").exists()
    assert Manifest.from_bytes((path / "manifest.json").read_bytes(), "") == published.manifest("photos", 1)


def test_a_repository_on_this_machine_is_not_copied(folder, tmp_path: Path) -> None:
    repository = Repository(LocalStore(tmp_path / "repository"))
    repository.publish("photos", folder(FILES))
    assert repository.path("photos", 1, tmp_path / "cache") == tmp_path / "repository" / "photos" / "1"
    assert not (tmp_path / "cache").exists()


def test_what_was_published_on_this_machine_is_read_only(folder, tmp_path: Path) -> None:
    repository = Repository(LocalStore(tmp_path / "repository"))
    repository.publish("photos", folder(FILES))
    assert {file.stat().st_mode & 0o222 for file in (tmp_path / "repository" / "photos" / "1").rglob("*") if file.is_file()} == {0}
    assert list((tmp_path / "repository" / ".staging").iterdir()) == []


def test_a_download_happens_once(remote: Repository, tmp_path: Path) -> None:
    first = remote.path("photos", 1, tmp_path)
    remote.store.read = None  # type: ignore[method-assign]
    assert remote.path("photos", 1, tmp_path) == first


def test_many_who_want_the_same_download_share_it(remote: Repository, tmp_path: Path) -> None:
    read, count = remote.store.read, []

    def counting(key: str, start: int = 0):
        count.append(key)
        return read(key, start)

    remote.store.read = counting  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: remote.path("photos", 1, tmp_path), range(8)))
    assert len(paths) == 1
    assert len(count) == len(set(count))


@pytest.mark.parametrize("kept", [0, 1, 1_500_000, 3_000_000])
def test_an_interrupted_download_goes_on_where_it_stopped(remote: Repository, tmp_path: Path, kept: int) -> None:
    name = "part-00000/rows.arrow"
    partial = tmp_path / "photos" / ".1.partial" / name
    partial.parent.mkdir(parents=True)
    partial.write_bytes(FILES[name][:kept])
    read, starts = remote.store.read, {}

    def noting(key: str, start: int = 0):
        starts[key] = start
        return read(key, start)

    remote.store.read = noting  # type: ignore[method-assign]
    assert (remote.path("photos", 1, tmp_path) / name).read_bytes() == FILES[name]
    assert starts.get(f"photos/1/{name}", 3_000_000) == kept


def test_what_an_interrupted_download_left_damaged_is_loaded_again(remote: Repository, tmp_path: Path) -> None:
    partial = tmp_path / "photos" / ".1.partial"
    partial.mkdir(parents=True)
    (partial / "index.json").write_bytes(b"x" * len(FILES["index.json"]))
    (partial / "stray").write_bytes(b"x")
    path = remote.path("photos", 1, tmp_path)
    assert (path / "index.json").read_bytes() == FILES["index.json"]
    assert not (path / "stray").exists()


def test_damaged_bytes_are_not_delivered(remote: Repository, tmp_path: Path) -> None:
    remote.store.put("photos/1/index.json", b"x" * len(FILES["index.json"]))
    with pytest.raises(Corrupt, match=r"photos/1/index.json: its bytes are not those that were published"):
        remote.path("photos", 1, tmp_path)
    assert not (tmp_path / "photos" / "1").exists()
    remote.store.put("photos/1/index.json", FILES["index.json"])
    assert remote.path("photos", 1, tmp_path).is_dir()


def test_a_version_that_is_not_there_has_no_path(remote: Repository, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        remote.path("photos", 2, tmp_path)


def test_an_intact_version_has_no_problems(published: Repository) -> None:
    assert published.verify("photos", 1) == []


def test_every_damage_is_found_by_its_digest(published: Repository) -> None:
    store = published.store
    store.put("photos/1/index.json", FILES["index.json"][:-1] + b"!")
    store.put("photos/1/MLmodel", b"{}")
    store.delete(["photos/1/part-00000/rows.arrow"])
    store.put("photos/1/part-00000/extra", b"x")
    told = {problem.file: problem.message for problem in published.verify("photos", 1)}
    assert set(told) == {f"photos/1/{name}" for name in ("index.json", "MLmodel", "part-00000/rows.arrow", "part-00000/extra")}
    assert told["photos/1/index.json"].startswith("corrupted")
    assert told["photos/1/part-00000/rows.arrow"] == "missing"
    assert told["photos/1/part-00000/extra"] == "nobody published this file"


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"\xff\xfe", b'{"format": 1, "seal": "x"}', None])
def test_a_damaged_manifest_is_said_to_be_one(published: Repository, damage: bytes | None) -> None:
    whole = published.store.get("photos/1/manifest.json")
    published.store.put("photos/1/manifest.json", whole.replace(b'"size": 13', b'"size": 14') if damage is None else damage)
    with pytest.raises(Corrupt, match=r"photos/1/manifest.json"):
        published.resolve("photos@1")
    assert len(published.verify("photos", 1)) == 1


def test_a_manifest_of_a_later_format_is_not_misread(published: Repository) -> None:
    whole = published.store.get("photos/1/manifest.json")
    published.store.put("photos/1/manifest.json", whole.replace(b'"format": 1', b'"format": 3'))
    with pytest.raises(Corrupt, match="install a newer one"):
        published.manifest("photos", 1)
