"""Container runtimes as a user has them, each in folders of its own: images run offline, on a read-only root, as nobody, with no capability.

A runtime is `start(image, mounts, *words) -> the words of a command`; without words an image runs what it is made for.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from lykeion.adapters.containers.bubblewrap import Bubblewrap
from lykeion.adapters.containers.images import root_of
from lykeion.adapters.containers.podman import Podman
from lykeion.adapters.images.store import Store
from lykeion.testing import daemons

from .conftest import ROOT

CONTAINERD = ROOT / ".cache/bin" / daemons.CONTAINERD
NOBODY = 65532
HYBRID = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'  # crun refuses to run where cgroups have two versions


@dataclass(frozen=True)
class Mount:
    source: Path
    target: Path | str
    writable: bool = False


Start = Callable[..., list[str]]


def ran(*command: object) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done


def reachable(folder: Path) -> Path:
    """For others too: folders of pytest are closed to them, and a container is somebody else."""
    for above in (folder, *folder.parents):
        if "pytest-" in str(above):
            above.chmod(0o755)
    return folder


def given_away(folder: Path) -> Path:
    """To the user of our images."""
    ran("chown", "-R", f"{NOBODY}:{NOBODY}", reachable(folder))
    return folder


@contextmanager
def bubblewrap(store: Store, folder: Path, name: str) -> Iterator[Start]:
    """One image, unpacked into `folder`; it knows no entry point."""
    if reason := Bubblewrap().unfit():
        pytest.skip(reason)
    with root_of(store, folder, store.image(name)) as root:

        def start(image: str, mounts: Sequence[Mount], *words: str) -> list[str]:
            assert image == name
            shut = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--cap-drop", "ALL", "--clearenv"]
            seen = ["--ro-bind", root.folder, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/app"]
            seen += [word for one in mounts for word in ("--bind" if one.writable else "--ro-bind", one.source, one.target)]
            env = [word for item in root.env.items() for word in ("--setenv", *item)]
            command = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "bwrap", *shut, *seen, *env, "--", *words]
            return [str(word) for word in command]

        yield start


@contextmanager
def podman(*archives: Path) -> Iterator[Start]:
    if reason := Podman().unfit():
        pytest.skip(reason)
    own = Path(mkdtemp(prefix="podman-", dir="/tmp"))  # a runroot may have 50 characters
    base = ("podman", "--root", own / "root", "--runroot", own / "run", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs")

    def start(image: str, mounts: Sequence[Mount], *words: str) -> list[str]:
        shut = ("--network=none", "--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--read-only")
        shut += ("--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
        seen = [word for one in mounts for word in ("-v", f"{one.source}:{one.target}:{'rw' if one.writable else 'ro'}")]
        if not any(str(one.target) == "/tmp" for one in mounts):
            seen += ["--tmpfs", "/tmp"]
        apart = ("unshare", "-m", "--propagation", "private", "sh", "-c", HYBRID, "sh")
        entry = () if not words else ("--entrypoint", words[0])
        return [str(word) for word in (*apart, *base, "run", "--rm", *shut, *seen, *entry, f"localhost/{image}", *words[1:])]

    try:
        for archive in archives:
            ran(*base, "load", "-q", "-i", archive)
        yield start
    finally:
        subprocess.run([*base, "rmi", "--all", "--force"], capture_output=True, check=False)
        subprocess.run(["umount", own / "root" / "overlay"], capture_output=True, check=False)
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def containerd(*archives: Path) -> Iterator[Start]:
    """containerd and runc."""
    if not (CONTAINERD / "ctr").exists() or not shutil.which("runc"):
        pytest.skip("containerd and runc are not here (scripts/containerd brings them)")
    with daemons.containerd(CONTAINERD) as env:
        yield from clients(env["CONTAINERD_ADDRESS"], archives)


def clients(address: str, archives: Sequence[Path]) -> Iterator[Start]:
    ctr = (CONTAINERD / "ctr", "-a", address)
    numbers = iter(range(1000))

    def start(image: str, mounts: Sequence[Mount], *words: str) -> list[str]:
        drops = [word for name in given_by_containerd() for word in ("--cap-drop", name)]
        shown = [f"type=bind,src={one.source},dst={one.target},options=rbind:{'rw' if one.writable else 'ro'}" for one in mounts]
        if not any(str(one.target) == "/tmp" for one in mounts):
            shown.insert(0, "type=tmpfs,src=tmpfs,dst=/tmp,options=nosuid:nodev:mode=1777")
        seen = [word for mount in shown for word in ("--mount", mount)]
        return [str(word) for word in (*ctr, "run", "--rm", "--read-only", *drops, *seen, image, f"c-{next(numbers)}", *words)]

    for archive in archives:
        ran(*ctr, "images", "import", archive)
    yield start


def given_by_containerd() -> list[str]:
    names = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    return [f"CAP_{name}" for name in names.split()]
