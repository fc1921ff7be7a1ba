"""Compiled code beside the sources: the same bytes in every process, found by Python, and never the builder's own paths."""

import importlib
import marshal
import random
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from lykeion.adapters.images.pyc import HERE, Compiler, Interpreter
from lykeion.core.images.entries import Entry
from lykeion.errors import LykeionError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
STANDARD = Path(importlib.__file__).parent.parent


def compiler(tmp_path: Path, name: str = "cache") -> Compiler:
    return Compiler(PYTHON, cache=tmp_path / name)


def bytes_of(entries: list[Entry]) -> dict[str, bytes]:
    return {entry.path: entry.data if entry.data is not None else Path(entry.source).read_bytes() for entry in entries}


def sources() -> list[Entry]:
    files = sorted([*STANDARD.glob("json/*.py"), *STANDARD.glob("asyncio/*.py"), STANDARD / "typing.py", STANDARD / "ast.py"])
    return [Entry(f"app/{file.relative_to(STANDARD)}", source=str(file), size=file.stat().st_size) for file in files]


def test_each_source_gets_its_compiled_form_beside_it(tmp_path):
    made = compiler(tmp_path).compiled([Entry("app/a.py", data=b"x = 1\n"), Entry("app/b.txt", data=b"no code")])
    tag = sys.implementation.cache_tag
    assert [entry.path for entry in made] == ["app/a.py", "app/b.txt", f"app/__pycache__/a.{tag}.pyc"]


def test_python_runs_it_without_looking_at_the_source(tmp_path):
    made = bytes_of(compiler(tmp_path).compiled([Entry("a.py", data=b"print('compiled', __file__)\n")]))
    for path, data in made.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "a.py").write_text("print('edited')\n")
    ran = subprocess.run([sys.executable, "-c", "import a"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == f"compiled {tmp_path}/a.py\n"


def test_the_file_in_the_image_is_what_a_traceback_names(tmp_path):
    (compiled,) = (
        data
        for path, data in bytes_of(compiler(tmp_path).compiled([Entry("app/a.py", data=b"def f():\n  def g(): pass\n")])).items()
        if ".pyc" in path
    )
    names = []

    def visit(code: CodeType) -> None:
        names.append(code.co_filename)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                visit(constant)

    visit(marshal.loads(compiled[16:]))
    assert names == ["/app/a.py"] * 3
    assert str(tmp_path).encode() not in compiled


@pytest.mark.parametrize("seed", range(3))
def test_bytes_depend_neither_on_what_else_is_compiled_nor_on_the_order(tmp_path, seed):
    together = bytes_of(compiler(tmp_path, "together").compiled(sources()))
    mixed = sources()
    random.Random(seed).shuffle(mixed)
    some = bytes_of(compiler(tmp_path, "apart").compiled(mixed[: len(mixed) // 2]))
    rest = bytes_of(compiler(tmp_path, "apart").compiled([Entry(one.path, data=Path(one.source).read_bytes()) for one in mixed]))
    assert rest == together
    assert some.items() <= together.items()


def test_what_is_in_the_cache_is_not_compiled_again(tmp_path):
    first = compiler(tmp_path).compiled(sources())
    nobody = Compiler(PYTHON, Interpreter(HERE.version, lambda: pytest.fail("it compiled again")), tmp_path / "cache")
    assert nobody.compiled(sources()) == first


def test_with_and_without_a_cache_it_makes_the_same(tmp_path):
    assert Compiler(PYTHON).compiled(sources()) == compiler(tmp_path).compiled(sources()) == compiler(tmp_path).compiled(sources())


def test_what_is_no_python_stays_as_it_is(tmp_path):
    given = [Entry("a.py", data=b"print 'two'\n"), Entry("b.py", data=b"x = '\xff'\n"), Entry("c.py", data=b"\0"), Entry("d.py", data=b"")]
    made = compiler(tmp_path).compiled([*given, Entry("e.py", "link", target="d.py")])
    assert [entry.path for entry in made if "__pycache__" in entry.path] == [f"__pycache__/d.{sys.implementation.cache_tag}.pyc"]


def test_compiled_files_that_somebody_left_are_dropped(tmp_path):
    made = compiler(tmp_path).compiled([Entry("a.py", data=b""), Entry("__pycache__/a.cpython-39.pyc", data=b"old")])
    assert "__pycache__/a.cpython-39.pyc" not in bytes_of(made)


def test_another_minor_version_compiles_nothing_and_says_why(tmp_path):
    other = Compiler("3.99")
    assert [entry.path for entry in other.compiled([Entry("a.py", data=b"")])] == ["a.py"]
    assert "the image has Python 3.99" in other.reason
    assert other.key == ""


def test_a_patch_release_has_a_key_of_its_own(tmp_path):
    keys = {Compiler("3.11", Interpreter(version, list)).key for version in ("3.11.2", "3.11.7", "3.110.1")}
    assert len(keys) == 3


def test_an_interpreter_that_fails_is_told_with_what_it_was_doing(tmp_path):
    broken = Compiler(PYTHON, Interpreter(HERE.version, lambda: ["/bin/false"]))
    with pytest.raises(LykeionError, match=r"compiling a\.py with /bin/false failed"):
        broken.compiled([Entry("a.py", data=b"")])


def test_the_tests_of_packages_are_not_compiled(tmp_path):
    made = compiler(tmp_path).compiled(
        [Entry(path, data=b"") for path in ("numpy/tests/a.py", "onnx/backend/test/b.py", "numpy/testing/a.py")]
    )
    assert [entry.path for entry in made if entry.path.endswith(".pyc")] == [
        f"numpy/testing/__pycache__/a.{sys.implementation.cache_tag}.pyc"
    ]


def test_many_files_are_compiled_side_by_side(tmp_path):
    made = compiler(tmp_path).compiled(Entry(f"{number}.py", data=b"x = %d" % number) for number in range(250))
    assert len(made) == 500
    assert {marshal.loads(data[16:]).co_filename for path, data in bytes_of(made).items() if path.endswith(".pyc")} == {
        f"/{n}.py" for n in range(250)
    }
