"""The training image of photo search really runs: without a network, on a read-only root, as nobody, with no capability. And a step is
the same wherever it ran: what the image has made is a hit for this machine, and what this machine has made is one for the image.

By bubblewrap, podman, and containerd with runc. Needs root, apt and an index of Python packages; skipped with the reason where one is
missing.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from lykeion.adapters.containers.bubblewrap import Bubblewrap
from lykeion.adapters.containers.images import root_of
from lykeion.adapters.containers.podman import Podman
from lykeion.adapters.images.store import Store

from .conftest import PHOTO_SEARCH, ROOT, command_line, draw_catalogue, wait

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),  # the image is built, and unpacked by each runtime
    pytest.mark.skipif(os.geteuid() != 0, reason="podman's and containerd's stores of their own need root"),
]
CONTAINERD = ROOT / ".cache/bin/containerd-v2.4.2"
NOBODY = 65532
NAME = "photo-search:latest"
HYBRID = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'  # crun refuses to run where cgroups have two versions
Run = Callable[..., subprocess.CompletedProcess]


def ran(*command: object, **how) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=200, **how)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A home whose store has the training image, beside it the image as one file."""
    home = tmp_path_factory.mktemp("image") / "home"
    lock = home.with_name("base.lock")
    found = command_line(home)("image", "lock", "--to", lock, code=None)
    if found.code:
        pytest.skip(f"no base can be made here: {found.err.strip()}")
    command_line(home)("image", "build", PHOTO_SEARCH, "--base", lock, timeout=300)
    command_line(home)("image", "save", NAME, "--to", home.with_name("image.tar"))
    return home


