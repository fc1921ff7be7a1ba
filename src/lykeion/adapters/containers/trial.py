"""Trying a runtime out: with a root that has nothing in it, all that may go wrong is that the command is not there."""

import os
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from lykeion.adapters.containers.launch import MOUNTS, NOBODY, Launch, Mount, Runtime, scratch_of

NO_SUCH_COMMAND = 127  # exit code of podman and docker when all went well but for that; nerdctl's is 1
ADVICE = ("Run '", "See '")  # docker's last line, which is about its options
PLACES = ("proc", "dev", "sys", "etc", "run", "tmp", "lykeion")


def tried(runtime: Runtime) -> str:
    """Why it does not run containers here; "" where it does. Its folders are new: a daemon of another machine does not see them."""
    folder = Path(mkdtemp(prefix="lykeion-", dir="/tmp"))
    rootfs, seen = folder / "nothing", folder / "seen"
    try:
        for place in (seen, *(rootfs / place for place in PLACES)):
            place.mkdir(parents=True)
        mounts = (Mount(str(seen), f"{MOUNTS}/seen"),)
        launch = Launch(rootfs, ("/nothing",), {}, mounts, NOBODY, NOBODY, "/", folder / "mark")
        return outcome(runtime, launch)
    finally:
        rmtree(scratch_of(folder / "mark"), ignore_errors=True)
        rmtree(folder, ignore_errors=True)


def outcome(runtime: Runtime, launch: Launch) -> str:
    """Raises LykeionError."""
    reading, writing = os.pipe()
    with runtime.held(launch):
        process = os.fork()
        if process == 0:
            with suppress(OSError):
                os.dup2(writing, 2)
                runtime.become(launch)
            os._exit(1)
        os.close(writing)
        with os.fdopen(reading, errors="replace") as errors:
            said = errors.read()
        _, status = os.waitpid(process, 0)
    if os.waitstatus_to_exitcode(status) == NO_SUCH_COMMAND or "stat /nothing: no such file" in said:
        return ""
    lines = [line for line in said.splitlines() if line and not line.startswith(ADVICE)]
    return f"{runtime.name}: {(lines or ['it ended without a word'])[-1]}"
