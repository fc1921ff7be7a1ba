"""Nothing that a step starts outlives it: who is told when whom dies, and how those are found who slipped away.

* PR_SET_PDEATHSIG: a step dies with its parent, a parent with its engine.
* Its own process group and session: all that a step started and left there dies with it.
* PR_SET_CHILD_SUBREAPER on the parent: orphans of steps come to it, not to init, and are swept when their step ends.
* A token in the environment of all of them: what escaped all that is found in /proc.
"""

import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
HOME_TOKEN = "LYKEION_STEPS_OF"  # <home>:<number of the parent>: on parents and all that descends from them
STEP_TOKEN = "LYKEION_ATTEMPT"  # on the programs that a step starts
KILL_SECONDS = 10.0

libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Have this process killed when `parent` ends, at once where it ended already."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ended."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def kill_group(leader: int) -> None:
    """Kill and reap what is in the process group of a step that ended and is not reaped yet (so that its number is not taken again)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def reap_group(leader: int) -> None:
    """Wait until the rest of a killed group is really gone; orphans of it have come to this process."""
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-leader, 0)


def sweep(live: Iterable[int], attempts: Iterable[str]) -> None:
    """Kill the orphans that came to this process and belong to no `live` step: those outside its session that lack its token."""
    steps = set(live)
    tokens = [f"{STEP_TOKEN}={attempt}\0".encode() for attempt in attempts]
    again = True
    while again:
        again = False
        for child in children():
            if child not in steps and not belongs(child, steps, tokens):
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    again = True


def children() -> list[int]:
    """The children of this process. Read plainly: after each fork, the first use of anything costs a copy of its memory."""
    with open("/proc/thread-self/children", "rb", buffering=0) as file:
        return [int(child) for child in file.read().split()]


def belongs(process: int, steps: set[int], tokens: Iterable[bytes]) -> bool:
    """Whether a process is in the session of one of `steps`, or has one of the tokens."""
    try:
        if os.getsid(process) in steps:
            return True
        environment = Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return False
    return any(token in environment for token in tokens)


def tokened(token: str) -> list[int]:
    """The processes whose environment holds `token`; this one and those above it are left out."""
    wanted, found, above = token.encode(), [], ancestors()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in above:
            with suppress(OSError):
                if wanted in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
    return found


def ancestors() -> set[int]:
    """This process and those above it."""
    line, process = set(), os.getpid()
    while process > 0:
        line.add(process)
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def kill_tokened(token: str, seconds: float = KILL_SECONDS) -> bool:
    """Kill until none is left; False where some would not go in time."""
    end = time.monotonic() + seconds
    while found := tokened(token):
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def limit_address_space(more: int) -> None:
    """Let this process map `more` bytes beyond what it has mapped already (allocators reserve gigabytes ahead)."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more, mapped + more))
