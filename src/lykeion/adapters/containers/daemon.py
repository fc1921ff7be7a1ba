"""Containers by docker or nerdctl: children of a daemon, which nobody's death ends, so that each is ended by asking for it.

Before one is started, a file `<home>/containers/<attempt>` says whose it is, and has a name from which its own follows; the file goes when
the container is known to be gone. It is ended by whoever of these lives: the step when its container is done, the parent of steps when the
step was killed, a guard when all of them were killed with their engine, and the next engine when the guard was killed too.
"""

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree, which
from typing import NoReturn

from lykeion.adapters.containers.launch import MOST, MOUNTS, SHM_BYTES, TMP_BYTES, Launch, bind, scratch_of
from lykeion.adapters.containers.trial import tried
from lykeion.errors import Unavailable

SECONDS = 30.0  # for an answer, and for the end of a container
LOOK_SECONDS = 0.5
SETTLE_SECONDS = 0.5  # a daemon may yet do what a client has asked for that was killed
LABEL = "lykeion"  # on each container
IMAGES = "lykeion/rootfs"  # what docker calls the roots that it was given
LONGEST_LINE = 60_000  # of a file of variables; docker reads up to 64 KiB
READ_BY_CLIENTS = ("DOCKER", "NERDCTL", "CONTAINERD", "HOME", "PATH", "TMP", "XDG_", "LD_", "GO", "SSL_", "HTTP", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Daemon:
    """See `Runtime`. `takes_folders`: it runs a folder as it is; else the folder is imported, once, as an image of one layer."""

    name: str
    takes_folders: bool
    remedy: str

    def unfit(self) -> str:
        if which(self.name) is None:
            return f"{self.name} is not installed ({self.remedy})"
        try:
            how = self.asked("info", "--format", "{{json .SecurityOptions}}")
            if "name=rootless" in how or "name=userns" in how:
                return f"{self.name} has other users than this machine, which could not write outputs (install bubblewrap or podman)"
            return tried(self)
        except Unavailable as error:
            return str(error)

    @contextmanager
    def held(self, launch: Launch) -> Iterator[None]:
        if not self.takes_folders:
            self.import_once(launch.rootfs)
        launch.mark.parent.mkdir(exist_ok=True)
        if launch.parent:
            guard(launch.mark, launch.parent)
        launch.mark.write_text(self.name)
        try:
            yield
        finally:
            end_marked(launch.mark)

    def become(self, launch: Launch) -> NoReturn:
        plain = {name: value for name, value in launch.env.items() if is_plain(value)}
        others = {name: value for name, value in launch.env.items() if name not in plain}
        if own := [name for name in others if name.upper().startswith(READ_BY_CLIENTS)]:
            raise OSError(f"{own[0]} has a value of several lines, which {self.name} would take for its own; use bubblewrap or podman")
        variables = launch.scratch / "variables"
        launch.scratch.mkdir(mode=0o700)
        variables.touch(0o600)
        variables.write_text("".join(f"{name}={value}\n" for name, value in plain.items()))
        os.execvpe(self.name, self.command(launch, variables, others), {**os.environ, **others})

    def command(self, launch: Launch, variables: Path, others: Mapping[str, str]) -> list[str]:
        """No variable's value is in it: everybody can read a command line."""
        given = [self.name, "run", "--rm", "--pull=never", "--name", launch.name, "--label", LABEL, "--log-driver=none", "--read-only"]
        given += [
            "--hostname=step",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
            f"--network={'host' if launch.network else 'none'}",
        ]
        given += [f"--shm-size={SHM_BYTES}", f"--pids-limit={MOST}", f"--ulimit=nofile={MOST}:{MOST}", *memory(launch)]
        given += ["--user", user(launch), "--workdir", launch.folder]
        given += ["--tmpfs", f"/tmp:exec,size={TMP_BYTES},mode=1777", "--tmpfs", f"{MOUNTS}:size=1m,mode=755"]
        given += [word for mount in launch.mounts for word in ("--mount", bind(mount))]
        given += ["--env-file", str(variables), *(word for name in others for word in ("--env", name))]
        root = ["--rootfs", str(launch.rootfs)] if self.takes_folders else [image(launch.rootfs)]
        return [*given, *root, *launch.argv]

    def end(self, name: str, killed: bool) -> None:
        """End a container, whatever state it is in, and wait until it is gone. `killed`: its client was. Raises Unavailable."""
        if killed and not self.asked("ps", "--quiet", "--filter", f"name={name}").strip():
            time.sleep(SETTLE_SECONDS)  # what is removed while it is being made leaves a part of it that nobody knows
        until = time.monotonic() + SECONDS
        while self.asked("ps", "--all", "--quiet", "--filter", f"name={name}").strip():
            if time.monotonic() > until:
                raise Unavailable(f"{self.name} does not end its container {name}")
            with suppress(Unavailable):  # somebody else is removing it
                self.asked("rm", "--force", name)

    def import_once(self, rootfs: Path) -> None:
        """Have an image of a root. It gets its name when all of it has arrived. Raises Unavailable, OSError."""
        with open(f"{rootfs}.{self.name}", "wb") as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)
            if self.asked("images", "--quiet", image(rootfs)).strip():
                return
            self.tidy(rootfs.parent)
            words = ["tar", "--owner=0", "--group=0", "--numeric-owner", "-C", str(rootfs), "-c", "."]
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as tar:
                imported = subprocess.run([self.name, "import", "-"], stdin=tar.stdout, stdout=subprocess.PIPE, text=True, check=False)
            if imported.returncode or tar.returncode:
                raise Unavailable(f"{self.name} could not import {rootfs}; what it or tar has printed says why")
            self.asked("tag", imported.stdout.strip(), image(rootfs))

    def tidy(self, roots: Path) -> None:
        """Remove the images of roots that `lykeion gc` has removed, and containers whose client was killed before they were there."""
        self.asked("container", "prune", "--force", "--filter", f"label={LABEL}", "--filter", "until=1h")
        for kept in roots.glob(f"*.{self.name}"):
            if not kept.with_suffix("").exists():
                with suppress(Unavailable):  # gone already, or another home uses it, too
                    self.asked("rmi", image(kept.with_suffix("")))
                kept.unlink(missing_ok=True)

    def asked(self, *words: str) -> str:
        """What it answers. Raises Unavailable."""
        try:
            ran = subprocess.run(
                [self.name, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{self.name} does not answer: {error}") from error
        if ran.returncode:
            raise Unavailable(f"{self.name}: {(ran.stderr.strip().splitlines() or ['it failed without a word'])[-1]}")
        return ran.stdout


DOCKER = Daemon("docker", takes_folders=False, remedy="apt install docker.io")
NERDCTL = Daemon("nerdctl", takes_folders=True, remedy="github.com/containerd/nerdctl has it; apt install bubblewrap does as well")
DAEMONS = {one.name: one for one in (DOCKER, NERDCTL)}


def guard(mark: Path, parent: int) -> None:
    """Fork who ends the container of `mark` when this process, what it starts next and `parent` are dead, and nobody has ended it."""
    reading, writing = os.pipe()
    theirs = os.pidfd_open(parent)
    if process := os.fork():
        os.setpgid(process, 0)  # from here, so that from now on it is not killed with the group of the step
        os.close(reading)
        os.close(theirs)
        os.set_inheritable(writing, True)  # the client has it too: as long as it lives it might start the container yet
        return
    try:
        os.close(writing)
        os.read(reading, 1)
        poll = select.poll()
        poll.register(theirs)
        while mark.exists() and not poll.poll(LOOK_SECONDS * 1000):
            pass
        end_left([mark])
    finally:
        os._exit(0)


def end_marked(mark: Path, killed: bool = False) -> None:
    """End the container that a file speaks of, remove what was kept for it, and the file. Raises Unavailable."""
    with suppress(FileNotFoundError):  # somebody else was faster
        runtime, scratch = mark.read_text(), scratch_of(mark)
        if runtime in DAEMONS:  # else it was not written to its end, and nothing was started
            DAEMONS[runtime].end(scratch.name, killed)
            rmtree(scratch, ignore_errors=True)  # with the values of its variables
        mark.unlink()


def end_left(marks: Iterable[Path]) -> None:
    """End what somebody has left. Where its daemon does not answer, the file stays for the next one who looks."""
    for mark in marks:
        try:
            end_marked(mark, killed=True)
        except Unavailable as error:
            print(error, file=sys.stderr, flush=True)


def image(rootfs: Path) -> str:
    return f"{IMAGES}:{rootfs.name}"


def memory(launch: Launch) -> list[str]:
    """Its own cgroup limits all of its processes together: it is in none of the step's."""
    return [f"--memory={launch.memory}", f"--memory-swap={launch.memory}"] if launch.memory else []


def user(launch: Launch) -> str:
    """Root has it run as the user that it names; everybody else as himself, so that what it makes is his."""
    return f"{launch.user}:{launch.group}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"


def is_plain(value: str) -> bool:
    """Whether a line of a file can carry it: what surrounds it is cut off there."""
    return value == value.strip() and "\n" not in value and "\r" not in value and len(os.fsencode(value)) < LONGEST_LINE
