"""The demo over pictures of one's own: what it answers programs with, what it says when it cannot, and that it begins where it was."""

import pytest

from lykeion.cli import demo
from lykeion.core.resources import Condition, Serving
from lykeion.errors import NotFound
from lykeion.testing.families import draw


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(draw(number))
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.mark.slow
def test_a_folder_of_pictures_is_indexed_searched_and_found_in_the_caches_the_next_time(cli, pictures):
    told = cli("demo", "--pictures", pictures, "--once", "-o", "json").json
    assert told.keys() == {"items", "pictures", "quarantined", "versions", "recall_at_10", "searches", "seconds", "training"}
    assert (told["items"], told["pictures"], told["quarantined"]) == (4, 3, 1)
    assert told["versions"] == {"photos": 1, "photos-space": 1}
    assert {"pictures", "searches", "items", "index"} <= told["seconds"].keys()
    for answer in told["searches"]:
        assert answer.keys() == {"item", "items"}
        assert answer["item"] not in [one["id"] for one in answer["items"]]
        assert len(answer["items"]) == 2
    again = cli("demo", "--pictures", pictures, "--once", "-o", "json")
    assert again.json["training"] == "photo-search-2"
    assert again.json["versions"] == told["versions"]
    assert again.json["searches"] == told["searches"]
    assert "items with 3 pictures are indexed (1 set aside)" in cli("demo", "--pictures", pictures, "--once").out


def test_a_folder_without_pictures_is_said_with_where_to_look(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    told = cli("demo", "--pictures", tmp_path / "empty", "--once", code=1)
    assert told.out == ""
    assert "lykeion demo: step space: there is no picture to fit a space on" in told.err
    assert "quarantine.jsonl" in told.err


def test_a_catalogue_that_cannot_be_read_is_said_with_its_line(cli, tmp_path):
    (tmp_path / "catalogue.csv").write_text("name,photo\nshoe,a.png\n")
    told = cli("demo", "--listings", tmp_path / "catalogue.csv", "--once", code=1)
    assert "step items" in told.err
    assert "catalogue.csv" in told.err


def test_without_the_example_it_is_said_where_it_is(monkeypatch):
    monkeypatch.setattr(demo, "FILE", demo.FILE.with_name("none.yaml"))
    with pytest.raises(NotFound, match="is not installed; take it from the project's repository"):
        demo.pipeline_file()


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", False), (None, False)])
def test_the_address_of_the_page_is_told_when_the_search_is_ready(platform, status, ready):
    assert not demo.is_ready(platform)
    made = platform.resources.create(Serving.model_validate({"metadata": {"name": "photos"}, "spec": {"search": {"family": "photos"}}}))
    if status is not None:
        condition = Condition(type="Ready", status=status, reason="Ready", message="")
        platform.resources.write_status(made.model_copy(update={"status": made.status.model_copy(update={"conditions": (condition,)})}))
    assert demo.is_ready(platform) == ready
