"""Layers of Python packages, with the real uv and wheels made on the spot: what is packed, and what is refused."""

import os
import stat
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from wheel_files import private_index, uv_of_its_own, wheel

from lykeion.adapters.images.codecs import PLAIN
from lykeion.adapters.images.layers import make
from lykeion.adapters.images.own_packages import installed_versions, own_requirements
from lykeion.adapters.images.pyc import Compiler
from lykeion.adapters.images.requirements import Requirements
from lykeion.adapters.images.store import Store
from lykeion.adapters.images.wheels import Wheels
from lykeion.core.images.entries import Content
from lykeion.core.images.locks import Lock, parse_lock
from lykeion.core.images.wheels import BIG, Target, read_record
from lykeion.errors import Corrupt, Invalid, NotFound, Unavailable

TARGET = Target(f"{sys.version_info.major}.{sys.version_info.minor}")
SITE = "opt/lykeion/site-packages"
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def nothing_of_the_machine(tmp_path, monkeypatch):
    """No index, no settings and no password but those of the test."""
    uv_of_its_own(monkeypatch, tmp_path / "uv")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def wheels(cache: Path) -> Wheels:
    return Wheels(cache / "wheels", TARGET, Compiler(TARGET.python))


def lock_of(tmp_path: Path, *lines: str, folder: str = "found") -> Lock:
    return parse_lock("\n".join(["--no-index", f"--find-links '{tmp_path / folder}'", *lines]), TARGET)


def packed(contents: list[Content]) -> dict[str, bytes]:
    return {
        entry.path: Path(entry.source).read_bytes() if entry.data is None else entry.data
        for content in contents
        for entry in content.entries()
    }


def simple(tmp_path: Path, folder: str = "found") -> Lock:
    line = wheel(
        tmp_path / folder,
        "tool",
        {
            "tool/__init__.py": b"def main(): print('it runs')\n",
            "tool-1.0.dist-info/entry_points.txt": b"[console_scripts]\ntool = tool:main\n",
            "tool-1.0.data/scripts/other": b"#!python\nprint()\n",
        },
    )
    return lock_of(tmp_path, line, folder=folder)


def test_a_wheel_is_packed_with_scripts_that_start_the_python_of_the_image(tmp_path):
    contents = wheels(tmp_path / "cache").contents(simple(tmp_path))
    files = packed(contents)
    assert files["opt/lykeion/bin/tool"].startswith(b"#!/opt/lykeion/bin/python\n")
    assert files["opt/lykeion/bin/other"] == b"#!/opt/lykeion/bin/python\nprint()\n"
    assert contents[0].parts[0][0] == "pkg:pypi/tool@1.0"
    modes = {entry.path: entry.mode for entry in contents[0].entries()}
    assert (modes["opt/lykeion/bin/tool"], modes[f"{SITE}/tool/__init__.py"]) == (0o755, 0o644)
    assert not any(str(tmp_path).encode() in data or sys.executable.encode() in data for data in files.values())


def test_the_record_is_true_of_what_is_packed(tmp_path):
    files = packed(wheels(tmp_path / "cache").contents(simple(tmp_path)))
    text = files[f"{SITE}/tool-1.0.dist-info/RECORD"].decode()
    recorded = {one.path.replace("scripts/", "../bin/"): one.size for one in read_record(text.replace("../bin/", "scripts/"))}
    recorded = {os.path.normpath(f"{SITE}/{path}"): size for path, size in recorded.items()}
    assert recorded.keys() == {path for path in files if "__pycache__" not in path}
    assert all(len(files[path]) == size for path, size in recorded.items() if not path.endswith("RECORD"))
    assert not any(path.endswith(("direct_url.json", "uv_cache.json", ".lock")) for path in files)


def test_the_script_runs_where_it_is_unpacked(tmp_path):
    for path, data in packed(wheels(tmp_path / "cache").contents(simple(tmp_path))).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    command = [sys.executable, str(tmp_path / "opt/lykeion/bin/tool")]
    ran = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / SITE)}, capture_output=True, text=True, check=True)
    assert ran.stdout == "it runs\n"


def test_bytes_are_the_same_in_another_folder_with_another_umask_and_empty_caches(tmp_path, monkeypatch):
    first = wheels(tmp_path / "cache").contents(simple(tmp_path))
    before = packed(first), [entry.mode for entry in first[0].entries()]
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv, again"))
    umask = os.umask(0o077)
    try:
        second = wheels(tmp_path / "another place").contents(simple(tmp_path, "found elsewhere"))
        assert (packed(second), [entry.mode for entry in second[0].entries()]) == before
    finally:
        os.umask(umask)
    assert [one.key for one in second] == [one.key for one in first]


