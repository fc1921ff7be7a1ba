"""What the steps of a Training set aside, as the page asks for it."""

from pathlib import Path

import pytest
from dashboard_calls import Platform

from lykeion.components.quarantine import Quarantine
from lykeion.core.resources import StepStatus

DIGEST = "ab" * 32


@pytest.fixture
def filled(platform: Platform) -> Platform:
    """A Training of a step that ran, one that came from the cache, one whose output was freed and one that failed."""

    def output(key: str) -> Path:
        made = platform.home / "outputs" / key / "out"
        made.mkdir(parents=True)
        return made

    with Quarantine(output("k1")) as bad:
        for row in range(1, 4):
            bad.add("its price is not a number (write 1234.5)", item=f"i{row}", row=row, line=row + 1, value="cheap")
    with Quarantine(output("k2")) as bad:
        bad.add("damaged: it ends early", item="i9", picture=DIGEST)
        bad.add("the file is empty", item="i9", picture="a/b.jpg")
    with Quarantine(output("k3")) as bad:
        bad.add("never", item="x", row=1)
    picture = platform.home / "cache" / "pictures" / DIGEST[:2] / DIGEST
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"x")
    phases = {"items": ("Succeeded", "k1"), "features": ("Cached", "k2"), "freed": ("Succeeded", "k9"), "bad": ("Failed", "k3")}
    platform.training(steps=tuple(StepStatus(name=name, phase=phase, key=key) for name, (phase, key) in phases.items()))
    return platform


def test_all_is_listed_with_its_reasons_and_a_thumbnail_where_there_is_one(filled: Platform) -> None:
    told = filled.ask("/api/v1/trainings/p-1/quarantine").json
    assert (told["total"], told["gone"], told["metadata"]) == (5, ["freed"], {"remainingItemCount": 0})
    assert told["reasons"] == [
        {"step": "items", "kind": "row", "reason": "its price is not a number", "total": 3},
        {"step": "features", "kind": "picture", "reason": "damaged", "total": 1},
        {"step": "features", "kind": "picture", "reason": "the file is empty", "total": 1},
    ]
    assert told["items"][0] == {
        "step": "items",
        "item": "i1",
        "what": "line 2: cheap",
        "reason": "its price is not a number (write 1234.5)",
        "picture": None,
    }
    assert [one["picture"] for one in told["items"][3:]] == [f"/v1/pictures/{DIGEST}", None]


def test_it_comes_page_by_page(filled: Platform) -> None:
    whole = filled.ask("/api/v1/trainings/p-1/quarantine").json["items"]
    told = filled.ask("/api/v1/trainings/p-1/quarantine?offset=2&limit=2").json
    assert told["items"] == whole[2:4]
    assert (told["total"], told["metadata"]["remainingItemCount"]) == (5, 1)
    assert filled.ask("/api/v1/trainings/p-1/quarantine?limit=x").status == 422


def test_a_training_that_there_is_not_has_none(filled: Platform) -> None:
    assert filled.ask("/api/v1/trainings/nope/quarantine").status == 404


def test_it_is_described(platform: Platform) -> None:
    described = platform.ask("/openapi.json").json["paths"]["/api/v1/trainings/{name}/quarantine"]
    assert {one["name"] for one in described["get"]["parameters"]} == {"limit", "offset"}
