"""Run as a script, `leash.py PARENT MEMORY ARGV…`: becomes ARGV, in such a way that it is killed when PARENT dies.

Between fork and exec a process that has threads may do next to nothing; a small script of its own may do what it likes.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 127


def main(parent: int, memory: int, argv: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return NOT_STARTED
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        os.execvp(argv[0], argv)
    except OSError as wrong:
        print(f"{argv[0]}: cannot be started: {wrong.strerror}", file=sys.stderr, flush=True)
        return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