def test_a_hit_asks_nothing_of_index_or_uv(tmp_path, monkeypatch):
    lock = simple(tmp_path)
    first = wheels(tmp_path / "cache").contents(lock)
    for file in (tmp_path / "found").iterdir():
        file.unlink()
    monkeypatch.setattr("lykeion.adapters.images.wheel_folders.uv", lambda *_: pytest.fail("uv was asked"))
    assert [one.key for one in wheels(tmp_path / "cache").contents(lock)] == [one.key for one in first]


def test_a_big_wheel_is_alone_and_the_others_share(tmp_path):
    found = tmp_path / "found"
    lines = [wheel(found, "big", {"big/data.bin": bytes(BIG)}), *(wheel(found, f"small{n}", {f"small{n}.py": b""}) for n in range(3))]
    contents = wheels(tmp_path / "cache").contents(lock_of(tmp_path, *lines))
    assert [(one.kind, one.title) for one in contents] == [("wheel", "big 1.0"), ("wheels", "3 wheels: small0, small1, small2")]


def test_a_file_that_somebody_edited_is_not_packed(tmp_path):
    (content,) = wheels(tmp_path / "cache").contents(simple(tmp_path))
    (edited,) = (tmp_path / "cache" / "wheels").rglob("tool/__init__.py")
    edited.chmod(edited.stat().st_mode | stat.S_IWUSR)
    edited.write_bytes(b"def main(): print('it lies')\n")
    with pytest.raises(Corrupt, match=r"tool/__init__\.py is not what tool 1\.0 says of it: somebody edited it"):
        make(content, PLAIN, Store(tmp_path / "images"))


def test_all_packages_that_cannot_be_installed_are_told_at_once(tmp_path):
    found = tmp_path / "found"
    good = wheel(found, "good", {"good.py": b""})
    wrong = wheel(found, "wrong", {"wrong.py": b""}).partition("sha256:")[0] + "sha256:" + "0" * 64
    windows = wheel(found, "windows", {"windows.py": b""}, tag="cp311-cp311-win_amd64")
    without = wheel(found, "without", {"without.py": b""}, record=None)
    (found / "source-1.0.tar.gz").write_bytes(b"")
    source = f"source==1.0 --hash=sha256:{'1' * 64}"
    missing = f"missing==1.0 --hash=sha256:{'1' * 64}"
    with pytest.raises(Invalid) as refused:
        wheels(tmp_path / "cache").contents(lock_of(tmp_path, good, wrong, windows, without, source, missing))
    told = {problem.value: problem for problem in refused.value.problems}
    assert told.keys() == {"wrong", "windows", "without", "source", "missing"}
    assert "lock again if you trust it" in told["wrong"].remedy
    assert "build one, or leave it out" in told["windows"].remedy
    assert "the wheel is broken" in told["without"].remedy
    assert "there as source only" in told["source"].remedy
    assert "UV_INDEX_URL" in told["missing"].remedy


def test_two_packages_with_different_code_under_one_name_are_refused(tmp_path):
    found = tmp_path / "found"
    one = wheel(found, "one", {"same/a.py": b"1", "both.py": b"", "LICENSE": b"one"})
    two = wheel(found, "two", {"same/a.py": b"2", "both.py": b"", "LICENSE": b"two"})
    with pytest.raises(Invalid) as refused:
        wheels(tmp_path / "cache").contents(lock_of(tmp_path, one, two))
    assert [problem.value for problem in refused.value.problems] == ["same/a.py"]
    assert "one and two both have a file same/a.py" in str(refused.value)


def test_files_that_two_packages_share_are_in_both(tmp_path):
    found = tmp_path / "found"
    lines = [
        wheel(found, name, {"shared/__init__.py": b"x = 1\n", f"shared/{name}.py": b"", "LICENSE": name.encode()})
        for name in ("one", "two")
    ]
    contents = wheels(tmp_path / "cache").contents(lock_of(tmp_path, *lines))
    paths = [entry.path for content in contents for entry in content.entries()]
    assert paths.count(f"{SITE}/shared/__init__.py") == 2
    assert f"{SITE}/LICENSE" not in paths
    assert [make(content, PLAIN, Store(tmp_path / "images")).hit for content in contents] == [False]  # in the layer it is there once


def test_files_that_differ_in_case_alone_are_two_files(tmp_path):
    line = wheel(tmp_path / "found", "cases", {"cases/Readme": b"one", "cases/README": b"two"})
    files = packed(wheels(tmp_path / "cache").contents(lock_of(tmp_path, line)))
    assert (files[f"{SITE}/cases/Readme"], files[f"{SITE}/cases/README"]) == (b"one", b"two")


