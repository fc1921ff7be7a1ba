"""The step that publishes an output."""

from pathlib import Path

import pytest

from lykeion.components.base import Input, Step, describe
from lykeion.components.publish import publish
from lykeion.errors import Corrupt
from lykeion.repository import open_repository

FILES = {"index.json": b"{}"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/repository"


def run(content: Input, url: str, **given: object) -> dict[str, object]:
    step = Step()
    plain = {"metrics": {}, "metadata": {}, "lineage": {}, "window": None, "deploy": {}}
    publish(content, step, repository=url, model="photos", **{**plain, **given})
    return step.result


def test_it_can_be_a_step() -> None:
    signature = describe(publish, "lykeion.components.publish:publish")
    assert list(signature.inputs) == ["content"]
    assert signature.parameters["window"].type == "list"
    assert signature.parameters["deploy"].type == "map"
    assert signature.reads_outside


def test_an_output_becomes_a_version_and_the_alias_moves(folder, url: str) -> None:
    content = Input(folder(FILES))
    told = run(content, url, alias="stable", lineage={"training": "t"}, metadata={"rows": 3}, metrics={"recall": 0.9}, window=["a", "b"])
    models = open_repository(url)
    found = models.resolve("photos@stable")
    assert told == {"version": 1, "digest": found.digest, "moved": True, "why_not": ""}
    assert found.metadata == {"rows": 3}
    assert models.manifest("photos", 1).window == ("a", "b")
    assert models.history("photos", "stable")[0].reason == "published by t"


def test_it_may_run_again(folder, url: str) -> None:
    content = Input(folder(FILES))
    assert run(content, url, alias="stable") == run(content, url, alias="stable")
    assert len(open_repository(url).journal()) == 2


def test_what_does_not_meet_its_requirement_is_kept_but_not_served(folder, url: str) -> None:
    told = run(Input(folder(FILES)), url, alias="stable", requires_ok=False, why_not="recall 0.2 < 0.9")
    assert (told["version"], told["moved"], told["why_not"]) == (1, False, "recall 0.2 < 0.9")
    assert open_repository(url).aliases("photos") == {}


def test_content_that_changed_since_is_refused(folder, url: str) -> None:
    with pytest.raises(Corrupt):
        run(Input(folder(FILES), "sha256:" + "1" * 64), url)


def test_metrics_that_json_cannot_keep_are_told_and_left_out(folder, url: str, capsys) -> None:
    run(Input(folder(FILES)), url, metrics={"recall": 0.5, "loss": float("nan")})
    assert open_repository(url).manifest("photos", 1).metrics == {"recall": 0.5}
    assert "metric loss is nan" in capsys.readouterr().out
