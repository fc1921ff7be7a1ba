from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lykeion.repository import Repository
from lykeion.repository.local_store import LocalStore
from lykeion.testing.storage import MemoryStore

START = datetime(2026, 11, 1, tzinfo=UTC)


class Ticking:
    """A clock that goes on one second at each look."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def folder(tmp_path: Path):
    """Makes folders with the files that it is told."""

    def make(files: Mapping[str, bytes], name: str = "payload") -> Path:
        root = tmp_path / name
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        return root

    return make


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    return MemoryStore() if request.param == "memory" else LocalStore(tmp_path / "repository")


@pytest.fixture
def repository(store) -> Repository:
    return Repository(store, Ticking())
