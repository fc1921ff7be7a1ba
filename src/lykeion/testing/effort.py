"""How much was done, counted: what a test can say of speed on any machine, however busy it is."""

import gc
import sys
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls, Python's and built-in ones, in this thread. What native code does inside of one is not seen."""
    made = 0

    def count(_frame: FrameType, event: str, _given: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection calls functions, too
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return made
