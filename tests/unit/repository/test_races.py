"""Sixteen processes at once, and processes that are killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lykeion.repository import Repository, open_repository


@pytest.fixture
def contents(tmp_path: Path) -> Path:
    for n in range(8):
        (tmp_path / "contents" / str(n) / "inner").mkdir(parents=True)
        (tmp_path / "contents" / str(n) / "a").write_bytes(b"%d" % n * 1000)
        (tmp_path / "contents" / str(n) / "inner" / "big").write_bytes(os.urandom(500_000))
    return tmp_path / "contents"


@pytest.fixture
def models(tmp_path: Path) -> Repository:
    return open_repository(f"file://{tmp_path}/repository")


def run(what: str, models: Repository, contents: Path) -> list:
    script = Path(__file__).with_name("racers.py")
    argv = [sys.executable, str(script), what, str(models.store.root), str(contents)]
    return json.loads(subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout)


def test_create_only_put_has_one_winner_among_processes(models: Repository, contents: Path) -> None:
    won = run("create", models, contents)
    for n in range(30):
        winners = [worker for worker in range(16) if won[worker][n]]
        assert len(winners) == 1
        assert models.store.get(f"race/{n}") == b"%d" % winners[0]


def test_publishers_of_the_same_content_end_with_one_version(models: Repository, contents: Path) -> None:
    assert set(run("publish_same", models, contents)) == {1}
    assert models.versions("photos") == [1]
    assert models.verify("photos", 1) == []
    assert [entry["version"] for entry in models.journal()] == [1]


def test_publishers_of_different_contents_end_with_a_version_each(models: Repository, contents: Path) -> None:
    versions = run("publish_different", models, contents)
    assert versions[0::2] == versions[1::2]
    assert sorted(versions[0::2]) == list(range(1, 9)) == models.versions("photos")
    assert all(models.verify("photos", version) == [] for version in models.versions("photos"))
    assert sorted(entry["version"] for entry in models.journal()) == list(range(1, 9))


def test_each_move_that_was_expected_is_made_once(models: Repository, contents: Path) -> None:
    for n in (0, 1):
        models.publish("photos", contents / str(n))
    models.move_alias("photos", "stable", 1)
    made = run("move", models, contents)
    history = models.history("photos", "stable")
    assert len(history) == 1 + sum(len(each) for each in made)
    assert [move.n for move in history] == list(range(1, len(history) + 1))
    assert all(move.version == 1 + n % 2 for n, move in enumerate(history))
    assert len(models.journal()) == 2 + len(history)


def test_a_publisher_that_is_killed_leaves_nothing_half(models: Repository, contents: Path) -> None:
    seen = run("killed", models, contents)
    for n in range(4):
        manifest = models.publish("photos", contents / str(n))
        assert models.verify("photos", manifest.version) == []
    assert len(models.versions("photos")) == 4
    assert max(models.versions("photos")) <= 4
    assert [] in seen or len(seen[0]) <= 1
