"""The loop over Servings: what it makes by itself, and how it goes on when the repository or the disk does not."""

import pytest

from lykeion.core.resources import API_VERSION, IndexServing, Metadata, SearchServing, Serving, ServingSpec
from lykeion.core.values import ModelVersion, Ref, Service
from lykeion.daemons.servings import Servings
from lykeion.errors import Corrupt, NotFound, Unavailable
from lykeion.testing.children import FakeChildren

INDEX = ModelVersion("photos", 1, "sha256:one", {"generation": "sha256:space", "embedding": "sha256:e", "dimension": 4})
SPACE = ModelVersion("photos-space", 1, "sha256:space")


class Desk:
    def __init__(self, resources, clock) -> None:
        self.resources, self.clock = resources, clock
        self.children = FakeChildren()
        self.versions = {}
        self.asked: dict[str, str] | Exception = {}
        self.loop = Servings(resources, self.children, self.resolve, self.deployed, clock)

    def resolve(self, selector: str):
        found = self.versions.get(selector)
        if isinstance(found, Exception):
            raise found
        return found

    def deployed(self):
        if isinstance(self.asked, Exception):
            raise self.asked
        return self.asked

    def publish(self) -> None:
        self.versions = {"photos@stable": INDEX, "photos-space@sha256:space": SPACE}

    def passes(self, count: int = 1) -> None:
        for _ in range(count):
            self.loop.pass_()
            self.clock.advance(1)

    def names(self) -> list[str]:
        return sorted(one.name for one in self.resources.list("Serving"))

    def ready(self, name: str):
        serving = self.resources.get("Serving", name)
        return next(one for one in serving.status.conditions if one.type == "Ready")

    def answer(self) -> None:
        """Every service is up and has applied its documents."""
        for name, wanted in list(self.children.wanted.items()):
            if isinstance(wanted, Service):
                documents = self.children.observe(wanted.owner)
                said = {one.name: one.digest for one in documents.values() if one.kind == "Document"}
                self.children.becomes(name, phase="Running", ready=1, addresses=(f"unix:/{name}",), acknowledged=said)


@pytest.fixture
def desk(resources, clock) -> Desk:
    return Desk(resources, clock)


@pytest.fixture
def up(desk) -> Desk:
    """A family that is served."""
    desk.publish()
    desk.asked = {"photos": "stable"}
    for _ in range(6):
        desk.passes()
        desk.answer()
    assert desk.ready("photos").status == "True"
    return desk


def by_hand(name: str, **spec) -> Serving:
    return Serving(api_version=API_VERSION, metadata=Metadata(name=name), spec=ServingSpec(**spec))


def test_a_version_published_to_be_served_gets_its_two_servings_once(desk, monkeypatch):
    made = []
    create = desk.resources.create
    monkeypatch.setattr(desk.resources, "create", lambda one: made.append(one.name) or create(one))
    desk.asked = {"photos": "stable"}
    desk.passes(5)
    assert desk.names() == ["photos", "photos-index"]
    assert sorted(made) == ["photos", "photos-index"]


def test_a_serving_made_by_hand_stays_as_it_was_made(desk):
    desk.resources.create(by_hand("photos", search=SearchServing(family="photos"), workers=3, track="canary"))
    desk.asked = {"photos": "stable"}
    desk.passes(3)
    kept = desk.resources.get("Serving", "photos")
    assert (kept.spec.workers, kept.spec.track, kept.metadata.generation) == (3, "canary", 1)
    assert desk.names() == ["photos", "photos-index"]


def test_without_a_version_it_says_so_and_how_to_get_one(desk):
    desk.resources.create(by_hand("photos-index", index=IndexServing(family="photos")))
    desk.passes()
    assert (desk.ready("photos-index").status, desk.ready("photos-index").reason) == ("False", "NoVersion")
    assert desk.children.wanted == {}


