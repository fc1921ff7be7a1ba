"""A pipeline runs with the packages that its requirements name, or not at all: its keys say that it did."""

from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from lykeion.components.catalogue import Catalogue
from lykeion.core.pipelines.agreement import Disagreement, disagreements
from lykeion.errors import Invalid

HASH = f"--hash=sha256:{'0' * 64}"
HERE = {name: str(value) for name, value in default_environment().items()} | {"extra": ""}
NUMPY = version("numpy")
CODE = "from lykeion import Output, component\n{imports}\n@component\ndef go(out: Output) -> None: ...\n"


def described(tmp_path: Path, text: str, imports: str = "", name: str = "requirements.lock", *, runs_here: bool = True) -> list[str]:
    """What is wrong with a pipeline of one component, as its author reads it."""
    (tmp_path / "work.py").write_text(CODE.format(imports=imports))
    (tmp_path / name).write_text(text)
    try:
        Catalogue(tmp_path / "cache").describe_all(str(tmp_path), ["./work.py:go"], tmp_path / name, runs_here=runs_here)
    except Invalid as refused:
        return [str(problem) for problem in refused.problems]
    return []


def test_another_version_is_refused_with_both_the_line_and_the_way_out(tmp_path: Path):
    for _ in range(2):  # the second time the verdict is known
        (told,) = described(tmp_path, f"# locked\nnumpy==1.0.0 \\\n    {HASH}\n")
        assert told == (
            f"{tmp_path}/requirements.lock:2: requirements: numpy==1.0.0 is locked, but numpy {NUMPY} is installed, which the steps would "
            f"run with (install what is locked (pip install -r {tmp_path}/requirements.lock), or lock what is installed)"
        )


def test_all_that_disagrees_is_told_at_once(tmp_path: Path):
    told = described(tmp_path, f"numpy==1.0.0 {HASH}\npydantic==1.0 {HASH}\nrich=={version('rich')} {HASH}\n")
    assert [line.partition(" is locked")[0].rpartition(" ")[2] for line in told] == ["numpy==1.0.0", "pydantic==1.0"]


def test_a_mark_of_the_byte_order_hides_no_line(tmp_path: Path):
    (told,) = described(tmp_path, f"\ufeffnumpy==1.0.0 {HASH}\n")
    assert "numpy==1.0.0 is locked" in told


@pytest.mark.parametrize(
    "line", ["-r other.txt", "-c other.txt", "-rother.txt", "--requirement=other.txt", "--constraint other.txt", "--req other.txt"]
)
def test_a_file_that_names_another_one_is_refused_for_no_key_would_hold_that(tmp_path: Path, line: str):
    (told,) = described(tmp_path, f"numpy=={NUMPY} {HASH}\n{line}\n")
    assert f"requirements.lock:2: requirements: {line!r} names another file" in told
    assert "uv pip compile" in told


def test_what_is_locked_as_it_is_installed_is_accepted(tmp_path: Path):
    assert described(tmp_path, f"NumPy=={NUMPY} {HASH}\n", "import numpy") == []


@pytest.mark.parametrize(
    "line",
    [
        "numpy==1.0.0 ; sys_platform == 'win32'",
        "numpy==1.0.0 ; python_version < '3'",
        "numpy==1.0.0 ; extra == 'other'",
        "not-here==1.0",
        "--index-url https://example.org/simple",
        "numpy>=1",
        "numpy @ https://example.org/numpy-1.0.tar.gz",
    ],
)
def test_what_is_not_for_here_or_not_reached_or_leaves_it_open_is_accepted(tmp_path: Path, line: str):
    assert described(tmp_path, f"{line} {HASH}\n" if not line.startswith("-") else f"{line}\n", "import numpy") == []


def test_the_version_in_the_url_of_a_wheel_counts(tmp_path: Path):
    (told,) = described(tmp_path, f"numpy @ https://example.org/numpy-1.0-py3-none-any.whl {HASH}\n")
    assert "numpy==1.0 is locked" in told


def test_what_is_locked_and_used_and_not_there_is_refused(tmp_path: Path):
    imports = "try:\n    import not_here\nexcept ImportError:\n    pass"
    (told,) = described(tmp_path, f"not-here==1.0 {HASH}\n", imports)
    assert "not-here==1.0 is locked, but it is not installed, and the steps use it" in told


def test_an_image_is_built_with_what_is_locked(tmp_path: Path):
    assert described(tmp_path, f"numpy==1.0.0 {HASH}\n", runs_here=False) == []


def test_a_lock_of_uv_is_read(tmp_path: Path):
    text = f"""version = 1

[[package]]
name = "mine"
version = "0.1"
source = {{ editable = "." }}

[[package]]
name = "numpy"
version = "1.0.0"
resolution-markers = ["python_full_version >= '3'"]
source = {{ registry = "https://example.org/simple" }}

[[package]]
name = "numpy"
version = "{NUMPY}"
resolution-markers = ["python_full_version < '3'"]
source = {{ registry = "https://example.org/simple" }}
"""
    (told,) = described(tmp_path, text, name="uv.lock")
    assert told.startswith(f"{tmp_path}/uv.lock:9: requirements: numpy==1.0.0 is locked, but numpy {NUMPY} is installed")
    assert "uv sync" in told
    assert described(tmp_path, text.replace("< '3'", ">= '3'"), name="uv.lock") == []
    assert described(tmp_path, "no toml", name="uv.lock") == []


NAMES = st.sampled_from(["a", "b-c", "d"])
VERSIONS = st.sampled_from(["1.0", "1", "1.0.0", "2.0", "2.0+cpu", "2.0rc1"])
SAME = [{"1.0", "1", "1.0.0"}]


@given(st.dictionaries(NAMES, VERSIONS), st.dictionaries(NAMES, VERSIONS))
def test_a_lock_agrees_where_each_of_its_versions_is_there(locked: dict[str, str], installed: dict[str, str]):
    text = "".join(f"{name.replace('-', '_').upper()}=={version} {HASH}\n" for name, version in locked.items())
    wrong = [
        Disagreement(line, name, f"{name.replace('-', '_').upper()}=={version}", installed.get(name, ""))
        for line, (name, version) in enumerate(locked.items(), 1)
        if name not in installed or not is_satisfied(version, installed[name])
    ]
    assert disagreements(text, "requirements.txt", installed, HERE) == wrong


def is_satisfied(locked: str, there: str) -> bool:
    """PEP 440 as far as these versions go: zeros at the end mean nothing, and a build of a version is that version."""
    return locked == there or any({locked, there} <= same for same in SAME) or (locked, there) == ("2.0", "2.0+cpu")
