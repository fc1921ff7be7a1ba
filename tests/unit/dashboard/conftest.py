"""A platform with an empty home."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from dashboard_calls import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    (tmp_path / "documents").mkdir()
    return Platform(tmp_path)
