"""Files as people get them wrong, each with the whole of what it is answered beside it (`NAME.expected`).

To see what a changed message looks like everywhere: REWRITE_EXPECTED=1 pytest tests/scenarios/test_bad_yaml.py, then read the diff.
"""

import os
import time
from pathlib import Path

import pytest

from lykeion.core.resources.parse import parse
from lykeion.errors import Invalid

FILES = sorted((Path(__file__).parent / "bad-yaml").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bad_file_is_answered_with_everything_that_is_wrong_in_it(path):
    start = time.process_time()
    with pytest.raises(Invalid) as raised:
        parse(path.read_text(), path.name)
    assert time.process_time() - start < 2.0
    answer = f"{raised.value}\n"
    expected = path.with_suffix(".expected")
    if os.environ.get("REWRITE_EXPECTED"):
        expected.write_text(answer)
    assert answer == expected.read_text()


def test_every_problem_says_its_file_and_line():
    for path in FILES:
        with pytest.raises(Invalid) as raised:
            parse(path.read_text(), path.name)
        lines = path.read_text().count("\n") + 1
        assert all(problem.file == path.name and 1 <= problem.line <= lines for problem in raised.value.problems)