def test_a_published_version_is_served(up):
    assert up.resources.get("Serving", "photos").status.serving == ("photos@1",)
    assert {"photos", "photos-index"} <= set(up.children.wanted)


def test_a_status_is_not_written_while_nothing_changes(up, monkeypatch):
    written = []
    write = up.resources.write_status
    monkeypatch.setattr(up.resources, "write_status", lambda one: written.append(one.name) or write(one))
    up.passes(20)
    assert written == []


def test_the_children_of_a_deleted_serving_are_ended(up):
    up.asked = {}
    up.resources.delete("Serving", "photos")
    up.resources.delete("Serving", "photos-index")
    up.passes()
    assert up.children.wanted == {}


@pytest.mark.parametrize("wrong", [Corrupt("photos/2/manifest.json is not what was published"), Unavailable("the store does not answer")])
def test_a_repository_that_cannot_be_read_is_the_reason_why_nothing_is_ready(desk, wrong):
    desk.resources.create(by_hand("photos-index", index=IndexServing(family="photos")))
    desk.versions["photos@stable"] = wrong
    desk.asked = wrong
    desk.passes(3)
    told = desk.ready("photos-index")
    assert (told.status, told.reason, told.message) == ("False", type(wrong).__name__, str(wrong))
    desk.publish()
    desk.passes()
    assert desk.ready("photos-index").reason == "Starting"


def test_what_answers_goes_on_answering_while_the_repository_cannot_be_read(up):
    wanted = dict(up.children.wanted)
    up.versions = dict.fromkeys(("photos@stable", "photos-space@sha256:space"), Unavailable("the store does not answer"))
    up.asked = Unavailable("the store does not answer")
    up.passes(3)
    assert up.children.wanted == wanted
    for name in ("photos", "photos-index"):
        told = up.ready(name)
        assert told.status == "True"
        assert "the store does not answer" in told.message
    up.publish()
    up.passes()
    assert "the store" not in up.ready("photos").message


def test_what_changed_while_a_status_was_written_is_seen_on_the_next_pass(up, monkeypatch):
    kept = up.resources.get("Serving", "photos")
    take_in = up.loop.take_in
    monkeypatch.setattr(up.loop, "take_in", lambda: None)
    up.resources.apply(kept.model_copy(update={"spec": kept.spec.model_copy(update={"workers": 2})}))
    up.children.becomes("photos", ready=0, addresses=())
    up.passes()
    monkeypatch.setattr(up.loop, "take_in", take_in)
    up.passes()
    assert "2" in up.children.wanted["photos"].argv
    assert up.ready("photos").reason == "Starting"


def test_a_serving_deleted_while_its_status_was_to_be_written_is_no_error(up, monkeypatch):
    take_in = up.loop.take_in
    monkeypatch.setattr(up.loop, "take_in", lambda: None)
    up.asked = {}
    up.resources.delete("Serving", "photos")
    up.children.becomes("photos", ready=0, addresses=())
    up.passes()
    monkeypatch.setattr(up.loop, "take_in", take_in)
    up.passes()
    with pytest.raises(NotFound):
        up.resources.get("Serving", "photos")
    assert up.children.observe(Ref("Serving", "photos")) == {}


def test_a_full_disk_ends_nothing(desk, monkeypatch):
    def full(*_):
        raise Unavailable("the disk is full")

    desk.publish()
    desk.asked = {"photos": "stable"}
    kept = {name: getattr(desk.resources, name) for name in ("create", "write_status", "record")}
    for name in kept:
        monkeypatch.setattr(desk.resources, name, full)
    desk.passes(3)
    for name, method in kept.items():
        monkeypatch.setattr(desk.resources, name, method)
    desk.passes(2)
    assert desk.names() == ["photos", "photos-index"]


def test_it_looks_again_soon_while_something_is_under_way_and_later_otherwise(up):
    assert up.loop.pass_() == 1.0
    up.children.becomes("photos", ready=0, addresses=())
    assert up.loop.pass_() == 0.2
