"""`lykeion models` over a real repository of files."""

from datetime import UTC, datetime

import pytest

from lykeion.core.images.records import ImageRecord


@pytest.fixture
def repository(platform, tmp_path):
    """Two versions of `shoes`, one of `hats`."""
    for model, number in (("shoes", 1), ("shoes", 2), ("hats", 1)):
        folder = tmp_path / f"{model}-{number}"
        folder.mkdir()
        (folder / "weights.bin").write_bytes(f"{model} {number}".encode() * 1000)
        made = platform.repository.publish(model, folder, metrics={"recall": 0.9 + number / 100}, lineage={"training": f"t-{number}"})
        platform.repository.move_alias(model, "stable", made.version, reason="published")
    return platform.repository


def test_nothing_published_says_how_to_publish(cli):
    assert "`publish`" in cli("models", "list").out


def test_all_models_are_listed(cli, repository):
    assert cli("models", "list", "-o", "json").json == [
        {"model": "hats", "versions": [1], "aliases": {"stable": 1}},
        {"model": "shoes", "versions": [1, 2], "aliases": {"stable": 2}},
    ]
    told = cli("models", "list").out.splitlines()
    assert told[2].split() == ["shoes", "2", "2", "stable", "→", "2"]


def test_the_versions_of_one_are_listed_with_what_they_are_worth(cli, repository):
    told = cli("models", "list", "shoes").out.splitlines()
    assert told[0].split() == ["VERSION", "ALIASES", "SIZE", "METRICS", "CREATED"]
    assert "recall=0.92" in told[2]
    assert "stable" in told[2]
    assert [one["version"] for one in cli("models", "list", "shoes", "-o", "json").json] == [1, 2]


@pytest.mark.parametrize("before", [True, False])
def test_what_every_command_takes_may_stand_before_and_after_the_action(cli, repository, home, tmp_path, before, monkeypatch):
    monkeypatch.setenv("LYKEION_HOME", str(tmp_path / "another"))
    options = ("--home", home, "-o", "json", "-v")
    words = ("models", *options, "list") if before else ("models", "list", *options)
    assert len(cli(*words).json) == 2
    assert len(cli("models", "-o", "json", "list", "--home", home).json) == 2
    assert "shoes" in cli("models", "show", "shoes@7", *options, code=3).err


def test_a_version_is_shown_by_number_by_alias_and_as_the_newest(cli, repository):
    for selector in ("shoes", "shoes@2", "shoes@stable"):
        told = cli("models", "show", selector, "-o", "json").json
        assert (told["version"], told["lineage"]) == (2, {"training": "t-2"})
    assert "version: 1" in cli("models", "show", "shoes@1").out


def test_what_is_not_there_is_said_with_what_is(cli, repository):
    assert "1, 2" in cli("models", "show", "shoes@9", code=3).err
    assert "shoes" in cli("models", "show", "sheos", code=3).err
    assert "stable" in cli("models", "show", "shoes@stabel", code=3).err
    assert "no versions" in cli("models", "list", "nothing").out


def test_aliases_are_moved_rolled_back_and_their_history_is_kept(cli, repository):
    assert cli("models", "alias", "shoes@1", "stable", "-o", "json").json == {"model": "shoes", "alias": "stable", "version": 1}
    assert cli("models", "rollback", "shoes", "-o", "json").json["version"] == 2
    assert [move["version"] for move in cli("models", "alias", "shoes", "stable", "-o", "json").json] == [1, 2, 1, 2]
    assert "by hand" in cli("models", "alias", "shoes", "stable").out
    cli("models", "rollback", "hats", code=4)


def test_a_version_that_an_alias_names_is_removed_only_by_force(cli, repository):
    assert "shoes@stable" in cli("models", "rm", "shoes@2", code=4).err
    cli("models", "rm", "shoes@1")
    cli("models", "rm", "shoes@2", "--force")
    assert cli("models", "list", "-o", "json").json == [{"model": "hats", "versions": [1], "aliases": {"stable": 1}}]


def test_damage_is_found_in_one_version_or_in_all(cli, repository, home):
    assert "3 versions are as they were published" in cli("models", "verify").out
    damaged = home / "repository" / "shoes" / "1" / "weights.bin"
    damaged.chmod(0o644)
    damaged.write_bytes(b"something else")
    (found,) = cli("models", "verify", "-o", "json", code=6).json
    assert (found["model"], found["version"]) == ("shoes", 1)
    assert "weights.bin" in found["problem"]
    cli("models", "verify", "shoes@2")
    cli("models", "verify", "shoes@1", code=6)


def test_the_repository_may_lie_elsewhere(cli, repository, home, monkeypatch):
    monkeypatch.setenv("LYKEION_REPOSITORY", (home / "elsewhere").as_uri())
    assert cli("models", "list", "-o", "json").json == []


def test_a_version_is_shown_with_its_image(cli, repository):
    assert cli("models", "show", "shoes@1", "-o", "json").json["image"] is None
    repository.record_image("shoes", 1, ImageRecord("pushed", datetime(2026, 1, 1, tzinfo=UTC), "r:5000/shoes@sha256:1", "sha256:1"))
    image = cli("models", "show", "shoes@1", "-o", "json").json["image"]
    assert (image["state"], image["reference"]) == ("pushed", "r:5000/shoes@sha256:1")
