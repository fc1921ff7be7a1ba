"""The names that runs get: `<pipeline>-<n>` for a new one, `<training>-r<n>` for one that is run again; at most 40 characters."""

import re
from collections.abc import Collection

from lykeion.core.resources.metadata import LONGEST_NAME

DIGITS = 9  # of the largest number that is counted on from


def training_name(pipeline: str, taken: Collection[str]) -> str:
    """The next free name of a run of `pipeline`: numbers go on from the highest one."""
    return numbered(pipeline, "-", taken)


def rerun_name(training: str, taken: Collection[str]) -> str:
    """The next free name of a re-run; running a re-run again counts on, it does not stack."""
    return numbered(re.sub(r"-r\d+$", "", training), "-r", taken)


def numbered(stem: str, mark: str, taken: Collection[str]) -> str:
    stem = stem[: LONGEST_NAME - len(mark) - DIGITS].rstrip("-")
    pattern = re.compile(re.escape(stem + mark) + rf"([0-9]{{1,{DIGITS}}})")
    highest = max((int(found[1]) for name in taken if (found := pattern.fullmatch(name))), default=0)
    return f"{stem}{mark}{highest + 1}"