def test_a_file_that_would_lie_out_of_its_folder_is_nowhere(tmp_path):
    line = wheel(tmp_path / "found", "evil", {"../../evil.py": b"", "evil/__init__.py": b""})
    files = packed(wheels(tmp_path / "cache").contents(lock_of(tmp_path, line)))
    assert not any("evil.py" in path for path in files)
    assert not list(tmp_path.rglob("evil.py"))


@pytest.mark.parametrize("how", ["environment", "netrc"])
def test_no_secret_of_a_private_index_is_in_a_lock_or_a_layer(tmp_path, monkeypatch, how):
    wheel(tmp_path / "found", "mine", {"mine.py": b"", "mine-1.0.dist-info/entry_points.txt": b"[console_scripts]\nmine = mine:main\n"})
    (tmp_path / "requirements.in").write_text("mine\n")
    with private_index(tmp_path / "found", "me", SECRET) as host:
        if how == "netrc":
            (tmp_path / "netrc").write_text(f"machine 127.0.0.1\nlogin me\npassword {SECRET}\n")
            monkeypatch.setenv("UV_INDEX_URL", f"http://{host}/simple")
        else:
            monkeypatch.setenv("UV_INDEX_URL", f"http://me:{SECRET}@{host}/simple")
        requirements = Requirements(tmp_path / "cache" / "locks", TARGET)
        lock = requirements.read(tmp_path / "requirements.in")
        files = packed(wheels(tmp_path / "cache").contents(lock))
    assert f"{SITE}/mine.py" in files
    assert SECRET not in lock.text
    assert not any(SECRET.encode() in data or b"127.0.0.1" in data for data in files.values())
    assert not any(SECRET.encode() in file.read_bytes() for file in (tmp_path / "cache").rglob("*") if file.is_file())


def test_an_index_that_refuses_us_is_told_without_the_password(tmp_path, monkeypatch):
    wheel(tmp_path / "found", "mine", {"mine.py": b""})
    (tmp_path / "requirements.in").write_text("mine\n")
    with private_index(tmp_path / "found", "me", "another") as host:
        monkeypatch.setenv("UV_INDEX_URL", f"http://me:{SECRET}@{host}/simple")
        with pytest.raises((Invalid, Unavailable)) as refused:
            Requirements(tmp_path / "locks", TARGET).read(tmp_path / "requirements.in")
    assert "401" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_an_index_that_does_not_answer_may_be_tried_again(tmp_path, monkeypatch):
    (tmp_path / "requirements.in").write_text("mine\n")
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Unavailable, match="Try again"):
        Requirements(tmp_path / "locks", TARGET).read(tmp_path / "requirements.in")


def test_a_secret_in_a_file_is_refused_before_anything_is_asked(tmp_path):
    for name in ("requirements.lock", "requirements.in", "pyproject.toml", "uv.lock"):
        (tmp_path / name).write_text(f'# "https://me:{SECRET}@packages.example/simple"\n')
        with pytest.raises(Invalid, match="a name or a password stands in a URL") as refused:
            Requirements(tmp_path / "locks", TARGET).read(tmp_path / name)
        assert SECRET not in str(refused.value)
        (tmp_path / name).unlink()


def test_what_was_resolved_stays_until_the_file_changes(tmp_path):
    found = tmp_path / "found"
    wheel(found, "mine", {"mine.py": b""})
    (tmp_path / "more.in").write_text("mine\n")
    (tmp_path / "requirements.in").write_text("--no-index\n--find-links ./found\n-r more.in\n")
    requirements = Requirements(tmp_path / "locks", TARGET)
    first = requirements.read(tmp_path / "requirements.in")
    wheel(found, "mine", {"mine.py": b""}, version="2.0")
    assert requirements.read(tmp_path / "requirements.in") == first
    (tmp_path / "more.in").write_text("mine>1\n")
    assert requirements.read(tmp_path / "requirements.in").packages[0].version == "2.0"


