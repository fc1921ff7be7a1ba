"""How much was done, counted: what a test can say of speed on any machine, however busy it is."""

import sys
from collections.abc import Callable
from types import FrameType

from lykeion.core.content import uncollected


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, Python's and built-in ones, in this thread. What native code does inside of one is not seen."""
    made = 0

    def count(_frame: FrameType, event: str, _given: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before = sys.getprofile()
    with uncollected():  # a collection calls functions, too
        sys.setprofile(count)
        try:
            work()
        finally:
            sys.setprofile(before)
    return made
