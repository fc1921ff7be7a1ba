"""An engine in memory for each test."""

import pytest

from lykeion.testing.engine import InstantEngine


@pytest.fixture
def engine() -> InstantEngine:
    return InstantEngine()
