"""What concerns runtimes with a daemon alone: what they are given, keep, and are refused for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lykeion.adapters.containers.daemon import DAEMONS
from lykeion.errors import Unavailable

ELSEWHERE = """
mount -t tmpfs none /mnt
mkdir /mnt/upper /mnt/work /mnt/daemon
mount --bind "$1" /mnt/daemon
mount -t overlay -o lowerdir=/tmp,upperdir=/mnt/upper,workdir=/mnt/work none /tmp
DOCKER_HOST=unix:///mnt/daemon/sock exec "$2" -c "$3"
"""
UNFIT = "from lykeion.adapters.containers.chosen import BY_NAME; print(BY_NAME['docker'].unfit())"


by_daemons = pytest.mark.parametrize("runtime", list(DAEMONS), indirect=True, scope="session")
by_docker = pytest.mark.parametrize("runtime", ["docker"], indirect=True, scope="session")  # which alone has images of its own


@pytest.fixture
def daemon(runtime):
    return DAEMONS[runtime]


def images(daemon) -> list[str]:
    return daemon.asked("images", "lykeion/rootfs", "--format", "{{.Tag}} {{.ID}}").splitlines()


@by_docker
def test_an_image_is_imported_once_and_goes_after_its_unpacked_files(daemon, engine):
    engine.runs("true")
    first = images(daemon)
    engine.runs("true", name="again")
    assert images(daemon) == first
    (root,) = (one for one in (engine.home / "rootfs").iterdir() if one.is_dir())
    assert any(line.startswith(root.name) for line in first)
    root.rename(root.parent / ".collected")  # as `lykeion gc` does
    (root.parent / "other").mkdir()
    daemon.import_once(root.parent / "other")
    tags = [line.split()[0] for line in images(daemon)]
    assert "other" in tags
    assert root.name not in tags


@by_docker
def test_a_half_import_is_no_image(daemon, tmp_path, monkeypatch):
    """tar ends in the middle, and with success for all that docker can see."""
    half = tmp_path / "bin/tar"
    half.parent.mkdir()
    half.write_text('#!/bin/sh\nPATH=/bin:/usr/bin\ntar "$@" | head -c 2048\nexit 1\n')
    half.chmod(0o755)
    monkeypatch.setenv("PATH", f"{half.parent}:{os.environ['PATH']}")
    (tmp_path / "halved" / "etc").mkdir(parents=True)
    (tmp_path / "halved" / "etc" / "file").write_bytes(b"x" * 100_000)
    with pytest.raises(Unavailable, match="could not import"):
        daemon.import_once(tmp_path / "halved")
    assert not any(line.startswith("halved") for line in images(daemon))


@by_docker
def test_a_daemon_that_does_not_see_the_files_of_this_machine_is_refused(daemon):
    own = Path(os.environ["DOCKER_HOST"].removeprefix("unix://")).parent
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ELSEWHERE, "sh", str(own), sys.executable, UNFIT]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "bind source path does not exist" in said.stdout


@by_daemons
def test_a_daemon_that_does_not_answer_is_refused(daemon, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    monkeypatch.setenv("CONTAINERD_ADDRESS", f"{tmp_path}/nothing")
    assert str(tmp_path) in daemon.unfit()


@by_daemons
def test_a_variable_that_its_client_would_follow_is_refused(daemon, engine):
    engine.fails("true", env={"DOCKER_HOST": "tcp://elsewhere\nx"})
    assert "DOCKER_HOST has a value of several lines" in engine.log()
    assert not list((engine.home / "containers").iterdir())
