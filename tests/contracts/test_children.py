"""What every engine's children keep to, as far as it shows without running anything: the fake and one machine alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lykeion.adapters.local.children import LocalChildren
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.services import Services
from lykeion.core.content import digest_of_value
from lykeion.core.values import Document, Ref, Route, Service, Target
from lykeion.ports import Children
from lykeion.testing.children import FakeChildren
from lykeion.testing.clock import FakeClock

MINE, OTHER = Ref("Serving", "photos"), Ref("Serving", "shoes")


@pytest.fixture(params=["fake", "local"])
def children(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Children]:
    if request.param == "fake":
        made: Children = FakeChildren()
    else:
        home = Home.at(tmp_path / "home")
        made = LocalChildren(home, None, Services(home, FakeClock(), lambda model: None), mount=lambda model: None)
    yield made
    made.close()


def test_children_are_told_to_their_owner_alone(children: Children) -> None:
    children.apply(Document("a", MINE, {}))
    children.apply(Route("b", MINE, "/v1/b", (Target("c"),)))
    children.apply(Service("c", MINE, ("sleep", "60"), drain=0.1))
    children.apply(Document("d", OTHER, {}))
    assert {name: child.kind for name, child in children.observe(MINE).items()} == {"a": "Document", "b": "Route", "c": "Service"}
    assert list(children.observe(OTHER)) == ["d"]


def test_a_documents_digest_is_that_of_its_canonical_content(children: Children) -> None:
    children.apply(Document("a", MINE, {"z": 1, "b": [2.5, None, "ü"]}))
    child = children.observe(MINE)["a"]
    assert (child.digest, child.content) == (digest_of_value({"b": [2.5, None, "ü"], "z": 1}), {"z": 1, "b": [2.5, None, "ü"]})


def test_a_document_is_replaced_by_name(children: Children) -> None:
    children.apply(Document("a", MINE, {"n": 1}))
    children.apply(Document("a", MINE, {"n": 2}))
    assert children.observe(MINE)["a"].content == {"n": 2}


def test_a_document_may_change_hands(children: Children) -> None:
    children.apply(Document("a", MINE, {}))
    children.apply(Document("a", OTHER, {}))
    assert list(children.observe(MINE)) == []
    assert list(children.observe(OTHER)) == ["a"]


def test_what_is_deleted_is_gone_and_deleting_again_does_nothing(children: Children) -> None:
    children.apply(Document("a", MINE, {}))
    children.apply(Route("b", MINE, "/v1/b", (Target("c"),)))
    for _ in range(2):
        children.delete("a")
        children.delete("b")
    assert children.observe(MINE) == {}


def test_waiting_ends_when_the_time_is_over(children: Children) -> None:
    children.wait(0.05)


def test_a_route_without_a_ready_target_has_no_address(children: Children) -> None:
    children.apply(Route("b", MINE, "/v1/b", (Target("c"),)))
    child = children.observe(MINE)["b"]
    assert (child.phase, child.addresses) == ("Pending", ())
