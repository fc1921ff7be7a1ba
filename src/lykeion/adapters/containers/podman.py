"""Containers by podman, each with a store of its own that goes with the step: nothing is kept between them, and nothing is pulled.

Podman is given the unpacked root file system. Its monitor and the container's first process are descendants of the step, so the step's
parent finds and ends them as it does with all orphans of steps.
"""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from resource import RLIMIT_NOFILE, RLIMIT_NPROC, getrlimit
from shutil import which
from typing import NoReturn

from lykeion.adapters.containers.launch import MOST, MOUNTS, SHM_BYTES, TMP_BYTES, Launch, bind
from lykeion.adapters.containers.mounts import private_mounts, unmount
from lykeion.adapters.containers.trial import tried

HYBRID = "/sys/fs/cgroup/unified"  # crun refuses to run where cgroups have two versions; it does not look further than this


class Podman:
    """See `Runtime`."""

    name = "podman"

    def unfit(self) -> str:
        if which("podman") is None:
            return "podman is not installed (apt install podman)"
        return tried(self)

    def held(self, launch: Launch) -> AbstractContextManager[None]:  # noqa: ARG002 (it has to hold nothing)
        return nullcontext()

    def become(self, launch: Launch) -> NoReturn:
        settings = launch.scratch / "containers.conf"
        launch.scratch.mkdir(mode=0o700)
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
    said = {name: hard if 0 < hard < MOST else MOST for name, hard in most.items()} | ({"data": launch.each} if launch.each else {})
    return [f"--ulimit={name}={value}:{value}" for name, value in said.items()]


def user(launch: Launch) -> list[str]:
    """Root starts it as the user that it names; everybody else is that user in it, and himself outside."""
    mapped = [] if os.geteuid() == 0 else [f"--userns=keep-id:uid={launch.user},gid={launch.group}"]
    return [*mapped, "--user", f"{launch.user}:{launch.group}"]
