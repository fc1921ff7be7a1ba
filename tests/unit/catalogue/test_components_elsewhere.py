"""Components that are not in the pipeline's folder: installed, on the import path, and those that come with Lykeion."""

import importlib
from pathlib import Path

import pytest

from lykeion.components.catalogue import Catalogue
from lykeion.components.installed import Installed, installed, normal

STEP = "from lykeion import Output, component\nimport other_module\n\n@component\ndef f(o: Output) -> None: ...\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a module on the import path of this process and of those it starts."""

    def put(folder: str, step: str = STEP) -> Path:
        there = tmp_path / folder
        there.mkdir(parents=True, exist_ok=True)
        (there / "their_steps.py").write_text(step)
        (there / "other_module.py").write_text("x = 1\n")
        info = there / "their_steps-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: their-steps\nVersion: 1.0\nRequires-Dist: PyYAML>=6; python_version>'3'\n"
        )
        (info / "top_level.txt").write_text("their_steps\n")
        monkeypatch.setenv("PYTHONPATH", str(there))
        monkeypatch.syspath_prepend(str(there))
        importlib.invalidate_caches()
        return there

    return put


def test_an_installed_component_is_its_module_and_the_versions_behind_it(place, catalogue: Catalogue, tmp_path: Path) -> None:
    there = place("site-packages")
    before = catalogue.describe(str(tmp_path), "their_steps:f")
    assert before.closure == ("site-packages/their_steps.py",)
    assert before.imports == ("their_steps",)
    (there / "other_module.py").write_text("x = 2\n")
    assert catalogue.describe(str(tmp_path), "their_steps:f").identity == before.identity
    (there / "their_steps-1.0.dist-info").rename(there / "their_steps-1.1.dist-info")
    (there / "their_steps-1.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: their-steps\nVersion: 1.1\n")
    assert catalogue.describe(str(tmp_path), "their_steps:f").identity != before.identity


def test_source_on_the_import_path_is_followed(place, catalogue: Catalogue, tmp_path: Path) -> None:
    there = place("checkout")
    before = catalogue.describe(str(tmp_path / "pipeline"), "their_steps:f")
    assert [Path(path).name for path in before.closure] == ["other_module.py", "their_steps.py"]
    (there / "other_module.py").write_text("x = 2\n")
    assert catalogue.describe(str(tmp_path / "pipeline"), "their_steps:f").identity != before.identity


def test_those_that_come_with_lykeion_stop_at_the_sdk(catalogue: Catalogue, tmp_path: Path) -> None:
    found = catalogue.describe(str(tmp_path), "lykeion.components.publish:publish")
    assert [Path(path).name for path in found.closure] == ["publish.py"]
    assert found.reads_outside


def test_what_a_distribution_needs_counts_with_it() -> None:
    known = Installed(
        {"a": ["dist-a"]},
        {"dist-a": "1", "dist-b": "2", "dist-c": "3", "alone": "4"},
        {"dist-a": ["dist-b"], "dist-b": ["dist-c", "dist-a"]},
    )
    assert known.versions_of(["a", "unknown"]) == {"dist-a": "1", "dist-b": "2", "dist-c": "3"}


def test_what_is_installed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = installed(tmp_path)
    monkeypatch.setattr("lykeion.components.installed.read_installed", None)
    assert installed(tmp_path) == first
    versions = first.versions_of(["sklearn"])
    assert {"scikit-learn", "numpy", "scipy"} <= set(versions)
    assert "pytest" not in versions


def test_names_of_distributions_are_compared_as_pypi_does() -> None:
    assert normal("Foo_Bar.baz--x") == "foo-bar-baz-x"
