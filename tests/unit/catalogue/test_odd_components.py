"""Components that cannot be steps, and installations that are broken: told when the pipeline is checked, at the author's line, and never
by a traceback, a step that does nothing, or a platform that waits for ever."""

import importlib
import os
import re
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.components import catalogue as module
from lykeion.components.base import Choice, Component, Output, Range, component, describe
from lykeion.components.catalogue import Catalogue
from lykeion.components.installed import installed
from lykeion.core.pipelines.check import fault_of_value
from lykeion.core.pipelines.signature import Signature
from lykeion.errors import Invalid

HEAD = "from typing import Annotated, Literal\nfrom lykeion import Choice, Input, Output, Range, component\n"


def said(catalogue: Catalogue, folder: Path, source: str, name: str = "f") -> str:
    """What is wrong with a component of this source."""
    (folder / "step.py").write_text(HEAD + source)
    with pytest.raises(Invalid) as refused:
        catalogue.describe(str(folder), f"./step.py:{name}")
    assert all(problem.file == f"{folder}/step.py" for problem in refused.value.problems)
    return str(refused.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("async def f(o: Output): ...", "without `async` and `yield`"),
        ("def f(o: Output):\n    yield 1", "without `async` and `yield`"),
        ("async def f(o: Output):\n    yield 1", "without `async` and `yield`"),
        ("def f(o: Output, *more: Input): ...", r"\*more.*name each input, output and parameter"),
        ("def f(o: Output, **more: int): ...", r"\*\*more.*name each input, output and parameter"),
        ("def f(i: Input, /, o: Output): ...", "i: everything is passed by its name: take the `/` away"),
        ("def f(i, o: Output): ...", "i: annotate it Input or Output"),
        ("def f(o: Output, *, x: int | str = 5): ...", "x: a parameter of `with:` is str, int, float, bool, list or dict"),
        ("def f(o: Output, *, x: bytes): ...", "x: a parameter of `with:` is str, int, float, bool, list or dict"),
        ("def f(o: 'Outpt'): ...", "name 'Outpt' is not defined"),
        ("def f(o: Output, *, x: int = 'a'): ...", "the default of x must be a whole number, not the text 'a'"),
        ("def f(o: Output, *, x=1): ...", "the default of x must be text, not the number 1"),
        ("def f(o: Output, *, x: Annotated[int, Range(1, 10)] = 50): ...", r"the default of x must be at most 10, not 50 \(from 1 to 10\)"),
        ("def f(o: Output, *, x: Annotated[float, Range(0)] = -1): ...", "the default of x must be at least 0, not -1"),
        ("def f(o: Output, *, x: Annotated[str, Choice('a', 'b')] = 'c'): ...", "the default of x must be one of 'a', 'b'"),
        ("def f(o: Output, *, x: Literal['a', 'b'] = 'c'): ...", "the default of x must be one of 'a', 'b'"),
        ("def f(o: Output, *, x: float = float('nan')): ...", "not JSON compliant"),
        ("def f(o: Output, *, x: list = {1, 2}): ...", "not JSON serializable"),
    ],
)
def test_a_function_that_cannot_be_a_step_is_told_with_the_way_out(catalogue, tmp_path, source, told):
    assert re.search(told, said(catalogue, tmp_path, f"@component\n{source}\n"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("files=[3]", r"files=\[3\]: say a list of paths"),
        ("partitions=-1", "partitions=-1: say into how many parts"),
        ("fingerprint='etag'", "fingerprint='etag': say a function"),
        ("files=['pipe']", r"files: pipe is no regular file \(name files only"),
        ("files=['/dev/zero']", "files: /dev/zero is no regular file"),
        ("files=['gone', 'pipe']", "a declared file is not there(.|\n)*pipe is no regular file"),
    ],
)
@pytest.mark.timeout(30)
def test_what_the_decorator_is_given_is_looked_at(catalogue, tmp_path, given, told):
    os.mkfifo(tmp_path / "pipe")
    assert re.search(told, said(catalogue, tmp_path, f"@component({given})\ndef f(o: Output): ...\n"))


def test_one_file_may_be_declared_without_a_list(catalogue, tmp_path):
    (tmp_path / "words.txt").write_text("a")
    (tmp_path / "step.py").write_text(f"{HEAD}@component(files='words.txt')\ndef f(o: Output): ...\n")
    assert "words.txt" in catalogue.describe(str(tmp_path), "./step.py:f").closure


