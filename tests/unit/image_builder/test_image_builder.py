"""The loop: what is published with `image: true` gets an image, then its alias; whatever breaks off is done again."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lykeion.core.images.records import ImageRecord
from lykeion.daemons.image_builder import ImageBuilder, watch
from lykeion.errors import Unavailable
from lykeion.repository import Repository, open_store
from lykeion.testing.builders import NOON
from lykeion.testing.images import MemoryImages
from lykeion.testing.storage import MemoryStore

DEPLOY = {"serving": "photos", "track": "stable", "image": True, "holds": True}


@dataclass
class Clock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


@dataclass
class Bench:
    """A builder on a repository in memory. `rest` lets it work until nothing is left to do."""

    tmp: Path
    store: object = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)
    why: dict[tuple[str, int], str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repository = Repository(self.store, self.clock.now)
        self.images = MemoryImages(self.clock.now, lambda model, version: self.why.get((model, version), ""))
        self.builder = self.another()

    def another(self) -> ImageBuilder:
        return ImageBuilder(Repository(self.store, self.clock.now), self.images, self.clock, self.said.append, "test")

    def publish(self, text: str, model: str = "photos", deploy=DEPLOY, **more) -> int:
        folder = self.tmp / f"{model}-{text}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.json").write_text(text)
        return self.repository.publish(model, folder, deploy=deploy, **more).version

    def rest(self, builder: ImageBuilder | None = None) -> None:
        for _ in range(100):
            if (builder or self.builder).pass_():
                return
        raise AssertionError("it never comes to rest")

    def record(self, version: int, model: str = "photos") -> ImageRecord | None:
        return self.repository.images(model).last(version)


@pytest.fixture(params=["memory", "folder"])
def bench(request, tmp_path) -> Bench:
    return Bench(tmp_path, MemoryStore() if request.param == "memory" else open_store((tmp_path / "repository").as_uri()))


def test_a_version_gets_its_image_then_its_alias(bench):
    version = bench.publish("one")
    bench.rest()
    assert bench.record(version).state == "pushed"
    assert bench.repository.alias("photos", "stable") == version
    kinds = [entry["kind"] for entry in bench.repository.journal()]
    assert kinds == ["published", "image", "alias"]
    assert any("photos@1: localhost:5000/photos@sha256:" in line for line in bench.said)


def test_a_version_that_asks_for_no_image_is_left_alone(bench):
    bench.publish("one", deploy={"serving": "photos", "track": "stable"})
    bench.publish("two", "other", deploy={})
    bench.rest()
    assert bench.images.built == []
    assert bench.repository.alias("photos", "stable") is None


def test_what_is_published_later_is_seen_by_the_journal(bench):
    bench.rest()
    bench.publish("one")
    bench.rest()
    bench.publish("two")
    bench.rest()
    assert bench.images.built == [("photos", 1), ("photos", 2)]
    assert bench.repository.alias("photos", "stable") == 2


def test_a_publisher_that_died_before_it_told_the_journal_is_found_within_the_hour(bench):
    bench.rest()
    bench.publish("one")
    bench.builder.read = len(bench.repository.journal())  # as if the entry had never been written
    bench.rest()
    assert bench.images.built == []
    bench.clock.at += timedelta(hours=1)
    bench.rest()
    assert bench.images.built == [("photos", 1)]


def test_the_space_of_an_index_is_built_too_before_the_alias_moves(bench):
    space = bench.publish("space", "photos-space", deploy={})
    generation = bench.repository.manifest("photos-space", space).digest
    bench.publish("one", metadata={"generation": generation})
    bench.rest()
    assert bench.images.built == [("photos-space", 1), ("photos", 1)]
    assert bench.repository.alias("photos", "stable") == 1


def test_a_space_that_comes_after_its_index_is_built_when_it_comes(bench):
    folder = bench.tmp / "later"
    folder.mkdir()
    (folder / "space.json").write_text("later")
    other = Repository(MemoryStore(), bench.clock.now)
    generation = other.publish("photos-space", folder).digest
    bench.publish("one", metadata={"generation": generation})
    bench.rest()
    bench.repository.publish("photos-space", folder)
    bench.rest()
    assert bench.images.built == [("photos", 1), ("photos-space", 1)]


def test_a_failure_is_written_down_and_tried_again_after_its_pause(bench):
    version = bench.publish("one")
    bench.why["photos", version] = "the registry does not answer"
    bench.rest()
    record = bench.record(version)
    assert (record.state, record.reason, record.tries) == ("failed", "the registry does not answer", 1)
    bench.rest()
    assert bench.record(version).tries == 1
    bench.clock.at = record.next_try
    bench.rest()
    assert bench.record(version).tries == 2
    bench.why.clear()
    bench.clock.at = bench.record(version).next_try
    bench.rest()
    assert bench.record(version).state == "pushed"
    assert [one.state for one in bench.repository.images("photos").history(version)] == ["failed", "failed", "pushed"]
    assert bench.repository.alias("photos", "stable") == version


def test_one_that_fails_keeps_no_other_from_its_image(bench):
    bench.why["broken", 1] = "no wheel"
    bench.publish("x", "broken")
    bench.publish("one")
    bench.rest()
    assert bench.images.built == [("photos", 1)]


@pytest.mark.parametrize("broken_off", ["before the build", "before the record", "before the alias"])
def test_a_builder_that_ends_at_any_moment_is_followed_by_one_that_finishes(bench, broken_off):
    version = bench.publish("one")
    if broken_off == "before the record":
        bench.images.build("photos", version)
    elif broken_off == "before the alias":
        bench.repository.record_image("photos", version, bench.images.build("photos", version))
    built = len(bench.images.built)
    bench.rest(bench.another())
    assert bench.repository.alias("photos", "stable") == version
    assert len(bench.images.registry) == 1
    assert len(bench.images.built) == (built if broken_off == "before the alias" else built + 1)


def test_two_builders_leave_one_image_and_one_move(bench):
    first, second = bench.another(), bench.another()
    bench.publish("one")
    for _ in range(6):
        first.pass_()
        second.pass_()
    assert len(bench.images.registry) == 1
    assert len(bench.repository.history("photos", "stable")) == 1


def test_a_roll_back_by_hand_stays_until_something_newer_comes(bench):
    for text in ("one", "two"):
        bench.publish(text)
        bench.rest()
    bench.repository.rollback("photos", "stable")
    bench.rest()
    bench.clock.at += timedelta(hours=2)
    bench.rest()
    assert bench.repository.alias("photos", "stable") == 1
    bench.publish("three")
    bench.rest()
    assert bench.repository.alias("photos", "stable") == 3


def test_a_version_whose_gate_did_not_hold_has_an_image_and_no_alias(bench):
    bench.publish("one", deploy={**DEPLOY, "holds": False})
    bench.rest()
    assert bench.images.built == [("photos", 1)]
    assert bench.repository.alias("photos", "stable") is None


def test_the_image_of_a_version_that_was_removed_goes_with_it(bench):
    for text in ("one", "two"):
        bench.publish(text)
        bench.rest()
    bench.repository.remove("photos", 1)
    bench.rest()
    assert bench.images.registry == {bench.record(2).reference}
    assert bench.repository.images("photos").versions() == [2]


def test_a_repository_that_does_not_answer_is_asked_again(bench):
    class Down(MemoryStore):
        def get(self, key: str) -> bytes:
            raise Unavailable("the bucket does not answer")

    builder = ImageBuilder(Repository(Down()), bench.images, bench.clock, bench.said.append)
    waits: list[float] = []
    watch(builder, lambda: len(waits) == 2, waits.append)
    assert waits == [5.0, 5.0]
    assert bench.said[-1] == "the repository cannot be read: the bucket does not answer"


def test_a_damaged_record_is_written_anew_with_its_image(bench):
    version = bench.publish("one")
    bench.rest()
    bench.store.put(f"photos/images/{version}/1.json", b"{")
    bench.rest(bench.another())
    assert bench.record(version).state == "pushed"
    assert bench.images.built == [("photos", version)] * 2
    assert len(bench.images.registry) == 1


def test_a_model_that_cannot_be_read_is_said_and_keeps_no_other_from_its_image(bench):
    bench.publish("one", "broken")
    bench.rest()
    bench.store.put("broken/aliases/stable/1.json", b"{")
    bench.publish("two", "broken")
    bench.publish("one")
    bench.rest()
    assert bench.repository.alias("photos", "stable") == 1
    assert any(line.startswith("broken: cannot be looked at: broken/aliases/stable/1.json") for line in bench.said)
    bench.repository.store.delete(["broken/aliases/stable/1.json"])
    bench.clock.at += timedelta(hours=1)
    bench.rest()
    assert bench.repository.alias("broken", "stable") == 2


def test_a_damaged_version_is_passed_over_and_the_others_are_built(bench):
    bench.publish("one")
    bench.publish("two")
    bench.store.put("photos/2/manifest.json", b"{")
    bench.rest()
    assert bench.images.built == [("photos", 1)]
    assert bench.repository.alias("photos", "stable") == 1


def test_a_registry_that_deletes_nothing_is_said_and_asked_once(bench, monkeypatch):
    def kept(reference: str) -> None:
        raise Unavailable("it does not let images be deleted")

    monkeypatch.setattr(bench.images, "delete", kept)
    bench.publish("one")
    bench.rest()
    bench.repository.remove("photos", 1, force=True)
    bench.rest()
    bench.rest()
    assert [line for line in bench.said if "stays in the registry" in line] == [
        "photos@1: its image stays in the registry: it does not let images be deleted"
    ]
    assert bench.repository.images("photos").versions() == []


def test_versions_with_one_image_keep_it_until_the_last_of_them_goes(bench):
    for text in ("one", "two"):
        bench.publish(text)
        bench.rest()
    same = bench.record(1)
    bench.repository.record_image("photos", 2, same)
    bench.repository.remove("photos", 1, force=True)
    bench.rest(bench.another())
    assert same.reference in bench.images.registry
    bench.repository.remove("photos", 2, force=True)
    bench.rest(bench.another())
    assert bench.images.registry == set()
