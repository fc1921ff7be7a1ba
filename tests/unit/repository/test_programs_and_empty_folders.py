"""A version is the folder that was published: programs can be run, and folders are there though nothing lies in them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lykeion.adapters.volume.seal import seal_output
from lykeion.core.content import FileDigest, digest_of_files, digest_of_value, empty_folder
from lykeion.core.models.manifest import Manifest
from lykeion.errors import Corrupt
from lykeion.repository import Repository
from lykeion.repository.local_store import LocalStore
from lykeion.testing.storage import MemoryStore

SCRIPT = b"#!/bin/sh\necho it ran\n"


@pytest.fixture
def tools(folder) -> Path:
    """A folder with a program, a text, and folders in which nothing lies."""
    root = folder({"bin/s.sh": SCRIPT, "s.txt": SCRIPT})
    (root / "bin" / "s.sh").chmod(0o755)
    (root / "assets" / "icons").mkdir(parents=True)
    return root


def assert_as_published(version: Path) -> None:
    assert subprocess.run([version / "bin" / "s.sh"], capture_output=True, text=True, check=True).stdout == "it ran\n"
    assert not (version / "s.txt").stat().st_mode & 0o111
    assert os.listdir(version / "assets" / "icons") == []


def test_a_version_has_its_programs_and_empty_folders_wherever_it_is_kept(repository: Repository, tools, tmp_path: Path) -> None:
    manifest = repository.publish("tools", tools)
    assert manifest.folders == ("assets/icons",)
    assert repository.manifest("tools", 1) == manifest
    assert_as_published(repository.path("tools", 1, tmp_path / "cache"))
    assert repository.verify("tools", 1) == []


def test_a_sealed_output_is_published_under_its_own_digest(repository: Repository, tools, tmp_path: Path) -> None:
    digest = digest_of_files(file.digest for file in seal_output(str(tools)))
    assert repository.publish("tools", tools, digest=digest).digest == digest
    assert_as_published(repository.path("tools", 1, tmp_path / "cache"))


@pytest.mark.parametrize("change", [lambda root: (root / "bin" / "s.sh").chmod(0o644), lambda root: (root / "assets" / "icons").rmdir()])
def test_without_the_bit_or_the_folder_it_is_other_content(repository: Repository, tools, change) -> None:
    first = repository.publish("tools", tools)
    change(tools)
    second = repository.publish("tools", tools)
    assert (second.version, second.digest == first.digest) == (2, False)


def test_a_version_without_them_is_written_as_earlier_versions_of_lykeion_read_it(repository: Repository, folder) -> None:
    repository.publish("plain", folder({"a/b.txt": b"x"}))
    raw = json.loads(repository.store.get("plain/1/manifest.json"))
    assert raw["format"] == 1
    assert "folders" not in raw
    assert {name for file in raw["files"] for name in file} == {"path", "size", "sha256", "layer"}
    assert {name for file in raw["attached"] for name in file} == {"path", "size", "sha256"}


def test_a_version_with_them_is_not_misread_by_an_earlier_lykeion(repository: Repository, tools) -> None:
    repository.publish("tools", tools)
    assert json.loads(repository.store.get("tools/1/manifest.json"))["format"] == 2


def test_an_output_that_was_sealed_without_its_empty_folders_can_still_be_published(repository: Repository, tools) -> None:
    sealed_before = digest_of_files(file.digest for file in seal_output(str(tools)) if file.sha256)
    manifest = repository.publish("tools", tools, digest=sealed_before)
    assert (manifest.digest, manifest.folders) == (sealed_before, ())


def test_other_files_are_refused_also_where_there_are_empty_folders(repository: Repository, tools) -> None:
    with pytest.raises(Corrupt, match="is not what was to be published"):
        repository.publish("tools", tools, digest="sha256:" + "0" * 64)


def test_a_removed_version_leaves_no_empty_folder(tools, tmp_path: Path) -> None:
    repository = Repository(LocalStore(tmp_path / "repository"))
    repository.publish("tools", tools)
    repository.remove("tools", 1)
    assert not (tmp_path / "repository" / "tools" / "1").exists()


def test_what_is_lost_of_them_is_found(tools, tmp_path: Path) -> None:
    repository = Repository(LocalStore(tmp_path / "repository"))
    repository.publish("tools", tools)
    version = tmp_path / "repository" / "tools" / "1"
    (version / "bin" / "s.sh").chmod(0o444)
    (version / "assets" / "icons").rmdir()
    assert [(problem.file, problem.message) for problem in repository.verify("tools", 1)] == [
        ("tools/1/assets/icons/", "missing"),
        ("tools/1/bin/s.sh", "it cannot be run, unlike when it was published"),
    ]


@pytest.mark.parametrize("folder_of_it", ["../out", "/etc", "a//b", "a/"])
def test_a_folder_that_leads_out_of_the_version_is_refused(tools, folder_of_it: str) -> None:
    repository = Repository(MemoryStore())
    manifest = repository.publish("tools", tools)
    raw = manifest.to_json() | {"folders": [folder_of_it]}
    with pytest.raises(Corrupt, match="leads out of the version"):
        Manifest.from_bytes(sealed(raw), "here")


def sealed(raw: dict[str, Any]) -> bytes:
    """A manifest that somebody wrote with care, whose digests all fit."""
    files = [FileDigest(f["path"], f["size"], f["sha256"], f.get("executable", False)) for f in raw["files"]]
    digest = digest_of_files([*files, *map(empty_folder, raw["folders"])])
    raw = {**raw, "digest": digest}
    return json.dumps({**raw, "seal": digest_of_value(raw)}).encode()
