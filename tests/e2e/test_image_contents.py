"""A base of Debian packages, the packages of lykeion[search] and Lykeion itself, put together as an image has them: they really run.

Needs root (chroot), apt with lists of packages, and an index of Python packages; skipped with the reason where one is missing.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lykeion.adapters.images.apt import resolve
from lykeion.adapters.images.code import platform_content
from lykeion.adapters.images.debs import Debs, lay_out
from lykeion.adapters.images.pyc import Compiler
from lykeion.adapters.images.requirements import Requirements
from lykeion.adapters.images.wheels import Wheels
from lykeion.core.images.tree import arranged
from lykeion.core.images.wheels import Target
from lykeion.errors import Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")]
SERVERS = "import faiss, onnxruntime, grpc, pyarrow, lykeion.servers.index_server, lykeion.servers.proxy"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that an image's layers make, one over the other."""
    cache, root = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("image") / "root"
    try:
        lock = resolve()
        debs, target = Debs(cache / "base", lock), Target(lock.python)
        compiler = Compiler(target.python, debs.interpreter)
        packages = Wheels(cache / "wheels", target, compiler).contents(Requirements(cache / "locks", target).lock(None, ("search",)))
        for content in (debs.content(compiler), *packages, platform_content(compiler, "/usr/bin/python3")):
            lay_out(arranged(content.entries()), root)
    except Unavailable as error:
        pytest.skip(str(error))
    return root


def run(root: Path, *command: str, options: Sequence[str] = ("--userspec=65532:65532",)) -> str:
    environment = {"PATH": "/opt/lykeion/bin:/usr/sbin:/usr/bin", "PYTHONPATH": "/opt/lykeion/site-packages", "HOME": "/tmp"}
    ran = subprocess.run(["chroot", *options, str(root), *command], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_servers_of_search_are_imported_by_nobody_in_particular(root):
    assert run(root, "/usr/bin/python3", "-c", f"{SERVERS}; print('imported')") == "imported\n"


def test_nothing_that_is_imported_is_compiled_again(root):
    told = "import sys; print(*(m.__cached__ for m in sys.modules.values() if getattr(m, '__cached__', None)))"
    there = {f"/{file.relative_to(root)}" for file in root.rglob("*.pyc")}
    missing = set(run(root, "/usr/bin/python3", "-c", f"{SERVERS}\n{told}").split()) - there
    assert {file.rpartition("/")[2].partition(".")[0] for file in missing} <= {"sitecustomize"}  # its source is a link


def test_the_command_runs_and_there_is_no_shell(root):
    assert run(root, "/opt/lykeion/bin/lykeion", "--version").startswith("lykeion ")
    assert not (root / "usr/bin/sh").exists()
    assert not list(root.glob("usr/bin/apt*"))


def test_certificates_are_where_python_looks_for_them(root):
    asked = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert int(run(root, "/usr/bin/python3", "-c", asked)) > 100


def test_names_and_time_zones_are_known(root):
    asked = (
        "import pwd, socket, zoneinfo; zoneinfo.ZoneInfo('Asia/Tokyo'); print(pwd.getpwuid(65532).pw_name, socket.getservbyname('https'))"
    )
    assert run(root, "/usr/bin/python3", "-c", asked) == "nonroot 443\n"
