"""Files as people get them wrong, each with the whole of what it is answered beside it (`NAME.expected`).

To see what a changed message looks like everywhere: REWRITE_EXPECTED=1 pytest tests/scenarios/test_bad_yaml.py, then read the diff.
"""

import os
import random
from pathlib import Path

import pytest

from lykeion.core.resources.parse import parse, read
from lykeion.errors import Invalid

FILES = sorted((Path(__file__).parent / "bad-yaml").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bad_file_is_answered_with_everything_that_is_wrong_in_it(path):
    with pytest.raises(Invalid) as raised:
        parse(path.read_text(), path.name)
    answer = f"{raised.value}\n"
    expected = path.with_suffix(".expected")
    if os.environ.get("REWRITE_EXPECTED"):
        expected.write_text(answer)
    assert answer == expected.read_text()


PIECES = [
    " ",
    "\n",
    "\t",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "&a ",
    "*a ",
    "!x ",
    "${",
    "$",
    "5",
    "~",
    "|",
    "#",
    "\x00",
    "é",
    "name: ",
    "models:x@1",
]


def damaged(text: str, chance: random.Random) -> str:
    """The text with a few characters lost, put in, or copied from elsewhere in it."""
    letters = list(text)
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(letters)), chance.randrange(len(letters))
        match chance.randrange(3):
            case 0:
                del letters[at : at + chance.randint(1, 5)]
            case 1:
                letters.insert(at, chance.choice(PIECES))
            case 2:
                letters[at:at] = letters[other : other + chance.randint(1, 60)]
    return "".join(letters)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_read_or_answered_in_plain_words(seed):
    """What a slip of the hand makes of a good file: never a traceback, never a word of ours or of a library's."""
    good = (Path(__file__).parents[2] / "examples" / "photo-search" / "pipeline.yaml").read_text()
    chance = random.Random(seed)
    for _ in range(500):
        text = damaged(good, chance)
        for problem in read(text, "f.yaml").problems:
            assert problem.file == "f.yaml"
            assert 1 <= problem.line <= text.count("\n") + 1
            assert not any(
                word in str(problem) for word in ("stand-in", "Input should", "pydantic", "NoneType", "constrained", "function-")
            )


def test_every_problem_says_its_file_and_line():
    for path in FILES:
        with pytest.raises(Invalid) as raised:
            parse(path.read_text(), path.name)
        lines = path.read_text().count("\n") + 1
        assert all(problem.file == path.name and 1 <= problem.line <= lines for problem in raised.value.problems)
