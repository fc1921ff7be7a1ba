"""Where a test may kill a process: the few points at which a crash is interesting."""

import os
import signal

VARIABLE = "LYKEION_CRASH_AT"


def point(name: str) -> None:
    """Kill this process here, like `kill -9`, where the environment names this point."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