@pytest.fixture(scope="module")
def by_bubblewrap(built) -> Iterator[Run]:
    if reason := Bubblewrap().unfit():
        pytest.skip(reason)
    store = Store(built / "images")
    with root_of(store, built / "rootfs", store.image(NAME)) as root:

        def run(volume: Path, *words: str) -> subprocess.CompletedProcess:
            shut = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--cap-drop", "ALL"]
            seen = ["--ro-bind", root.folder, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", volume, "/lykeion"]
            seen += ["--ro-bind", volume / "catalogue", volume / "catalogue", "--uid", NOBODY, "--gid", NOBODY, "--chdir", "/app"]
            env = [word for item in {**root.env, "LYKEION_HOME": "/lykeion"}.items() for word in ("--setenv", *item)]
            command = ("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "bwrap", *shut, *seen, "--clearenv", *env, "--")
            return ran(*command, "/opt/lykeion/bin/lykeion", *words)

        volumes_can_be_reached(built)
        yield run


@pytest.fixture(scope="module")
def by_podman(built) -> Iterator[Run]:
    if reason := Podman().unfit():
        pytest.skip(reason)
    own = Path(mkdtemp(prefix="podman-", dir="/tmp"))  # a runroot may have 50 characters
    podman = ("podman", "--root", own / "root", "--runroot", own / "run", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs")
    ran(*podman, "load", "-q", "-i", built.with_name("image.tar"))

    def run(volume: Path, *words: str) -> subprocess.CompletedProcess:
        shut = ("--network=none", "--cgroups=disabled", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096", "--read-only")
        shut += ("--read-only-tmpfs=false", "--tmpfs", "/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
        seen = ("-v", f"{volume}:/volume", "-v", f"{volume}/catalogue:{volume}/catalogue:ro")
        apart = ("unshare", "-m", "--propagation", "private", "sh", "-c", HYBRID, "sh")
        return ran(*apart, *podman, "run", "--rm", *shut, *seen, f"localhost/{NAME}", *words)

    yield run
    ran(*podman, "rmi", "--all", "--force")
    subprocess.run(["umount", own / "root" / "overlay"], capture_output=True, check=False)
    shutil.rmtree(own, ignore_errors=True)


@pytest.fixture(scope="module")
def by_containerd(built, tmp_path_factory) -> Iterator[Run]:
    if not (CONTAINERD / "ctr").exists() or not shutil.which("runc"):
        pytest.skip("containerd and runc are not here (scripts/containerd brings them)")
    own = tmp_path_factory.mktemp("cd")
    off = [f"io.containerd.{name}" for name in ("cri.v1.runtime", "cri.v1.images", "grpc.v1.cri", "nri.v1.nri")]
    told = {"version": 3, "root": str(own / "root"), "state": str(own / "state"), "oom_score": 0, "disabled_plugins": off}
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    (own / "config.toml").write_text("\n".join([*lines, "[grpc]", f'  address = "{own}/sock"']))
    env = {**os.environ, "PATH": f"{CONTAINERD}:/usr/sbin:{os.environ['PATH']}"}
    with (own / "log").open("wb") as log:
        daemon = subprocess.Popen([CONTAINERD / "containerd", "-c", own / "config.toml"], stdout=log, stderr=log, env=env)
    ctr = (CONTAINERD / "ctr", "-a", own / "sock")
    numbers = iter(range(1000))

    def run(volume: Path, *words: str) -> subprocess.CompletedProcess:
        drops = [word for name in given_by_containerd() for word in ("--cap-drop", name)]
        seen = [f"type=bind,src={volume},dst=/volume,options=rbind:rw", f"type=bind,src={volume},dst={volume},options=rbind:ro"]
        mounts = ["type=tmpfs,src=tmpfs,dst=/tmp,options=nosuid:nodev:mode=1777", *seen]
        shown = [word for mount in mounts for word in ("--mount", mount)]
        name = f"step-{next(numbers)}"
        return ran(*ctr, "run", "--rm", "--read-only", *drops, *shown, NAME, name, "/opt/lykeion/bin/lykeion", *words)

    try:
        wait(lambda: subprocess.run([*ctr, "version"], capture_output=True, check=False).returncode == 0, 30, "containerd")
        ran(*ctr, "images", "import", built.with_name("image.tar"))
        yield run
    finally:
        daemon.terminate()
        daemon.wait(30)


def given_by_containerd() -> list[str]:
    names = "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"
    return [f"CAP_{name}" for name in names.split()]


def volumes_can_be_reached(folder: Path) -> None:
    """Folders of pytest are closed to others, and a container is somebody else."""
    for above in (folder, *folder.parents):
        if "pytest-" in str(above):
            above.chmod(0o755)


@pytest.fixture
def volume(tmp_path) -> Path:
    """A volume with a catalogue in it, which the image's user may write to."""
    volumes_can_be_reached(tmp_path)
    home = tmp_path / "v"
    home.mkdir()
    draw_catalogue(home / "catalogue")
    given_away(home)
    return home


def given_away(volume: Path) -> None:
    ran("chown", "-R", f"{NOBODY}:{NOBODY}", volume)


def here(volume: Path) -> dict[str, dict]:
    told = command_line(volume)("run", PHOTO_SEARCH, *asked(volume)).json
    given_away(volume)
    return steps(told)


def there(run: Run, volume: Path) -> dict[str, dict]:
    return steps(json.loads(run(volume, "run", "/app/pipeline.yaml", *asked(volume)).stdout))


def asked(volume: Path) -> tuple[str, ...]:
    return ("-p", f"listings={volume}/catalogue/listings.csv", "-q", "-o", "json")


def steps(told: dict) -> dict[str, dict]:
    assert told["phase"] == "Succeeded"
    return {step["name"]: step for step in told["steps"]}


def assert_all_run(told: dict[str, dict]) -> None:
    assert {step["state"] for step in told.values()} == {"Succeeded"}


def assert_all_found(first: dict[str, dict], then: dict[str, dict]) -> None:
    """The space is published by the first run, so the second does not need its step."""
    assert {name: step["state"] for name, step in then.items()} == {name: "Skipped" if name == "space" else "Cached" for name in first}
    assert all(step["key"] == first[name]["key"] for name, step in then.items() if name != "space")


def test_the_image_finds_all_that_this_machine_has_made(by_bubblewrap, volume):
    first = here(volume)
    assert_all_run(first)
    assert_all_found(first, there(by_bubblewrap, volume))


@pytest.mark.parametrize("runtime", ["by_podman", "by_containerd"])
def test_this_machine_finds_all_that_the_image_has_made(request, runtime, volume):
    run = request.getfixturevalue(runtime)
    first = there(run, volume)
    assert_all_run(first)
    assert_all_found(first, here(volume))
