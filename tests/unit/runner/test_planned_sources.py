"""What the catalogue says of an author's sources is what a step's process is held to."""

from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.components import loading
from lykeion.components.catalogue import Catalogue
from lykeion.components.loading import SourceChanged, expect

REPORT = """
from lykeion import Output, component
import helper
@component(files=["words.txt"])
def report(page: Output) -> None: ...
"""


@pytest.fixture(autouse=True)
def planned(monkeypatch) -> dict[str, str]:
    kept: dict[str, str] = {}
    monkeypatch.setattr(loading.FromSource, "planned", kept)
    return kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"report.py": REPORT, "helper.py": "X = 1\n", "words.txt": "a b", "other.py": "Y = 1\n"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def sources(folder: Path, tmp_path_factory) -> dict[str, str]:
    catalogue = Catalogue(tmp_path_factory.mktemp("cache"))
    return dict(catalogue.describe(str(folder), "./report.py:report").sources)


def test_the_sources_are_the_authors_files_with_their_digests_and_no_others(folder, sources):
    assert sources == {name: sha256((folder / name).read_bytes()).hexdigest() for name in ("report.py", "helper.py", "words.txt")}


def test_what_is_as_it_was_planned_is_accepted(folder, sources):
    expect(sources, str(folder))


@pytest.mark.parametrize("name", ["report.py", "helper.py", "words.txt"])
def test_an_edit_of_any_of_them_is_found(folder, sources, name):
    (folder / name).write_text((folder / name).read_text() + " ")
    with pytest.raises(SourceChanged, match=f"{name} was changed since this run was planned"):
        expect(sources, str(folder))


def test_a_source_that_is_gone_is_found(folder, sources):
    (folder / "helper.py").unlink()
    with pytest.raises(FileNotFoundError, match="helper"):
        expect(sources, str(folder))


def test_other_files_may_change(folder, sources):
    (folder / "other.py").write_text("Y = 2\n")
    expect(sources, str(folder))


def test_lykeions_own_components_are_not_held_to_anything(tmp_path):
    catalogue = Catalogue(tmp_path / "cache")
    assert catalogue.describe("", "lykeion.components.sources:listings").sources == {}
