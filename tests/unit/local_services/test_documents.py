"""Documents and the table of routes as files: whole or as before, whatever fails in between."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lykeion.adapters.local.documents import Documents, Routes
from lykeion.adapters.local.home import Home
from lykeion.core.content import canonical, digest_of_value
from lykeion.core.values import Document, ModelVersion, Ref, Route, Target
from lykeion.errors import NotFound

MINE, OTHER = Ref("Serving", "photos"), Ref("Serving", "shoes")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=8
)
MODEL = ModelVersion("photos", 1, "sha256:1")


def mount_nothing(model: ModelVersion) -> None:
    raise NotFound(f"{model.model}@{model.version}: there is none")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def unwritable(home: Home) -> Iterator[Home]:
    """As on a full disk: new files cannot be made (a folder stands where each would be written)."""
    blocked = [home.documents / ".a.json.new", home.documents / ".routes.json.new"]
    for place in blocked:
        place.mkdir()
    yield home
    for place in blocked:
        if place.is_dir():
            place.rmdir()


def test_a_file_is_the_canonical_content_and_its_digest(home: Home) -> None:
    documents = Documents(home, lambda model: None)
    content = {"z": [1.5, None], "a": "ü"}
    assert documents.apply(Document("a", MINE, content))
    assert (home.documents / "a.json").read_bytes() == canonical(content)
    assert documents.observe(MINE)["a"].digest == digest_of_value(content)


def test_the_same_again_writes_nothing(home: Home) -> None:
    documents = Documents(home, lambda model: None)
    documents.apply(Document("a", MINE, {"n": 1}))
    before = (home.documents / "a.json").stat()
    assert not documents.apply(Document("a", MINE, {"n": 1}))
    assert not Documents(home, lambda model: None).apply(Document("a", MINE, {"n": 1}))
    after = (home.documents / "a.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([MINE, OTHER]), st.none() | JSON), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_after_any_changes_another_life_sees_the_same(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    """None deletes."""
    home = Home.at(tmp_path_factory.mktemp("home") / "h")
    documents, wanted = Documents(home, lambda model: None), {}
    for name, owner, content in steps:
        if content is None:
            documents.delete(name)
            wanted.pop(name, None)
        else:
            documents.apply(Document(name, owner, content))
            wanted[name] = (owner, content)
    for life in (documents, Documents(home, lambda model: None)):
        seen = {name: (owner, child.content) for owner in (MINE, OTHER) for name, child in life.observe(owner).items()}
        assert seen == wanted
    assert {path.stem for path in home.documents.glob("*.json")} == wanted.keys()


def test_what_cannot_be_mounted_keeps_the_old_content_and_says_why(home: Home) -> None:
    documents = Documents(home, mount_nothing)
    documents.apply(Document("a", MINE, {"n": 1}))
    assert documents.apply(Document("a", MINE, {"n": 2}, (MODEL,)))
    child = documents.observe(MINE)["a"]
    assert (child.phase, child.reason, child.content) == ("Pending", "MountFailed", {"n": 1})
    assert "photos@1: there is none" in child.message
    assert not documents.apply(Document("a", MINE, {"n": 2}, (MODEL,))), "nothing new to tell"
    assert json.loads((home.documents / "a.json").read_bytes()) == {"n": 1}
    assert documents.apply(Document("a", MINE, {"n": 3}))
    assert documents.observe(MINE)["a"].phase == "Running"


def test_what_cannot_be_written_says_so_and_is_written_later(unwritable: Home) -> None:
    documents = Documents(unwritable, lambda model: None)
    documents.apply(Document("a", MINE, {"n": 1}))
    assert documents.observe(MINE)["a"].reason == "DiskFull"
    assert not (unwritable.documents / "a.json").exists()
    (unwritable.documents / ".a.json.new").rmdir()
    documents.apply(Document("a", MINE, {"n": 1}))
    assert documents.observe(MINE)["a"].phase == "Running"
    assert json.loads((unwritable.documents / "a.json").read_bytes()) == {"n": 1}


def test_damaged_files_of_an_earlier_life_are_passed_over(home: Home) -> None:
    documents = Documents(home, lambda model: None)
    documents.apply(Document("a", MINE, {}))
    documents.apply(Document("b", MINE, {}))
    (home.documents / "a.json").write_bytes(b"{")
    assert list(Documents(home, lambda model: None).observe(MINE)) == ["b"]
    (home.documents / ".owners").write_bytes(b"\xff")
    assert Documents(home, lambda model: None).observe(MINE) == {}


def test_routes_tell_the_addresses_of_the_moment(home: Home) -> None:
    where: dict[str, tuple[str, ...]] = {}
    routes = Routes(home, lambda service: where.get(service, ()))
    assert json.loads(home.routes.read_bytes()) == []
    routes.apply(Route("r", MINE, "/v1/a", (Target("new", 10), Target("old", 90))))
    where |= {"new": ("unix:/n",), "old": ("unix:/o1", "unix:/o2")}
    routes.refresh()
    (row,) = json.loads(home.routes.read_bytes())
    assert row["prefix"] == "/v1/a"
    assert row["targets"] == [
        {"service": "new", "weight": 10, "addresses": ["unix:/n"]},
        {"service": "old", "weight": 90, "addresses": ["unix:/o1", "unix:/o2"]},
    ]
    assert routes.observe(MINE)["r"].addresses == ("unix:/n", "unix:/o1", "unix:/o2")
    before = os.stat(home.routes).st_ino
    routes.refresh()
    assert os.stat(home.routes).st_ino == before, "the same table is not written again"
    assert routes.delete("r")
    assert json.loads(home.routes.read_bytes()) == []


def test_a_table_that_cannot_be_written_is_written_later(unwritable: Home) -> None:
    routes = Routes(unwritable, lambda service: ("unix:/x",))
    routes.apply(Route("r", MINE, "/v1/a", (Target("s"),)))
    assert not unwritable.routes.exists()
    (unwritable.documents / ".routes.json.new").rmdir()
    routes.refresh()
    assert json.loads(unwritable.routes.read_bytes())[0]["name"] == "r"
