"""The folder's helpers; three versions of a family, each other items, made once."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

sys.path.append(str(Path(__file__).parent))

from lykeion.testing.families import write_family


@pytest.fixture(scope="session")
def shops(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """`volume`, and `families`: three versions in one space; the second shows its items by other pictures, the third has more items."""
    volume = tmp_path_factory.mktemp("volume")
    families = [write_family(volume, version, items, seed=version) for version, items in ((1, 12), (2, 12), (3, 20))]
    return SimpleNamespace(volume=volume, families=families, first=families[0])


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short name: the path of a Unix socket may have 107 characters."""
    with TemporaryDirectory(prefix="lk") as folder:
        yield Path(folder)