def test_the_lock_of_uv_is_read_for_the_platform_of_the_image(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n')
    package = '[[package]]\nname = "six"\nversion = "1.17.0"\nsource = { registry = "https://packages.example/simple" }\n'
    files = f'wheels = [{{ url = "https://packages.example/six-1.17.0-py2.py3-none-any.whl", hash = "sha256:{"1" * 64}" }}]\n'
    app = '[[package]]\nname = "app"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [{ name = "six" }]\n'
    (tmp_path / "uv.lock").write_text(f'version = 1\nrequires-python = ">=3.11"\n{app}{package}{files}')
    for name in ("uv.lock", "pyproject.toml"):
        (six,) = Requirements(tmp_path / "locks", TARGET).read(tmp_path / name).packages
        assert six.requirement == f"six==1.17.0 --hash=sha256:{'1' * 64}"


def test_what_the_lock_of_uv_takes_from_a_folder_is_told_at_its_line(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n')
    needed = "".join(f'    {{ name = "{name}" }},\n' for name in ("lib", "plain", "six"))
    app = f'[[package]]\nname = "app"\nversion = "1"\nsource = {{ virtual = "." }}\ndependencies = [\n{needed}]\n'
    lib = '[[package]]\nname = "lib"\nversion = "1"\nsource = { editable = "lib" }\n'
    plain = '[[package]]\nname = "plain"\nversion = "1"\nsource = { directory = "../plain" }\n'
    six = '[[package]]\nname = "six"\nversion = "1.0"\nsource = { git = "https://x.example/six?rev=1#1111111111111111111111111111111111111111" }\n'
    text = f'version = 1\nrequires-python = ">=3.11"\n{app}{lib}{plain}{six}'
    (tmp_path / "uv.lock").write_text(text)
    with pytest.raises(Invalid) as refused:
        Requirements(tmp_path / "locks", TARGET).read(tmp_path / "uv.lock")
    lines = text.splitlines()
    told = {problem.line: problem for problem in refused.value.problems}
    editable, folder = (told[lines.index(f"source = {{ {what} }}") + 1] for what in ('editable = "lib"', 'directory = "../plain"'))
    assert (editable.message, folder.message) == (
        "lib is a folder here, not a wheel: it has no hash",
        "../plain is a folder here, not a wheel: it has no hash",
    )
    assert "uv build --wheel lib" in editable.remedy
    assert "six is not pinned" in told[lines.index('name = "six"') + 1].message


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    with pytest.raises(NotFound, match="there is no file"):
        Requirements(tmp_path, TARGET).read(tmp_path / "requirements.lock")
    (tmp_path / "requirements.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="it is no text"):
        Requirements(tmp_path, TARGET).read(tmp_path / "requirements.txt")


def test_what_lykeion_needs_is_what_its_metadata_says_for_linux():
    plain, search = own_requirements((), TARGET), own_requirements(("search",), TARGET)
    assert set(plain) < set(search)
    assert {Requirement(line).name for line in search} >= {"faiss-cpu", "aiohttp", "uvicorn", "pydantic"}
    assert not any("lykeion" in line or ";" in line or "scikit" in line for line in search)
    found = installed_versions(plain, TARGET)
    assert found["pydantic-core"] == version("pydantic-core")
    assert "faiss-cpu" not in found


def test_lykeions_packages_come_at_the_versions_that_are_installed_here_and_the_users_as_locked(tmp_path):
    here = installed_versions(own_requirements((), TARGET), TARGET)
    lines = {name: wheel(tmp_path / "found", name.replace("-", "_"), {}, number) for name, number in here.items()}
    wheel(tmp_path / "found", "rich", {}, "999.0")
    wheel(tmp_path / "found", "pyyaml", {}, "6.0.99")
    mine = wheel(tmp_path / "found", "mine", {})
    theirs = wheel(tmp_path / "found", "rich", {}, "15.99")
    (tmp_path / "requirements.lock").write_text(f"--no-index\n--find-links ./found\n{mine}\n{theirs} --hash=sha256:{'0' * 64}\n")
    lock = Requirements(tmp_path / "locks", TARGET).lock(tmp_path / "requirements.lock")
    found = {one.name: one for one in lock.packages}
    assert {name: found[name].version for name in ("mine", "rich", "pyyaml")} == {"mine": "1.0", "rich": "15.99", "pyyaml": here["pyyaml"]}
    assert len(found["rich"].hashes) == 2
    assert lines["obstore"].endswith(found["obstore"].hashes[0])
    assert (lock.options, lock.folder) == (("--no-index", "--find-links ./found"), str(tmp_path))


def test_a_lock_that_lykeion_cannot_live_with_is_told(tmp_path):
    old = wheel(tmp_path / "found", "pydantic", {}, "1.0")
    (tmp_path / "requirements.lock").write_text(f"--no-index\n--find-links ./found\n{old}\n")
    with pytest.raises(Invalid, match=r"cannot be resolved for the image(.|\n)*pydantic"):
        Requirements(tmp_path / "locks", TARGET).lock(tmp_path / "requirements.lock")
