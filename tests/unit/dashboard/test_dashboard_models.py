"""The model repository over HTTP."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dashboard_calls import Platform

from lykeion.core.images.records import ImageRecord, LayerRecord, failed

V1 = "/api/v1/models"


def publish(platform: Platform, folder: Path, count: int, model: str = "photos") -> None:
    for number in range(1, count + 1):
        content = folder / f"{model}-{number}"
        content.mkdir()
        (content / "file").write_text(f"{model} {number}")
        platform.models.publish(model, content, metrics={"recall_at_10": 0.9 + number / 100}, lineage={"training": f"t-{number}"})
        platform.models.move_alias(model, "stable", number, f"run {number}")


def test_without_models_there_is_an_empty_list(platform: Platform) -> None:
    assert platform.ask(V1).json == {"items": []}


def test_a_list_shows_each_models_newest_aliases_and_metrics(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 3)
    publish(platform, tmp_path, 1, "other")
    first, second = platform.ask(V1).json["items"]
    assert (first["name"], second["name"]) == ("other", "photos")
    assert (second["versions"], second["newest"], second["aliases"]) == (3, 3, {"stable": 3})
    assert [one["recall_at_10"] for one in second["metrics"]] == pytest.approx([0.91, 0.92, 0.93])


def test_the_gate_is_that_of_the_newest_version_that_was_published_under_one(platform: Platform, tmp_path: Path) -> None:
    rules = ["metrics.rows > 1", "metrics.loss < 0.5 and (metrics.rows > 9 or metrics.loss < 0.1)", "", "of another Lykeion"]
    shown = []
    for number, rule in enumerate(rules):
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "file").write_text(rule)
        platform.models.publish("gated", tmp_path / f"v{number}", lineage={"requires": rule} if rule else None)
        shown.append(platform.ask(f"{V1}/gated").json["gate"])
    assert shown[0] == {"requires": rules[0], "metrics": ["rows"]}
    assert shown[1] == shown[2] == {"requires": rules[1], "metrics": ["loss", "rows"]}
    assert shown[3] == {"requires": rules[3], "metrics": []}
    assert platform.ask(V1).json["items"][0]["gate"] == shown[3]


def test_a_model_shows_versions_newest_first_with_lineage_and_its_aliases_histories(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 2)
    found = platform.ask(f"{V1}/photos").json
    assert [(one["version"], one["aliases"], one["lineage"]["training"]) for one in found["versions"]] == [
        (2, ["stable"], "t-2"),
        (1, [], "t-1"),
    ]
    assert [(move["version"], move["previous"], move["reason"]) for move in found["history"]["stable"]] == [
        (2, 1, "run 2"),
        (1, 0, "run 1"),
    ]
    assert "files" not in found["versions"][0]
    version = platform.ask(f"{V1}/photos/versions/1").json
    assert [file["path"] for file in version["files"]] == ["file"]


@pytest.mark.parametrize("path", ["nope", "photos/versions/9", "photos/versions/x", "NOT%20A%20NAME"])
def test_what_is_not_there_is_not_found(platform: Platform, tmp_path: Path, path: str) -> None:
    publish(platform, tmp_path, 1)
    assert platform.ask(f"{V1}/{path}").status in (404, 422)


def test_an_alias_is_moved_and_the_move_is_remembered(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 3)
    answer = platform.ask(f"{V1}/photos/aliases/stable", "PUT", {"version": 2, "reason": "slow", "expected": 3})
    assert (answer.status, answer.json["aliases"]) == (200, {"stable": 2})
    assert answer.json["history"]["stable"][0]["reason"] == "slow"
    new = platform.ask(f"{V1}/photos/aliases/canary", "PUT", {"version": 3})
    assert new.json["aliases"] == {"canary": 3, "stable": 2}


def test_of_two_who_move_an_alias_from_the_same_version_one_is_told(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 3)
    assert platform.ask(f"{V1}/photos/aliases/stable", "PUT", {"version": 1, "expected": 3}).status == 200
    answer = platform.ask(f"{V1}/photos/aliases/stable", "PUT", {"version": 2, "expected": 3})
    assert answer.status == 409
    assert platform.models.aliases("photos") == {"stable": 1}


def test_rolling_back_twice_goes_back_two_versions(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 3)
    for expected in (2, 1):
        answer = platform.ask(f"{V1}/photos/aliases/stable", "PUT", {"rollback": True, "reason": "worse"})
        assert answer.json["aliases"]["stable"] == expected
    assert answer.json["history"]["stable"][0]["back"] is True
    assert platform.ask(f"{V1}/photos/aliases/stable", "PUT", {"rollback": True}).status == 409


@pytest.mark.parametrize(
    "body", [{}, {"version": "2"}, {"version": True}, {"version": 1.5}, {"rollback": False}, {"rollback": "yes"}, [], "x"]
)
def test_a_move_that_does_not_say_where_to_is_refused(platform: Platform, tmp_path: Path, body: Any) -> None:
    publish(platform, tmp_path, 2)
    assert platform.ask(f"{V1}/photos/aliases/stable", "PUT", body).status == 422
    assert platform.models.aliases("photos") == {"stable": 2}


def test_an_alias_moves_only_to_a_version_that_is_there(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 1)
    assert platform.ask(f"{V1}/photos/aliases/stable", "PUT", {"version": 9}).status == 404
    assert platform.ask(f"{V1}/photos/aliases/9", "PUT", {"version": 1}).status == 422


def record(digest: str, *layers: str, **how: str) -> ImageRecord:
    made = tuple(LayerRecord("wheel", name, f"sha256:{name}", 10, how.get(name, "sent")) for name in layers)
    return ImageRecord("pushed", datetime(2026, 1, 1, tzinfo=UTC), f"r:5000/photos@{digest}", digest, made, 10, 1.5, "0.1")


def test_a_version_tells_its_image_and_which_of_its_layers_nobody_has_before_it(platform: Platform, tmp_path: Path) -> None:
    publish(platform, tmp_path, 3)
    platform.models.record_image("photos", 1, record("sha256:1", "a", "b", "d", d="mounted"))
    platform.models.record_image("photos", 2, record("sha256:2", "a", "c"))
    newest, second, first = (one["image"] for one in platform.ask(f"{V1}/photos").json["versions"])
    assert newest is None
    assert [layer["new"] for layer in first["layers"]] == [True, True, False]
    assert [layer["new"] for layer in second["layers"]] == [False, True]
    assert (second["state"], second["size"], second["nextTry"], second["reference"]) == ("pushed", 20, None, "r:5000/photos@sha256:2")


def test_a_version_that_waits_for_its_image_says_so_and_one_that_failed_says_why_and_when_again(platform: Platform, tmp_path: Path) -> None:
    content = tmp_path / "content"
    content.mkdir()
    (content / "file").write_text("x")
    platform.models.publish("photos", content, deploy={"serving": "photos", "track": "stable", "image": True, "holds": True})
    assert platform.ask(f"{V1}/photos").json["versions"][0]["image"] == {"state": "waiting"}
    platform.models.record_image("photos", 1, failed("no wheel", datetime(2026, 1, 1, tzinfo=UTC), None, "0.1"))
    image = platform.ask(f"{V1}/photos").json["versions"][0]["image"]
    assert (image["state"], image["reason"], image["tries"], image["nextTry"]) == ("failed", "no wheel", 1, "2026-01-01T00:00:15+00:00")


def test_the_builders_log_is_shown_from_its_end_and_is_empty_where_none_ran(platform: Platform) -> None:
    assert platform.ask("/api/v1/image-builder/log").body == b""
    log = platform.home / "logs" / "services" / "image-builder-0.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("one\ntwo\nthree\n")
    assert platform.ask("/api/v1/image-builder/log?tail=9").body == b"three\n"
    assert platform.ask("/api/v1/image-builder/log?tail=x").status == 422
