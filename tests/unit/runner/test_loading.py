"""A component is found by its reference, and its code is always that of its source."""

import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from lykeion.components.loading import way_out

PROGRAM = """
import json, signal, sys  # as the parent of every step has it
from lykeion.components.loading import load, way_out
reference, folder = sys.argv[1:]
found = load(reference, folder)
print(json.dumps(found.function()))
"""
HEAD = "from lykeion import component\n"


def load(reference: str, folder: Path | str = "") -> object:
    """What the component's function returns, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, reference, str(folder)], capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def test_a_file_is_loaded_with_its_folder_first(tmp_path: Path):
    (tmp_path / "json_helper.py").write_text("WORD = 'here'\n")
    (tmp_path / "report.py").write_text(f"{HEAD}import json_helper\n@component\ndef f(): return json_helper.WORD\n")
    assert load(f"{tmp_path}/report.py:f", tmp_path) == "here"


def test_a_file_may_have_the_name_of_a_module_that_is_there(tmp_path: Path):
    (tmp_path / "json.py").write_text(f"{HEAD}@component\ndef f(): return __name__\n")
    assert load(f"{tmp_path}/json.py:f", tmp_path) == "lykeion.components.authored.json"


def test_a_module_is_found_in_the_pipelines_folder(tmp_path: Path):
    package = tmp_path / "steps"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text(f"{HEAD}from . import two\n@component\ndef f(): return two.X\n")
    (package / "two.py").write_text("X = 2\n")
    assert load("steps.one:f", tmp_path) == 2


def test_a_class_of_a_components_file_can_be_pickled_and_read_back(tmp_path: Path):
    (tmp_path / "report.py").write_text(
        f"{HEAD}import pickle\nclass A: x = 5\n@component\ndef f(): return pickle.loads(pickle.dumps(A())).x\n"
    )
    assert load(f"{tmp_path}/report.py:f", tmp_path) == 5


NAMES = ["report.py", "train-model.py", "signal.py", "json.py", "v1.2.py", "class.py", "50%.py", "größe.py"]
WRITES = """
import base64, multiprocessing, pickle
class Model: x = 5
def double(x): return 2 * x
@component
def write(): return base64.b64encode(pickle.dumps(Model())).decode()
@component
def pool():
    with multiprocessing.get_context("spawn").Pool(1) as pool: return pool.map(double, [4])
@component
def parts(n: int = 3):
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool: return list(pool.map(double, range(n)))
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_class_of_a_file_of_any_name_is_read_by_another_step(tmp_path: Path, name: str):
    (tmp_path / name).write_text(HEAD + WRITES)
    written = load(f"{tmp_path}/{name}:write", tmp_path)
    (tmp_path / "use.py").write_text(
        f"{HEAD}import base64, pickle\n@component\ndef f(): return pickle.loads(base64.b64decode({written!r})).x\n"
    )
    assert load(f"{tmp_path}/use.py:f", tmp_path) == 5


@pytest.mark.parametrize(
    ("name", "function", "expected"), [(each, "pool", [8]) for each in NAMES if each != "json.py"] + [("signal.py", "parts", [0, 2, 4])]
)
def test_a_function_of_a_file_of_any_name_runs_in_a_process_that_was_spawned(tmp_path: Path, name: str, function: str, expected: list[int]):
    (tmp_path / name).write_text(HEAD + WRITES)
    assert load(f"{tmp_path}/{name}:{function}", tmp_path) == expected


def test_a_class_whose_file_is_gone_is_told_by_the_files_name(tmp_path: Path):
    where = f"{tmp_path}/use.py:f"
    gone = ModuleNotFoundError("No module named 'lykeion.components.authored.v1%2E2'", name="lykeion.components.authored.v1%2E2")
    assert way_out(gone, where, str(tmp_path)) == "there is no v1.2.py in the pipeline's folder, nor beside the component's file"


@pytest.mark.parametrize("which", ["report.py", "helper.py", "deep/inner.py"])
def test_a_compiled_file_of_older_code_is_never_believed(tmp_path: Path, which):
    """Same size, same second: Python itself would run the old code."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "deep" / "inner.py").write_text("X = 1\n")
    (tmp_path / "helper.py").write_text("X = 1\n")
    (tmp_path / "report.py").write_text(
        f"{HEAD}import helper, deep.inner\nX = 1\n@component\ndef f(): return [X, helper.X, deep.inner.X]\n"
    )
    changed = tmp_path / which
    stat = changed.stat()
    py_compile.compile(str(changed))
    changed.write_text(changed.read_text().replace("X = 1", "X = 2"))
    os.utime(changed, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    expected = [2 if which == name else 1 for name in ("report.py", "helper.py", "deep/inner.py")]
    assert load(f"{tmp_path}/report.py:f", tmp_path) == expected


def test_nothing_is_written_beside_an_authors_code(tmp_path: Path):
    (tmp_path / "helper.py").write_text("X = 1\n")
    (tmp_path / "report.py").write_text(f"{HEAD}import helper\n@component\ndef f(): return helper.X\n")
    load(f"{tmp_path}/report.py:f", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helper.py", "report.py"]


def test_a_module_that_lies_in_a_folder_of_the_pipeline_is_told_with_its_place(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").touch()
    missing = ModuleNotFoundError("No module named 'net'", name="net")
    assert "name its component models.net:" in way_out(missing, f"{tmp_path}/use.py:go", str(tmp_path))
    (tmp_path / "models" / "net.py").unlink()
    assert way_out(missing, f"{tmp_path}/use.py:go", str(tmp_path)).startswith("install net beside lykeion")


@pytest.mark.parametrize("name", ["queue.py", "random.py", "secrets.py"])
def test_a_file_named_like_a_module_of_python_breaks_no_other_step(tmp_path: Path, name: str):
    (tmp_path / name).write_text(f"{HEAD}@component\ndef f(): return 1\n")
    (tmp_path / "use.py").write_text(
        f"{HEAD}@component\ndef f():\n    import queue, random, secrets, tempfile\n"
        "    from concurrent.futures import ThreadPoolExecutor\n"
        "    with ThreadPoolExecutor(1) as pool: return list(pool.map(abs, [-2]))\n"
    )
    assert load(f"{tmp_path}/use.py:f", tmp_path) == [2]
    assert load(f"{tmp_path}/{name}:f", tmp_path) == 1


def test_an_import_with_a_dot_fails_in_a_file_of_any_name(tmp_path: Path):
    (tmp_path / "util.py").write_text("X = 1\n")
    (tmp_path / "my-rel.py").write_text(f"{HEAD}from .util import X\n@component\ndef f(): return X\n")
    with pytest.raises(AssertionError, match="no known parent package"):
        load(f"{tmp_path}/my-rel.py:f", tmp_path)
