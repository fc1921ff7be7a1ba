"""The token of an install: made once, for its owner only, and never nothing."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lykeion.adapters.local.token import token_of
from lykeion.errors import Corrupt


def mode(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_the_token_is_made_once_for_its_owner_only(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        found = set(pool.map(lambda _: token_of(tmp_path), range(20)))
    (token,) = found
    assert len(token) >= 32
    assert mode(tmp_path / "token") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_token_that_is_there_is_kept_and_closed_to_others(tmp_path):
    (tmp_path / "token").write_text("mine\n")
    (tmp_path / "token").chmod(0o644)
    assert token_of(tmp_path) == "mine"
    assert mode(tmp_path / "token") == 0o600


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_token_which_anybody_could_show_is_refused_with_the_way_out(tmp_path, text):
    (tmp_path / "token").write_text(text)
    with pytest.raises(Corrupt, match="empty; remove it"):
        token_of(tmp_path)