@pytest.mark.parametrize(
    "source", ["x = " + "-" * 50_000 + "1\n", "x = " + "(" * 500 + ")" * 500 + "\n", "x = '\0'\n"], ids=["deep", "brackets", "a zero byte"]
)
def test_a_source_that_python_cannot_read_is_said_to_be_none(catalogue, tmp_path, source):
    assert "it is not Python: " in said(catalogue, tmp_path, source)


@pytest.mark.timeout(60)
def test_an_import_without_an_end_is_broken_off_and_the_others_are_described(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 3.0)
    for name, body in (("ends", ""), ("endless", "import time\nwhile True: time.sleep(1)\n"), ("after", "")):
        (tmp_path / f"{name}.py").write_text(f"{HEAD}{body}@component\ndef f(o: Output): ...\n")
    with pytest.raises(Invalid) as refused:
        catalogue.describe_all(str(tmp_path), ["./ends.py:f", "./endless.py:f", "./after.py:f"])
    (problem,) = refused.value.problems
    assert (problem.file, problem.remedy) == (f"{tmp_path}/endless.py", "do nothing at import but define things")
    assert "takes longer than 3 s" in problem.message
    monkeypatch.setattr(module.subprocess, "run", lambda *_: pytest.fail("it was imported again"))
    assert set(catalogue.describe_all(str(tmp_path), ["./ends.py:f", "./after.py:f"])) == {"./ends.py:f", "./after.py:f"}


# what parameters may say: the default is held to the same as `with:` -------------------------------------------------------------------


def test_a_default_that_says_nothing_yet_is_no_fault(catalogue, tmp_path):
    source = "@component\ndef f(o: Output, *, a: int | None = None, b: str = '', c: Annotated[int, Range(1, 3)] = 3): ...\n"
    (tmp_path / "step.py").write_text(HEAD + source)
    found = catalogue.describe(str(tmp_path), "./step.py:f").parameters
    assert {name: each.default for name, each in found.items()} == {"a": None, "b": "", "c": 3}


@given(
    st.sampled_from([int, float]),
    st.one_of(st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False, width=16), st.booleans(), st.text(max_size=2)),
    st.integers(-3, 3) | st.none(),
    st.integers(-3, 3) | st.none(),
)
def test_a_number_is_taken_where_it_is_one_and_lies_between_the_bounds(kind, value, low, high):
    def f(o: Output, *, x): ...

    f.__annotations__["x"] = Annotated[kind, Range(low, high)]
    known = describe(Component(f), "./f.py:f").parameters["x"]
    is_number = isinstance(value, kind if kind is int else (int, float)) and not isinstance(value, bool)
    fits = is_number and (low is None or value >= low) and (high is None or value <= high)
    assert (fault_of_value(known, value, None) == ("", "")) == fits


def test_a_signature_is_read_back_as_it_was_written():
    @component(role="feature", partitions=8)
    def embed(o: Output, *, how: Annotated[str, Choice("a", "b")] = "a", size: Annotated[int, Range(1, 9)] = 3): ...

    told = describe(embed, "./a.py:embed")
    assert Signature.from_json(told.to_json()) == told


# broken installations --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    there = tmp_path / "site-packages"
    there.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(there))
    monkeypatch.syspath_prepend(str(there))
    importlib.invalidate_caches()
    return there


def test_a_distribution_that_was_half_removed_belongs_to_nobody(site, tmp_path):
    """As an uninstallation leaves it that was broken off."""
    (site / "half-1.0.dist-info").mkdir()
    (site / "half-1.0.dist-info" / "top_level.txt").write_text("half_gone\n")
    (site / "empty-1.0.dist-info").mkdir()
    (site / "file-1.0.dist-info").write_text("")
    found = installed(tmp_path / "cache")
    assert found.versions_of(["half_gone"]) == {}
    assert "hypothesis" in found.versions_of(["hypothesis"])


def test_a_distribution_that_needs_itself_or_what_is_not_there_is_followed_once(site, tmp_path):
    (site / "ring-1.0.dist-info").mkdir()
    (site / "ring-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: Ring\nVersion: 1.0\nRequires-Dist: ring\nRequires-Dist: never-installed>=1\nRequires-Dist: pytest; extra == 'test'\n"
    )
    (site / "ring-1.0.dist-info" / "top_level.txt").write_text("ring\n")
    assert installed(tmp_path / "cache").versions_of(["ring"]) == {"ring": "1.0"}
