"""The folder's helpers, and its fixture."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from gateway_workers import Place


@pytest.fixture
def place() -> Iterator[Place]:
    """A folder with a short name: the path of a Unix socket may have 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="gw"))
    yield Place(folder)
    shutil.rmtree(folder)
