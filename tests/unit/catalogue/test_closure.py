"""What a source text imports, against Python itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.components.modules import Closure, Modules, Source
from lykeion.core.pipelines.closure import Import, identity, imports_of, modules_of
from lykeion.errors import Invalid

NAME = st.sampled_from(["a", "b", "c"])
DOTTED = st.lists(NAME, min_size=1, max_size=3).map(".".join)


def modules(folder: Path) -> Modules:
    return Modules([folder], lambda _, source: imports_of(source))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a, b.c as d", {Import(0, "a"), Import(0, "b.c")}),
        ("from a.b import c, d", {Import(0, "a.b", ("c", "d"))}),
        ("from . import a", {Import(1, "", ("a",))}),
        ("from ..a import *", {Import(2, "a")}),
        ("def f():\n    import a", {Import(0, "a")}),
        ("class A:\n    try:\n        import a\n    except ImportError:\n        import b", {Import(0, "a"), Import(0, "b")}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {Import(0, "b")}),
        ("import typing\nif typing.TYPE_CHECKING:\n    import a", {Import(0, "typing")}),
        ("importlib.import_module('a.b')\n__import__('c')", {Import(0, "a.b"), Import(0, "c")}),
        ("import_module(name)\nimport_module('.relative', 'p')", set()),
        ("match x:\n    case 1:\n        import a", {Import(0, "a")}),
        ("# import a\n'import b'", set()),
        ("# -*- coding: latin-1 -*-\nx = '\xe9'\nimport a".encode("latin-1"), {Import(0, "a")}),
    ],
)
def test_imports_are_found_wherever_they_stand(source: str | bytes, expected: set[Import]) -> None:
    assert set(imports_of(source)) == expected


@given(DOTTED, st.lists(NAME, max_size=2), st.integers(0, 4), DOTTED | st.just(""))
def test_relative_imports_mean_what_python_means(module: str, names: list[str], level: int, package: str) -> None:
    found = modules_of(Import(level, module, tuple(names)), package)
    if level == 0:
        base = module
    else:
        above = package.split(".") if package else []
        base = ".".join([*above[: len(above) - level + 1], module]) if 0 < level <= len(above) else ""
    if not base:
        assert found == ()
    else:
        assert base in found
        assert all(f"{base}.{name}" in found for name in names)
        assert all(base.startswith(each) or each.startswith(f"{base}.") for each in found)


def test_what_is_not_python_is_a_problem_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "root.py").write_text("import one, two\n")
    (tmp_path / "one.py").write_text("x = 1\ny = = 2\n")
    (tmp_path / "two.py").write_text("x = (\n")
    with pytest.raises(Invalid) as caught:
        modules(tmp_path).closure(Source(tmp_path / "root.py"), "", "")
    assert sorted((Path(problem.file).name, problem.line) for problem in caught.value.problems) == [("one.py", 2), ("two.py", 1)]


def test_what_is_imported_is_sorted_into_kinds(tmp_path: Path) -> None:
    text = "import json, yaml, nowhere_at_all, helper, plain.inner, sys\nfrom lykeion import component\nfrom lykeion.components import base, modules"
    (tmp_path / "root.py").write_text(text)
    (tmp_path / "helper.py").write_text("import root\n")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "inner.py").write_text("import numpy.linalg\n")
    found = modules(tmp_path).closure(Source(tmp_path / "root.py"), "", "")
    assert set(found.modules) == {"", "helper", "plain.inner", "root"}
    assert found.installed == {"yaml", "numpy"}
    assert found.missing == {"nowhere_at_all"}


def test_the_search_engine_belongs_to_a_component_that_uses_it(tmp_path: Path) -> None:
    (tmp_path / "root.py").write_text("import lykeion.search\nfrom lykeion.core import content\n")
    found = modules(tmp_path).closure(Source(tmp_path / "root.py"), "", "")
    assert "lykeion.search" in found.modules
    assert not {"lykeion", "lykeion.core", "lykeion.core.content"} & set(found.modules)


SHAPES = st.dictionaries(
    st.sampled_from(["a.py", "b.py", "c.py", "a/__init__.py", "a/b.py", "a/c.py", "b/__init__.py", "b/c.py", "c/a.py"]),
    st.sets(
        st.sampled_from(
            ["import a", "import b", "import c", "import a.b", "from a import b, c", "from . import c", "import b.c", "import c.a"]
        )
    ),
    min_size=1,
)
PROBE = """
import sys, os
root = os.path.realpath(sys.argv[1])
sys.path.insert(0, root)
exec(compile(open(root + "/root.py").read(), root + "/root.py", "exec"), {"__name__": "root"})
files = [os.path.realpath(m.__file__) for m in list(sys.modules.values()) if getattr(m, "__file__", None)]
print("\\n".join(sorted(os.path.relpath(f, root) for f in files if f.startswith(root))))
"""


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.sets(st.sampled_from(["a", "b", "c", "a.b", "c.a"]), min_size=1))
def test_the_closure_covers_all_that_python_loads(
    tmp_path_factory: pytest.TempPathFactory, shape: dict[str, set[str]], roots: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("shape")
    for path, lines in shape.items():
        (folder / path).parent.mkdir(exist_ok=True)
        tried = [f"try:\n    {line}\nexcept ImportError:\n    pass\n" for line in sorted(lines)]
        (folder / path).write_text("".join(tried))
    (folder / "root.py").write_text("".join(f"try:\n    import {name}\nexcept ImportError:\n    pass\n" for name in sorted(roots)))
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", PROBE, str(folder)], capture_output=True, text=True, check=True, timeout=30
    )
    found = modules(folder).closure(Source(folder / "root.py"), "", "")
    covered = {file.relative_to(folder).as_posix() for file in found.files}
    assert set(ran.stdout.split()) <= covered


@given(st.dictionaries(st.text(), st.text(), max_size=3), st.dictionaries(st.text(), st.text(), max_size=3))
def test_identities_differ_where_anything_does(one: dict[str, str], other: dict[str, str]) -> None:
    assert (identity("f", one, {}, {}, "3.11") == identity("f", other, {}, {}, "3.11")) == (one == other)
    base = identity("f", one, other, "sha256:1", "3.11")
    assert identity("g", one, other, "sha256:1", "3.11") != base
    assert identity("f", one, other, "sha256:2", "3.11") != base
    assert identity("f", one, other, "sha256:1", "3.12") != base


def test_nothing_is_imported_to_find_it(tmp_path: Path) -> None:
    (tmp_path / "root.py").write_text("import xmlrpc.server\nimport sklearn\n")
    before = set(sys.modules)
    found = modules(tmp_path).closure(Source(tmp_path / "root.py"), "", "")
    assert isinstance(found, Closure)
    assert found.installed == {"sklearn"}
    assert set(sys.modules) - before == set()
