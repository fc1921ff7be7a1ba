"""Containers by bubblewrap (`bwrap`): namespaces that an ordinary user may make, without a daemon and without state.

Its first process has the whole container below it and dies with whoever started it, so nothing can be left over.

A process whose user is the machine's root keeps root's rights over /proc/sys even in a user namespace and without any capability: bwrap
alone lets it set the kernel's `core_pattern`, and so run code outside. Where this process is root it therefore becomes somebody else
for good before it starts bwrap; what that user may not reach is mounted where it may, in a mount namespace that nobody else sees.
"""

import os
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from resource import RLIMIT_DATA, setrlimit
from shutil import which
from typing import NoReturn

from lykeion.adapters.containers.launch import MOUNTS, NOBODY, SHM_BYTES, TMP_BYTES, Launch, Mount
from lykeion.adapters.containers.mounts import mount, private_mounts
from lykeion.adapters.local.containment import die_with

MS_BIND = 0x1000
REACHABLE = "/mnt"  # there on every Linux; in our mount namespace it holds what is mounted
HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")  # for those that have a network
SECONDS = 10.0
ALWAYS = ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--cap-drop", "ALL")


class Bubblewrap:
    """See `Runtime`."""

    name = "bubblewrap"

    def unfit(self) -> str:
        program = which("bwrap")
        if program is None:
            return "bwrap is not installed (apt install bubblewrap)"
        command = [program, *ALWAYS, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        try:
            tried = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/", **as_nobody)  # type: ignore[call-overload]
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap cannot be started: {error}"
        if tried.returncode:
            return f"bwrap: {tried.stderr.strip()} (allow ordinary users to make user namespaces)"
        return ""

    def held(self, launch: Launch) -> AbstractContextManager[None]:  # noqa: ARG002 (it has to hold nothing)
        return nullcontext()

    def become(self, launch: Launch) -> NoReturn:
        program = which("bwrap")
        if program is None:
            raise FileNotFoundError("bwrap is not installed any more")
        parent = os.getppid()
        if os.geteuid() == 0:
            launch = reachable(launch)
            os.setgroups([])
            os.setgid(launch.group)
            os.setuid(launch.user)
            die_with(parent)  # changing the user has taken it away
        if launch.each:
            setrlimit(RLIMIT_DATA, (launch.each, launch.each))
        told = os.memfd_create("options", 0)  # an environment may hold secrets, and everybody can read a command line
        os.write(told, b"".join(os.fsencode(word) + b"\0" for word in options(launch)))
        os.lseek(told, 0, os.SEEK_SET)
        os.execv(program, ["bwrap", "--args", str(told), "--", *launch.argv])


def options(launch: Launch) -> list[str]:
    """Everything but the command."""
    given = [*ALWAYS, "--uid", str(launch.user), "--gid", str(launch.group), "--hostname", "step", "--ro-bind", str(launch.rootfs), "/"]
    given += ["--proc", "/proc", "--dev", "/dev", *tmpfs("/dev/shm", SHM_BYTES), "--remount-ro", "/dev", *tmpfs("/tmp", TMP_BYTES)]
    if launch.network:
        given += ["--share-net", *(word for file in HOST_FILES for word in ("--ro-bind-try", file, file))]
    given += ["--tmpfs", MOUNTS]
    for one in launch.mounts:
        given += ["--bind" if one.writable else "--ro-bind", one.source, one.target]
    given += ["--remount-ro", MOUNTS, "--chdir", launch.folder, "--clearenv"]
    for name, value in launch.env.items():
        given += ["--setenv", name, value]
    return given


def tmpfs(place: str, size: int) -> Sequence[str]:
    return ("--size", str(size), "--tmpfs", place)


def reachable(launch: Launch) -> Launch:
    """The same with sources that anybody may reach, in a mount namespace of this process. Raises OSError."""
    private_mounts()
    mount("tmpfs", REACHABLE, kind="tmpfs", options="mode=755,size=1m")
    rootfs = Mount(str(launch.rootfs), "/")
    moved = [brought(each, f"{REACHABLE}/{number}") for number, each in enumerate((rootfs, *launch.mounts))]
    return replace(launch, rootfs=Path(moved[0].source), mounts=tuple(moved[1:]))


def brought(given: Mount, place: str) -> Mount:
    if os.path.isdir(given.source):
        os.mkdir(place)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_CLOEXEC, 0o644))
    mount(given.source, place, MS_BIND)
    return replace(given, source=place)
