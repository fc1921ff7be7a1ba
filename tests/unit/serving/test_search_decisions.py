"""What Servings of a family decide, state by state."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lykeion.core.resources import IndexServing, Metadata, SearchServing, Serving, ServingSpec
from lykeion.core.serving.search import decide
from lykeion.core.values import Child, Decision, Document, ModelVersion, Observed, Ref, Route, Service

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SPACE = ModelVersion("photos-space", 4, "sha256:space")
SPACE_2 = ModelVersion("photos-space", 5, "sha256:space2")


def version(number: int, generation: str = "sha256:space") -> ModelVersion:
    return ModelVersion(
        "photos", number, f"sha256:v{number}", {"generation": generation, "embedding": "sha256:e", "dimension": 8, "rows": 5}
    )


V1, V2, V3 = version(1), version(2), version(3)
VERSIONS = {"photos-space@sha256:space": SPACE, "photos-space@sha256:space2": SPACE_2}


class World:
    """A family under two Servings, with an engine that does at once what it is told; acknowledgements come when `settle` is called."""

    def __init__(self, stable: ModelVersion | None = V1) -> None:
        self.versions = dict(VERSIONS)
        self.move(stable)
        self.children: dict[str, dict[str, Child]] = {"photos": {}, "photos-index": {}}
        self.resources = {
            "photos": Serving(metadata=Metadata(name="photos", generation=3), spec=ServingSpec(search=SearchServing(family="photos"))),
            "photos-index": Serving(
                metadata=Metadata(name="photos-index"), spec=ServingSpec(index=IndexServing(family="photos"), workers=2)
            ),
        }
        self.tick = 0

    def move(self, stable: ModelVersion | None) -> None:
        self.versions.pop("photos@stable", None)
        if stable:
            self.versions["photos@stable"] = stable

    def decide(self, name: str) -> Decision:
        other = "photos" if name == "photos-index" else "photos-index"
        related = {Ref("Serving", other): self.children[other]}
        decision = decide(Observed(self.resources[name], self.children[name], NOW, versions=self.versions, related=related))
        for applied in decision.apply:
            self.apply(name, applied)
        self.resources[name] = self.resources[name].model_copy(update={"status": decision.status})
        return decision

    def apply(self, name: str, applied: object) -> None:
        kept = self.children[name]
        if isinstance(applied, Service) and applied.name not in kept:
            kept[applied.name] = Child(applied.name, "Service")
        elif isinstance(applied, Document):
            self.tick += 1
            old = kept.get(applied.name)
            digest = old.digest if old and old.content == applied.content else f"sha256:document{self.tick}"
            kept[applied.name] = Child(applied.name, "Document", "Running", digest=digest, content=applied.content)

    def settle(self, name: str) -> None:
        """Every worker of a Serving has applied the documents as they are."""
        acknowledged = {child.name: child.digest for child in self.children[name].values() if child.kind == "Document"}
        addresses = (f"unix:/run/{name}.0", f"unix:/run/{name}.1")
        up = replace(self.children[name][name], phase="Running", ready=1, addresses=addresses, acknowledged=acknowledged)
        self.children[name][name] = up

    def until_serving(self) -> None:
        for _ in range(3):
            for name in ("photos-index", "photos"):
                self.decide(name)
                self.settle(name)
        self.decide("photos")

    @property
    def loads(self) -> list[int]:
        return [one["version"] for one in self.children["photos-index"]["photos-index-load"].content["load"]]

    @property
    def covers(self) -> list[int]:
        found = self.children["photos"].get("photos-cover")
        return [one["version"] for one in found.content["indexes"]] if found else []


def ready(decision: Decision) -> tuple[str, str, str]:
    (condition,) = decision.status.conditions
    return condition.status, condition.reason, condition.message


@pytest.mark.parametrize("name", ["photos", "photos-index"])
def test_without_a_version_nothing_is_started_and_the_remedy_is_said(name):
    decision = World(stable=None).decide(name)
    assert decision.apply == ()
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "NoVersion")
    assert "lykeion models alias photos stable" in message


def test_an_index_serving_asks_for_servers_and_says_what_they_hold():
    service, document = World().decide("photos-index").apply
    assert service.name == "photos-index"
    assert service.argv[:3] == ("python", "-m", "lykeion.servers.index_server")
    assert service.argv[-2:] == ("--workers", "2")
    assert document.models == (V1,)
    assert document.content["load"] == [
        {
            "model": "photos",
            "version": 1,
            "digest": "sha256:v1",
            "metadata": {"generation": "sha256:space", "embedding": "sha256:e", "dimension": 8},
        }
    ]


def test_no_cover_is_given_before_every_index_worker_holds_the_version():
    world = World()
    world.decide("photos-index")
    decision = world.decide("photos")
    assert {type(applied) for applied in decision.apply} == {Service, Route}
    assert ready(decision)[:2] == ("False", "Loading")
    world.settle("photos-index")
    assert world.decide("photos").apply[2].content["indexes"][0]["addresses"] == ["unix:/run/photos-index.0", "unix:/run/photos-index.1"]


def test_a_family_comes_up_and_says_so():
    world = World()
    world.until_serving()
    status = world.decide("photos").status
    assert status.conditions[0].status == "True"
    assert (status.serving, status.url, status.ready_workers, status.observed_generation) == (("photos@1",), "/v1/search/photos", 2, 3)
    assert world.decide("photos-index").status.serving == ("photos@1",)
    assert world.decide("photos").look_again is None


def test_the_space_is_found_by_content_and_mounted_with_the_cover():
    world = World()
    world.until_serving()
    cover = next(applied for applied in world.decide("photos").apply if isinstance(applied, Document))
    assert cover.models == (SPACE,)
    assert cover.content["space"]["version"] == 4
    assert cover.content["embedding"] == "sha256:e"


def test_an_index_whose_space_is_nowhere_is_not_served_and_the_reason_is_said():
    world = World(stable=version(1, "sha256:lost"))
    world.decide("photos-index")
    world.settle("photos-index")
    decision = world.decide("photos")
    assert decision.apply == ()
    assert ready(decision)[1] == "NoSpace"
    assert "photos@1 was built in the space sha256:lost" in ready(decision)[2]


def test_a_new_version_is_loaded_beside_the_old_one_then_covered_then_the_old_one_goes():
    world = World()
    world.until_serving()
    world.move(V2)
    world.decide("photos-index")
    assert (world.loads, world.covers) == ([1, 2], [1])
    decision = world.decide("photos")
    assert (world.covers, ready(decision)[:2]) == ([1], ("True", "TakingOver"))  # not all workers hold it yet
    world.settle("photos-index")
    decision = world.decide("photos")
    assert world.covers == [2]
    assert [event.reason for event in decision.events] == ["TookOver"]
    world.decide("photos-index")
    assert world.loads == [1, 2]  # a proxy may still ask for the old one
    world.settle("photos")
    world.decide("photos-index")
    assert world.loads == [2]
    world.settle("photos-index")
    assert ready(world.decide("photos"))[:2] == ("True", "Serving")


def test_a_new_generation_takes_over_with_its_own_space():
    world = World()
    world.until_serving()
    world.move(version(2, "sha256:space2"))
    world.until_serving()
    cover = world.children["photos"]["photos-cover"].content
    assert (cover["space"]["version"], world.covers) == (5, [2])


def test_a_version_without_a_space_does_not_push_out_one_that_serves():
    world = World()
    world.until_serving()
    world.move(version(2, "sha256:lost"))
    world.decide("photos-index")
    world.settle("photos-index")
    decision = world.decide("photos")
    assert (world.covers, ready(decision)[0]) == ([1], "True")
    assert "sha256:lost" in ready(decision)[2]


def test_an_alias_that_vanishes_is_no_reason_to_stop_answering():
    world = World()
    world.until_serving()
    world.move(None)
    world.until_serving()
    assert (world.loads, world.covers) == ([1], [1])


def test_rolling_back_before_the_new_version_was_loaded_leaves_the_old_one_alone():
    world = World()
    world.until_serving()
    world.move(V2)
    world.decide("photos-index")
    world.move(V1)
    world.decide("photos-index")
    world.decide("photos")
    assert (world.loads, world.covers) == ([1], [1])


def test_versions_published_in_a_row_are_skipped_while_none_is_lost():
    world = World()
    world.until_serving()
    for newer in (V2, V3):
        world.move(newer)
        world.decide("photos-index")
    assert world.loads == [1, 3]
    world.until_serving()
    assert (world.loads, world.covers) == ([3], [3])


def test_while_a_worker_is_away_no_index_is_unloaded():
    world = World()
    world.until_serving()
    proxy = world.children["photos"]["photos"]
    world.children["photos"]["photos"] = replace(proxy, acknowledged={})
    world.move(V2)
    world.decide("photos-index")
    assert world.loads == [1, 2]


def test_index_servers_that_all_died_keep_their_addresses_in_the_cover():
    world = World()
    world.until_serving()
    before = world.children["photos"]["photos-cover"].content
    world.children["photos-index"]["photos-index"] = Child("photos-index", "Service", "Pending")
    decision = world.decide("photos")
    assert world.children["photos"]["photos-cover"].content == before
    assert ready(decision)[:2] == ("False", "NoIndexServer")


def test_a_server_that_ends_again_and_again_is_told_with_its_last_line():
    world = World()
    world.decide("photos-index")
    failed = Child("photos-index", "Service", "Failed", "CrashLoopBackOff", "killed by SIGSEGV", log_tail="loading\nno memory\n")
    world.children["photos-index"]["photos-index"] = failed
    decision = world.decide("photos-index")
    assert ready(decision) == ("False", "CrashLoopBackOff", "killed by SIGSEGV; no memory")
    assert decision.look_again == 0.5


def test_no_two_children_of_a_family_share_a_name():
    world = World()
    world.until_serving()
    names = [applied.name for name in ("photos", "photos-index") for applied in world.decide(name).apply]
    assert len(names) == len(set(names)) == 5


def test_deciding_twice_from_the_same_state_decides_the_same():
    world = World()
    world.until_serving()
    assert world.decide("photos") == world.decide("photos")
    assert world.decide("photos-index") == world.decide("photos-index")
