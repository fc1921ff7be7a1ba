"""Containers by podman, each with a store of its own that goes with the step: nothing is kept between them, and nothing is pulled.

Podman is given the unpacked root file system. Its monitor and the container's first process are descendants of the step, so the step's
parent finds and ends them as it does with all orphans of steps.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from resource import RLIMIT_NOFILE, RLIMIT_NPROC, getrlimit
from shutil import rmtree, which
from tempfile import mkdtemp
from typing import NoReturn

from lykeion.adapters.containers.launch import MOUNTS, NOBODY, SHM_BYTES, TMP_BYTES, Launch, Mount
from lykeion.adapters.containers.mounts import private_mounts, unmount

HYBRID = "/sys/fs/cgroup/unified"  # crun refuses to run where cgroups have two versions; it does not look further than this
MOST = 4096  # files, and processes, where there is no limit
NO_SUCH_COMMAND = 127  # podman's exit code when all went well but for the command, which was not there
PLACES = ("proc", "dev", "sys", "etc", "run", "tmp", "lykeion")


class Podman:
    """See `Runtime`."""

    name = "podman"

    def unfit(self) -> str:
        if which("podman") is None:
            return "podman is not installed (apt install podman)"
        folder = Path(mkdtemp(prefix="lykeion-"))
        try:
            for place in PLACES:
                (folder / "rootfs" / place).mkdir(parents=True)
            launch = Launch(folder / "rootfs", ("/nothing",), {}, (), NOBODY, NOBODY, "/", folder / "scratch")
            return self.tried(launch)
        finally:
            rmtree(folder, ignore_errors=True)

    def tried(self, launch: Launch) -> str:
        """Why it does not run this, which has no command that is there; "" where that was all."""
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            with suppress(OSError):
                os.dup2(writing, 2)
                self.become(launch)
            os._exit(1)
        os.close(writing)
        with os.fdopen(reading, errors="replace") as errors:
            said = errors.read()
        _, status = os.waitpid(process, 0)
        if os.waitstatus_to_exitcode(status) == NO_SUCH_COMMAND:
            return ""
        return f"podman: {(said.strip().splitlines() or ['it ended without a word'])[-1]}"

    def become(self, launch: Launch) -> NoReturn:
        settings = launch.scratch / "containers.conf"
        launch.scratch.mkdir(mode=0o700, exist_ok=True)
        settings.touch(0o600)
        settings.write_text(configuration(launch))
        if os.geteuid() == 0 and os.path.ismount(HYBRID):
            private_mounts()
            unmount(HYBRID)
        os.execvpe("podman", command(launch), {**os.environ, "CONTAINERS_CONF": str(settings)})


def configuration(launch: Launch) -> str:
    """Its containers.conf: in a file, for an environment may hold secrets, and everybody can read a command line."""
    env = json.dumps([f"{name}={value}" for name, value in launch.env.items()])
    return f'[containers]\nenv = {env}\nlog_driver = "none"\n[engine]\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n'


def command(launch: Launch) -> list[str]:
    scratch = launch.scratch
    given = ["podman", "--root", f"{scratch}/root", "--runroot", f"{scratch}/run", "--tmpdir", f"{scratch}/tmp", "--storage-driver", "vfs"]
    given += ["run", "--rm", "--rootfs", "--hostname", "step", "--no-hosts", "--cgroups=disabled", "--read-only", "--read-only-tmpfs=false"]
    given += [
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        f"--shm-size={SHM_BYTES}",
        f"--network={'host' if launch.network else 'none'}",
    ]
    given += [*limits(launch), *user(launch), "--workdir", launch.folder, "--tmpfs", f"/tmp:size={TMP_BYTES},mode=1777"]
    given += ["--mount", f"type=tmpfs,dst={MOUNTS},tmpfs-mode=755"]
    for mount in launch.mounts:
        given += ["--mount", bind(mount)]
    return [*given, "--entrypoint", "", str(launch.rootfs), *launch.argv]


def limits(launch: Launch) -> list[str]:
    """No more than this process has: podman would ask for more by itself, which not every root may give."""
    most = {"nofile": getrlimit(RLIMIT_NOFILE)[1], "nproc": getrlimit(RLIMIT_NPROC)[1]}
    said = {name: hard if 0 < hard < MOST else MOST for name, hard in most.items()} | ({"data": launch.memory} if launch.memory else {})
    return [f"--ulimit={name}={value}:{value}" for name, value in said.items()]


def user(launch: Launch) -> list[str]:
    """Root starts it as the user that it names; everybody else is that user in it, and himself outside."""
    mapped = [] if os.geteuid() == 0 else [f"--userns=keep-id:uid={launch.user},gid={launch.group}"]
    return [*mapped, "--user", f"{launch.user}:{launch.group}"]


def bind(mount: Mount) -> str:
    """As one line of CSV, which podman reads it as."""
    fields = ["type=bind", f"src={mount.source}", f"dst={mount.target}", *([] if mount.writable else ["ro"])]
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields)
