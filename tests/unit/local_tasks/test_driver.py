"""Who moves the Trainings of a home on, as the lock on its steps tells."""

import pytest

from lykeion.adapters.local.driver import ALL, driver, why_idle
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock


@pytest.fixture
def home(tmp_path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ({"moves": ALL}, {"mine": "", "yours": ""}),
        ({"moves": "mine"}, {"mine": "", "yours": "it waits for lykeion up"}),
        ({"moves": ""}, {"mine": "it waits for lykeion up", "yours": "it waits for lykeion up"}),
        ({}, {"mine": "", "yours": ""}),  # one that does not say may move anything
    ],
)
def test_a_training_is_moved_by_who_moves_all_or_this_one(home, notes, told):
    with Lock(home.locks / "tasks", "lykeion up", **notes):
        for name, begin in told.items():
            assert why_idle(driver(home), name).startswith(begin)
            assert bool(why_idle(driver(home), name)) == bool(begin)


def test_a_lock_that_nobody_holds_drives_nothing_whatever_it_says(home):
    (home.locks / "tasks").write_text('{"what": "lykeion up", "pid": 1, "moves": "*"}')
    assert driver(home) is None
    assert why_idle(None, "mine").startswith("nobody runs it: lykeion up does, lykeion cancel mine ends it")


@pytest.mark.parametrize("text", ["", "[]", "no json", '{"moves": 5}', "\xff"])
def test_what_cannot_be_read_of_a_holder_is_no_error(home, text):
    with Lock(home.locks / "tasks", "lykeion up"):
        (home.locks / "tasks").write_bytes(text.encode("latin-1"))
        found = driver(home)
        assert (found.who, found.drives("mine")) == ("another process", True)
