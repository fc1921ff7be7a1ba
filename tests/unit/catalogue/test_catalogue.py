"""Descriptions, identities and problems of components."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lykeion.components import catalogue as module
from lykeion.components.catalogue import Catalogue
from lykeion.errors import Invalid
from lykeion.testing.effort import calls

FILE = "./report.py:report"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch):
    """From now on nothing may be imported."""

    def forbid() -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise AssertionError("it was imported again")

        monkeypatch.setattr(module.subprocess, "run", refuse)

    return forbid


def test_a_component_says_what_it_takes_and_what_it_is_made_of(catalogue: Catalogue, pipeline: Path) -> None:
    found = catalogue.describe(str(pipeline), FILE)
    assert found.component == f"{pipeline}/report.py:report"
    assert (list(found.inputs), list(found.outputs)) == (["index"], ["page"])
    assert (found.parameters["size"].default, found.parameters["title"].required) == (3, True)
    assert found.description == "Writes a page."
    assert found.closure == ("helper.py", "pkg/__init__.py", "pkg/deep.py", "pkg/near.py", "pkg/other.py", "report.py", "vocabulary.txt")
    assert found.imports == ()
    assert found.identity.startswith("sha256:")


def test_what_was_described_is_not_imported_again(catalogue: Catalogue, pipeline: Path, offline) -> None:
    first = catalogue.describe(str(pipeline), FILE)
    offline()
    assert catalogue.describe(str(pipeline), FILE) == first
    assert Catalogue(catalogue.cache).describe(str(pipeline), "report:report").identity == first.identity


def test_the_same_code_elsewhere_is_the_same(catalogue: Catalogue, pipeline: Path, tmp_path: Path, offline) -> None:
    first = catalogue.describe(str(pipeline), FILE)
    offline()
    shutil.copytree(pipeline, tmp_path / "elsewhere" / "deeper")
    found = catalogue.describe(str(tmp_path / "elsewhere" / "deeper"), FILE)
    assert found.identity == first.identity
    assert found.component != first.component


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("report.py", True),
        ("helper.py", True),
        ("pkg/__init__.py", True),
        ("pkg/deep.py", True),
        ("pkg/near.py", True),
        ("pkg/other.py", True),
        ("vocabulary.txt", True),
        ("pkg/unused.py", False),
        ("unrelated.py", False),
        ("notes.md", False),
    ],
)
def test_identity_changes_with_the_code_and_with_nothing_else(catalogue: Catalogue, pipeline: Path, path: str, changes: bool) -> None:
    before = catalogue.describe(str(pipeline), FILE).identity
    file = pipeline / path
    old = file.read_text() if file.exists() else ""
    file.write_text(old + "\n# more\n")
    assert (catalogue.describe(str(pipeline), FILE).identity != before) is changes
    file.write_text(old)
    assert catalogue.describe(str(pipeline), FILE).identity == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("./report.py:report", "./pages.py:report"),
        ("pkg.report:report", "pkg.pages:report"),
        ("./report.py:report", "./pkg/report.py:report"),
    ],
)
def test_a_renamed_file_is_another_component_since_pickles_name_it(catalogue: Catalogue, pipeline: Path, before: str, after: str) -> None:
    for name in ("report.py", "pages.py", "pkg/report.py", "pkg/pages.py"):
        (pipeline / name).write_text((pipeline / "report.py").read_text())
    (pipeline / "pkg" / "vocabulary.txt").write_text("a b c")
    assert catalogue.describe(str(pipeline), before).identity != catalogue.describe(str(pipeline), after).identity


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("steps/rel.py", 'name the component "steps.rel:go", which makes its folder a package, or import without the dot'),
        ("rel.py", "a file that is named by its path is in no package: import without the dot"),
        ("some-steps/rel.py", "a file that is named by its path is in no package: import without the dot"),
    ],
)
def test_a_relative_import_of_a_file_is_told_with_the_way_out(catalogue: Catalogue, tmp_path: Path, where: str, told: str) -> None:
    file = tmp_path / where
    file.parent.mkdir(exist_ok=True)
    (file.parent / "util.py").write_text("def double(x): return 2 * x\n")
    file.write_text("from lykeion import Output, component\nfrom .util import double\n@component\ndef go(out: Output) -> None: ...\n")
    with pytest.raises(Invalid) as caught:
        catalogue.describe(str(tmp_path), f"./{where}:go")
    (problem,) = caught.value.problems
    assert told in problem.remedy
    assert (problem.file, problem.line) == (str(file), 2)
    assert where != "steps/rel.py" or catalogue.describe(str(tmp_path), "steps.rel:go").identity


def test_times_do_not_matter(catalogue: Catalogue, pipeline: Path) -> None:
    before = catalogue.describe(str(pipeline), FILE)
    for file in pipeline.rglob("*.py"):
        file.touch()
    assert catalogue.describe(str(pipeline), FILE) == before


def test_a_file_that_comes_to_stand_before_an_installed_package_is_noticed(catalogue: Catalogue, pipeline: Path) -> None:
    (pipeline / "helper.py").write_text("import yaml\n")
    before = catalogue.describe(str(pipeline), FILE)
    assert before.imports == ("yaml",)
    (pipeline / "yaml.py").write_text("mine = True\n")
    after = catalogue.describe(str(pipeline), FILE)
    assert after.imports == ()
    assert after.identity != before.identity


def test_modules_that_change_places_are_another_component(catalogue: Catalogue, pipeline: Path) -> None:
    text = "from lykeion import component, Output\nimport one, two\n@component\ndef f(o: Output) -> None: ...\n"
    (pipeline / "swap.py").write_text(text)
    (pipeline / "one.py").write_text("x = 1\n")
    (pipeline / "two.py").write_text("x = 2\n")
    before = catalogue.describe(str(pipeline), "./swap.py:f").identity
    (pipeline / "one.py").write_text("x = 2\n")
    (pipeline / "two.py").write_text("x = 1\n")
    assert catalogue.describe(str(pipeline), "./swap.py:f").identity != before


def test_the_lock_decides_by_its_content(catalogue: Catalogue, pipeline: Path, tmp_path: Path) -> None:
    one, same, other = tmp_path / "a.lock", tmp_path / "b.lock", tmp_path / "c.lock"
    one.write_text("not-reached==2.1")
    same.write_text("not-reached==2.1")
    other.write_text("not-reached==2.2")
    identities = [catalogue.describe(str(pipeline), FILE, lock).identity for lock in (None, one, same, other)]
    assert identities[1] == identities[2]
    assert len(set(identities)) == 3


def test_without_a_lock_the_versions_of_what_is_imported_decide(catalogue: Catalogue, pipeline: Path, monkeypatch) -> None:
    (pipeline / "helper.py").write_text("import numpy\n")
    (pipeline / "plain.py").write_text("from lykeion import component, Output\n@component\ndef f(o: Output) -> None: ...\n")
    using, plain = (catalogue.describe(str(pipeline), name).identity for name in (FILE, "./plain.py:f"))
    real = module.installed

    def upgraded(cache: Path):
        known = real(cache)
        return module.Installed(known.providers, {**known.versions, "numpy": "99"}, known.needs)

    monkeypatch.setattr(module, "installed", upgraded)
    assert catalogue.describe(str(pipeline), FILE).identity != using
    assert catalogue.describe(str(pipeline), "./plain.py:f").identity == plain


def test_every_problem_is_told_at_once_with_its_place(catalogue: Catalogue, pipeline: Path) -> None:
    (pipeline / "broken.py").write_text("def f(:\n")
    (pipeline / "raises.py").write_text("x = 1\n\nraise ValueError('at import')\n")
    (pipeline / "needs.py").write_text("import not_installed_anywhere\n")
    (pipeline / "plain.py").write_text("def f(): ...\n")
    (pipeline / "badly.py").write_text("from lykeion import component\n@component\ndef f(x: int) -> None: ...\n")
    (pipeline / "exits.py").write_text("import sys\nprint('hello')\nsys.exit(3)\n")
    (pipeline / "dies.py").write_text("import os\nos.abort()\n")
    wanted = ["./reprt.py:report", "nonsense", "./broken.py:f", "./raises.py:f", "./needs.py:f", "./plain.py:f", "./plain.py:g"]
    wanted += ["./badly.py:f", "./exits.py:f", "./dies.py:f", "lykeion.components.bas:x", FILE, "json:loads", "nowhere.at.all:f"]
    with pytest.raises(Invalid) as caught:
        catalogue.describe_all(str(pipeline), wanted)
    told = {str(problem.value).rpartition("/")[2]: problem for problem in caught.value.problems}
    text = str(caught.value)
    assert len(caught.value.problems) == len(wanted) - 1
    assert "did you mean report.py?" in text
    assert f"{pipeline}/broken.py:1" in text
    assert f"{pipeline}/raises.py:3: component: ValueError: at import" in text
    assert f"{pipeline}/needs.py:1" in text
    assert "install not_installed_anywhere" in text
    assert "write @component above it" in told["plain.py:f"].message
    assert "no 'g'" in told["plain.py:g"].message
    assert "annotate it Input or Output" in told["badly.py:f"].message
    assert "SystemExit: 3" in told["exits.py:f"].message
    assert "ended Python with code" in told["dies.py:f"].message
    assert "did you mean lykeion.components.base?" in text
    assert "Traceback" not in text


def test_a_declared_file_that_is_missing_is_a_problem(catalogue: Catalogue, pipeline: Path) -> None:
    (pipeline / "vocabulary.txt").unlink()
    with pytest.raises(Invalid, match=r"files: a declared file is not there \(paths in files= are relative"):
        catalogue.describe(str(pipeline), FILE)


def test_a_declared_folder_stands_for_all_that_is_in_it(catalogue: Catalogue, pipeline: Path) -> None:
    (pipeline / "report.py").write_text((pipeline / "report.py").read_text().replace("vocabulary.txt", "words"))
    (pipeline / "words" / "more").mkdir(parents=True)
    (pipeline / "words" / "more" / "a.txt").write_text("a")
    before = catalogue.describe(str(pipeline), FILE)
    assert "words/more/a.txt" in before.closure
    (pipeline / "words" / "b.txt").write_text("b")
    assert catalogue.describe(str(pipeline), FILE).identity != before.identity


def test_two_folders_may_have_helpers_of_the_same_name(catalogue: Catalogue, tmp_path: Path) -> None:
    for name in ("left", "right"):
        text = f"from lykeion import component, Output\nfrom helper import {name}\n@component\ndef f(o: Output) -> None: ...\n"
        (tmp_path / name).mkdir()
        (tmp_path / name / "step.py").write_text(text)
        (tmp_path / name / "helper.py").write_text(f"{name} = 1\n")
    found = catalogue.describe_all(str(tmp_path), ["left/step.py:f", "right/step.py:f"])
    assert [each.closure for each in found.values()] == [("left/helper.py", "left/step.py"), ("right/helper.py", "right/step.py")]


def test_what_an_author_prints_at_import_does_no_harm(catalogue: Catalogue, pipeline: Path) -> None:
    (pipeline / "helper.py").write_text("import os\nprint('hello')\nos.write(1, b'raw')\n")
    assert catalogue.describe(str(pipeline), FILE).role == "report"


def test_a_damaged_cache_is_made_anew(catalogue: Catalogue, pipeline: Path) -> None:
    first = catalogue.describe(str(pipeline), FILE)
    for file in catalogue.cache.rglob("*.json"):
        file.write_text("{")
    assert catalogue.describe(str(pipeline), FILE) == first


def test_a_cache_that_cannot_be_written_costs_time_only(pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Catalogue(tmp_path / "file" / "components").describe(str(pipeline), FILE).role == "report"


def test_threads_that_describe_at_once_agree(catalogue: Catalogue, pipeline: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: catalogue.describe(str(pipeline), FILE), range(4)))
    assert found == [found[0]] * 4
    assert list(catalogue.cache.rglob(".*")) == []


def test_a_thousand_steps_of_one_component_cost_next_to_nothing(catalogue: Catalogue, pipeline: Path) -> None:
    catalogue.describe(str(pipeline), FILE)
    one = calls(lambda: catalogue.describe_all(str(pipeline), [FILE]))
    assert calls(lambda: catalogue.describe_all(str(pipeline), [FILE] * 1000)) == one
