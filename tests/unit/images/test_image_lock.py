"""`lykeion image lock`, and what apt knows; where this machine has no apt with packages, that is what the command says."""

import subprocess
from argparse import ArgumentParser, Namespace
from pathlib import Path
from shutil import which

import pytest
from wheel_files import wheel

from lykeion.adapters.images import apt
from lykeion.cli import image_lock
from lykeion.cli.common import DEFAULTS
from lykeion.core.images.debs import TOOLS, parse_base_lock
from lykeion.core.images.locks import parse_lock
from lykeion.core.images.wheels import Target
from lykeion.errors import Invalid, NotFound, Unavailable


def lock(*words: str, **more: object) -> int:
    parser = ArgumentParser()
    image_lock.arguments(parser, "lock")
    return image_lock.main(parser.parse_args(words, Namespace(command="image", **{**DEFAULTS, **more})))


def knows_packages() -> bool:
    told = which("apt-cache") and subprocess.run(["apt-cache", "show", "python3"], capture_output=True, check=False)
    return bool(told) and not told.returncode


debian = pytest.mark.skipif(not knows_packages(), reason="needs apt with lists of packages")


@debian
def test_the_base_is_python_and_what_it_needs_and_no_tool_of_installing(tmp_path, capsys):
    assert lock("--to", str(tmp_path / "base.lock")) == 0
    text = (tmp_path / "base.lock").read_text()
    base = parse_base_lock(text)
    names = {deb.name for deb in base.debs}
    assert {"python3", "libc6", "ca-certificates", "libstdc++6", "base-files"} <= names
    assert not names & {*TOOLS, "dash", "bash", "coreutils"}
    assert "://" not in text
    assert base.title in capsys.readouterr().out


@debian
def test_a_further_debian_package_comes_with_what_it_needs(tmp_path):
    lock("--to", str(tmp_path / "base.lock"), "--debian", "libgomp1", "--debian", "dash")
    names = {deb.name for deb in parse_base_lock((tmp_path / "base.lock").read_text()).debs}
    assert {"libgomp1", "gcc-12-base", "dash"} & names >= {"libgomp1", "dash"}


@debian
def test_all_debian_packages_that_there_are_not_are_told():
    with pytest.raises(Invalid) as refused:
        apt.resolve(["no-such-package-a", "no-such-package-b"])
    assert [problem.value for problem in refused.value.problems] == ["no-such-package-a", "no-such-package-b"]


def test_without_apt_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match=r"--base REGISTRY/IMAGE@DIGEST"):
        apt.resolve()


def test_requirements_are_locked_beside_their_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    wheel(tmp_path / "found", "mine", {"mine.py": b""})
    (tmp_path / "requirements.in").write_text("--no-index\n--find-links ./found\nmine\n")
    assert lock(str(tmp_path / "requirements.in"), home=str(tmp_path / "home"), output="json") == 0
    (mine,) = parse_lock((tmp_path / "requirements.lock").read_text(), Target("3.11")).packages
    assert (mine.name, len(mine.hashes)) == ("mine", 1)
    assert '"packages": 1' in capsys.readouterr().out


def test_a_wheel_that_is_named_by_its_url_is_locked_with_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    locked = wheel(tmp_path / "found", "mine", {"mine.py": b""})
    url = f"file://{tmp_path}/found/mine-1.0-py3-none-any.whl"
    (tmp_path / "requirements.in").write_text(f"--no-index\nmine @ {url}\n")
    lock(str(tmp_path / "requirements.in"), home=str(tmp_path / "home"))
    assert f"mine @ {url} {locked.split()[1]}\n" in (tmp_path / "requirements.lock").read_text()
    assert capsys.readouterr().out.endswith("requirements.lock: 1 package\n")


def test_the_base_says_for_which_python_packages_are_locked(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    wheel(tmp_path / "found", "old", {"old.py": b""})
    line = f"python3.9-minimal=3.9.2-1 sha256:{'1' * 64} 5 pool/p.deb"
    (tmp_path / "base.lock").write_text(f"debian bullseye amd64\n{line}\n")
    (tmp_path / "requirements.in").write_text('--no-index\n--find-links ./found\nold ; python_version < "3.10"\n')
    lock(
        str(tmp_path / "requirements.in"),
        "--base",
        str(tmp_path / "base.lock"),
        "--to",
        str(tmp_path / "my.lock"),
        home=str(tmp_path / "home"),
    )
    assert "old==1.0" in (tmp_path / "my.lock").read_text()


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (["requirements.lock"], Invalid, "is a lock already"),
        (["requirements.in", "--debian", "libgomp1"], Invalid, "belong to the base"),
        (["requirements.in", "--base", "no.lock"], NotFound, "there is no file no.lock"),
    ],
)
def test_what_makes_no_sense_is_told(words, error, says, tmp_path: Path):
    with pytest.raises(error, match=says):
        lock(*words, home=str(tmp_path))
