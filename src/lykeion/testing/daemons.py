"""Daemons that run containers, for tests: each in a short folder of its own, of which nothing is left, not even a mount."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from lykeion.errors import Unavailable
from lykeion.testing.servers import until

CONTAINERD, NERDCTL = "containerd-v2.4.2", "nerdctl-v2.1.2"  # folders of programs, as scripts/containerd makes them
SECONDS = 60.0
NOT_NEEDED = ("cri.v1.runtime", "cri.v1.images", "grpc.v1.cri", "nri.v1.nri")  # plugins that are for Kubernetes


@contextmanager
def running(own: Path, command: Sequence[str], asking: Sequence[str], env: Mapping[str, str]) -> Iterator[None]:
    """A daemon in the folder `own`, from when `asking` succeeds. Raises Unavailable where it cannot run here."""
    told = {**os.environ, **env}
    with (own / "log").open("wb") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, env=told)

    def answers() -> bool:
        if daemon.poll() is not None:
            raise Unavailable(f"{command[0]} does not run here: {(own / 'log').read_text().strip().splitlines()[-1:]}")
        return subprocess.run(asking, capture_output=True, check=False, env=told).returncode == 0

    try:
        until(answers, SECONDS, command[0])
        yield
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(SECONDS)
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if (place := line.split()[1]).startswith(f"{own}/"):
                subprocess.run(["umount", place], check=True)
        shutil.rmtree(own)


def folder() -> Path:
    return Path(mkdtemp(prefix="lykeion-d-", dir="/tmp"))  # the path of a socket may have 107 characters


@contextmanager
def docker() -> Iterator[Mapping[str, str]]:
    """What the environment of docker holds, for a daemon that touches nothing of the machine's network."""
    own = folder()
    env = {"DOCKER_HOST": f"unix://{own}/sock", "DOCKER_CONFIG": str(own)}
    command = ["dockerd", "--data-root", f"{own}/data", "--exec-root", f"{own}/exec", "--pidfile", f"{own}/pid", "-H", env["DOCKER_HOST"]]
    with running(own, [*command, "--iptables=false", "--ip-forward=false", "--bridge=none"], ["docker", "info"], env):
        yield env


@contextmanager
def containerd(programs: Path, *others: Path) -> Iterator[Mapping[str, str]]:
    """What the environment of ctr and nerdctl holds. `programs`: the folder of containerd, its shim and ctr; `others` of more."""
    own = folder()
    told = {"version": 3, "root": f"{own}/root", "state": f"{own}/state", "oom_score": 0}
    told["disabled_plugins"] = [f"io.containerd.{name}" for name in NOT_NEEDED]
    (own / "config.toml").write_text(f'{toml(told)}[grpc]\naddress = "{own}/sock"\n')
    (own / "nerdctl.toml").write_text(toml({"address": f"{own}/sock", "data_root": f"{own}/data", "cni_netconfpath": f"{own}/cni"}))
    env = {
        "CONTAINERD_ADDRESS": f"{own}/sock",
        "NERDCTL_TOML": f"{own}/nerdctl.toml",
        "PATH": ":".join([*map(str, (programs, *others)), os.environ["PATH"], "/usr/sbin"]),
    }
    with running(own, [f"{programs}/containerd", "-c", f"{own}/config.toml"], [f"{programs}/ctr", "version"], env):
        yield env


def toml(told: Mapping[str, object]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())
