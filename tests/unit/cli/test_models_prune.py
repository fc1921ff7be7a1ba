"""`lykeion models prune`: old versions go, what anybody needs stays, and the reason is said."""

import pytest

from lykeion.adapters.local.collector import PIN
from lykeion.core.resources import API_VERSION, Metadata, SearchServing, Serving, ServingSpec, ServingStatus
from lykeion.core.resources.training import Published
from lykeion.testing.builders import pipeline, training


@pytest.fixture
def publish(platform, tmp_path):
    """`publish("photos", 7)`: seven versions; `metadata` of each by its number."""

    def publish(model: str, count: int, **metadata) -> None:
        for number in range(1, count + 1):
            folder = tmp_path / f"{model}-{number}"
            folder.mkdir()
            (folder / "weights").write_bytes(f"{model} {number}".encode() * 100)
            platform.repository.publish(model, folder, metadata=metadata)

    return publish


def why(said) -> dict[int, str]:
    return {one["version"]: one["why"] for one in said.json["kept"]}


def test_nothing_published_is_nothing_to_prune(cli):
    assert "no models yet" in cli("models", "prune").out
    assert cli("models", "prune", "-o", "json").json == {"dryRun": False, "removed": [], "kept": [], "bytes": 0}


def test_the_newest_stay_and_what_an_alias_names(cli, platform, publish):
    publish("photos", 7)
    platform.repository.move_alias("photos", "stable", 2)
    told = cli("models", "prune", "--keep", "3", "-o", "json")
    assert [(one["model"], one["version"]) for one in told.json["removed"]] == [("photos", 1), ("photos", 3), ("photos", 4)]
    assert told.json["bytes"] == 3 * len("photos 1") * 100
    assert why(told) == {2: "photos@stable names it", **dict.fromkeys((5, 6, 7), "one of the 3 newest")}
    assert platform.repository.versions("photos") == [2, 5, 6, 7]


def test_a_dry_run_says_the_same_and_removes_nothing(cli, platform, publish):
    publish("photos", 4)
    told = cli("models", "prune", "--keep", "1", "--dry-run", "-o", "json").json
    assert platform.repository.versions("photos") == [1, 2, 3, 4]
    assert "WOULD GO" in cli("models", "prune", "--keep", "1", "--dry-run").out
    assert cli("models", "prune", "--keep", "1", "-o", "json").json["removed"] == told["removed"]


def test_what_is_young_stays(cli, publish):
    publish("photos", 2)
    told = cli("models", "prune", "--keep", "0", "--older-than", "1h", "-o", "json")
    assert told.json["removed"] == []
    assert set(why(told).values()) == {"too young"}


def test_what_answers_stays_though_its_alias_moved_on(cli, platform, publish):
    publish("photos", 3)
    serving = Serving(api_version=API_VERSION, metadata=Metadata(name="photos"), spec=ServingSpec(search=SearchServing(family="photos")))
    stored = platform.resources.create(serving)
    platform.resources.write_status(stored.model_copy(update={"status": ServingStatus(serving=("photos@1",))}))
    assert why(cli("models", "prune", "--keep", "1", "-o", "json")) == {1: "Serving photos answers with it", 3: "one of the 1 newest"}


def test_what_a_pinned_training_published_stays(cli, platform, publish):
    publish("photos", 3)
    made = training(pipeline({"name": "a"}))
    made = made.model_copy(update={"metadata": made.metadata.model_copy(update={"annotations": {PIN: "true"}})})
    stored = platform.resources.create(made)
    published = (Published(output="a.out", model="photos", version=1),)
    platform.resources.write_status(stored.model_copy(update={"status": stored.status.model_copy(update={"published": published})}))
    assert why(cli("models", "prune", "--keep", "0", "-o", "json")) == {1: f"Training {made.name}, which made it, is pinned"}


def test_the_space_of_an_index_that_stays_stays_with_it(cli, platform, publish):
    publish("photos-space", 3)
    publish("photos", 2, generation=platform.repository.manifest("photos-space", 1).digest)
    told = cli("models", "prune", "--keep", "1", "-o", "json").json
    kept = {(one["model"], one["version"]): one["why"] for one in told["kept"]}
    assert kept["photos-space", 1] == "photos@2 was built in it"
    assert set(kept) == {("photos", 2), ("photos-space", 1), ("photos-space", 3)}


def test_one_model_alone_is_pruned_and_spaces_know_of_its_family_still(cli, platform, publish):
    publish("photos-space", 2)
    publish("photos", 2, generation=platform.repository.manifest("photos-space", 1).digest)
    assert cli("models", "prune", "photos-space", "--keep", "0", "-o", "json").json["removed"][0]["version"] == 2
    assert platform.repository.versions("photos") == [1, 2]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [(("photoss",), 3, "did you mean photos"), (("--older-than", "soon"), 2, "--older-than"), (("--keep", "x"), 2, "invalid int")],
)
def test_what_is_wrong_is_said_and_nothing_goes(cli, platform, publish, words, code, told):
    publish("photos", 7)
    assert told in cli("models", "prune", *words, code=code).err
    assert len(platform.repository.versions("photos")) == 7


def test_a_damaged_version_does_not_keep_the_others(cli, platform, publish):
    publish("photos", 3)
    platform.repository.store.put("photos/1/manifest.json", b"{")
    assert [one["version"] for one in cli("models", "prune", "--keep", "1", "-o", "json").json["removed"]] == [1, 2]
