"""Photo search from the command line: a catalogue is indexed, changes, is asked; with a platform and without one."""

import csv
import json

import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.timeout(240)

STEPS = ["items", "pictures", "features", "space", "index", "report"]
ANSWER = {"request_id", "items", "partial", "indexes", "embedding", "took_ms", "next"}


def metrics(printed, step):
    return next(one["metrics"] for one in printed["steps"] if one["name"] == step)


def caches(printed):
    return {one["name"]: one["cache"] for one in printed["steps"]}


def version(printed, model="photos"):
    return next(one["version"] for one in printed["published"] if one["model"] == model)


def drawn(path, colour):
    picture = Image.new("RGB", (120, 120), "white")
    ImageDraw.Draw(picture).polygon([(60, 5), (115, 60), (60, 115), (5, 60)], fill=colour, outline="black", width=6)
    picture.save(path)


def add(listings, **given):
    """A row at the end of a catalogue."""
    with listings.open(newline="") as file:
        names = next(csv.reader(file))
    with listings.open("a", newline="") as file:
        csv.DictWriter(file, names, restval="").writerow(given)


def found(answer):
    return [item["id"] for item in answer["items"]]


def without_times(answer):
    return {name: value for name, value in answer.items() if name not in ("request_id", "took_ms")}


def test_a_run_prints_what_others_script_against(indexed):
    printed = indexed.printed
    assert {"training", "phase", "steps", "published"} <= set(printed)
    assert printed["phase"] == "Succeeded"
    assert [step["name"] for step in printed["steps"]] == STEPS
    for step in printed["steps"]:
        assert {"name", "state", "cache", "key", "seconds", "attempts"} <= set(step)
        assert (step["cache"], step["attempts"], len(step["key"])) == ("miss", 1, 64)
    assert {(one["model"], one["version"]) for one in printed["published"]} == {("photos-space", 1), ("photos", 1)}
    assert metrics(printed, "items") == {"items": 40.0, "quarantined": 0.0}
    assert metrics(printed, "features")["extracted"] == 40
    assert metrics(printed, "report")["recall_at_10"] >= 0.95


def test_the_same_catalogue_again_is_all_hits_and_the_same_versions(own, indexed):
    """In a copy of the home: everything lies beneath it."""
    again = own.cli("run", "examples/photo-search/pipeline.yaml", "-p", f"listings={indexed.listings}", "-o", "json").json
    assert caches(again) == {**dict.fromkeys(STEPS, "hit"), "space": "off"}, "the published space is used: nothing is fitted"
    assert version(again) == 1


def test_only_what_is_new_or_changed_is_extracted(own):
    own.index()
    drawn(own.listings.with_name("new.png"), "purple")
    add(own.listings, id="new", title="a purple diamond", category="diamond", price=5, pictures="new.png", colour="purple")
    added = own.index()
    assert metrics(added, "items")["items"] == 41
    assert metrics(added, "features")["extracted"] == 1
    assert caches(added)["space"] == "off", "the published space is used, so that vectors can be compared"
    assert version(added) == 2
    photo = own.listings.with_name("new.png")
    assert found(own.cli("search", "photos", photo, "-o", "json").json)[0] == "new"

    ring = own.picture("ring-red-0")
    drawn(own.listings.with_name("ring-red-0.png"), "cyan")  # overwritten: a different picture under the same name
    overwritten = own.index()
    assert metrics(overwritten, "features")["extracted"] == 1
    asked = own.cli("search", "photos", own.listings.with_name("ring-red-0.png"), "-k", 1, "-o", "json").json
    assert found(asked) == ["ring-red-0"]
    assert asked["items"][0]["score"] > 0.99

    own.listings.with_name("cross-red-0.png").unlink()
    own.listings.with_name("ring-red-0.png").write_bytes(ring)  # put back: its features are known
    removed = own.index()
    assert metrics(removed, "pictures") == {"pictures": 40.0, "quarantined": 1.0}
    assert metrics(removed, "features")["extracted"] == 0
    gone = [json.loads(line) for line in quarantined(own, removed, "pictures")]
    assert [(one["item"], one["reason"]) for one in gone] == [("cross-red-0", "there is no such file")]
    assert "cross-red-0" not in found(own.cli("search", "photos", "--item", "cross-red-9", "-k", 50, "-o", "json").json)


def quarantined(indexed, printed, step):
    key = next(one["key"] for one in printed["steps"] if one["name"] == step)
    return [line for file in (indexed.home / "outputs" / key).rglob("quarantine.jsonl") for line in file.read_text().splitlines()]


def test_the_demo_prints_its_contract_and_costs_little_the_second_time(own, indexed):
    first = own.cli("demo", "photo-search", "--once", "-o", "json", "--listings", own.listings).json
    keys = {"items", "pictures", "quarantined", "versions", "recall_at_10", "searches", "seconds", "training"}
    assert set(first) == keys
    assert (first["items"], first["pictures"], first["quarantined"]) == (40, 40, 0)
    assert set(first["versions"]) == {"photos", "photos-space"}
    assert first["recall_at_10"] >= 0.95
    assert len(first["searches"]) == 5
    assert all(one["item"] not in found(one) and len(found(one)) == 5 for one in first["searches"])
    assert {*STEPS, "pictures", "searches"} <= set(first["seconds"])
    second = own.cli("demo", "photo-search", "--once", "-o", "json", "--listings", own.listings).json
    assert set(second) == keys
    assert second["training"] != first["training"]
    for same in ("items", "pictures", "versions", "recall_at_10", "searches"):
        assert second[same] == first[same]
    steps = own.cli("get", "training", second["training"], "-o", "json").json["status"]["steps"]
    assert {step["phase"] for step in steps} == {"Cached", "Skipped"}


def test_a_folder_of_pictures_is_a_catalogue(own):
    told = own.cli("demo", "--once", "-o", "json", "--pictures", own.listings.parent).json
    assert (told["items"], told["pictures"]) == (40, 40)
    assert metrics_of(own, told, "features")["extracted"] == 0, "the same pictures by another way"


def metrics_of(indexed, told, step):
    steps = indexed.cli("get", "training", told["training"], "-o", "json").json["status"]["steps"]
    return next(one["metrics"] for one in steps if one["name"] == step)


def test_a_search_without_a_platform_is_answered_as_with_one(site, indexed):
    for words in (
        (indexed.listings.with_name("ring-red-0.png"), "-k", 5),
        ("--item", "cross-blue-0", "-k", 7),
        (indexed.listings.with_name("ring-red-0.png"), "-k", 40, "--filter", "category:cross|ring", "--filter", "price:<3000"),
    ):
        with_one = indexed.cli("search", "photos", *words, "-o", "json", "--home", site.home).json
        without = indexed.cli("search", "photos", *words, "-o", "json").json
        assert set(with_one) == set(without) == ANSWER
        for answer in (with_one, without):
            for one in answer["indexes"]:
                one.pop("answered", None)
        assert without_times(with_one) == without_times(without)


@pytest.mark.parametrize(
    ("words", "holds", "count"),
    [
        (["category:ring"], lambda item: item["category"] == "ring", 8),
        (["category:ring|cross"], lambda item: item["category"] in ("ring", "cross"), 16),
        (["price:<500"], lambda item: item["price"] < 500, 4),
        (["price:>=3900"], lambda item: item["price"] >= 3900, 2),
        (["colour:red"], lambda item: item["colour"] == "red", 10),
        (["colour:red", "category:ring"], lambda item: item["colour"] == "red" and item["category"] == "ring", 2),
        (["category:none"], lambda item: False, 0),
    ],
)
def test_filters_hold_and_leave_nothing_out(indexed, words, holds, count):
    filters = [word for one in words for word in ("--filter", one)]
    answer = indexed.cli("search", "photos", indexed.listings.with_name("ring-red-0.png"), "-k", 40, *filters, "-o", "json").json
    assert len(answer["items"]) == count
    assert all(map(holds, answer["items"]))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["photos", "none.png"], 3, "none.png"),
        (["shoes", "examples/photo-search/pipeline.yaml"], 3, "shoes"),
        (["photos", "examples/photo-search/pipeline.yaml"], 2, "not a picture"),
        (["photos", "--item", "none"], 3, "none"),
        (["photos", "--item", "ring-red-0", "-k", "0"], 2, "k"),
        (["photos", "--item", "ring-red-0", "-k", "1000000"], 2, "k"),
        (["photos", "--item", "ring-red-0", "--filter", "colr:red"], 2, "colour"),
        (["photos", "--item", "ring-red-0", "--filter", "price:<many"], 2, "price"),
        (["photos", "--item", "ring-red-0", "--filter", "nothing"], 2, "nothing"),
    ],
)
@pytest.mark.parametrize("asked", ["the platform", "the repository"])
def test_mistakes_are_told_alike_with_a_platform_and_without(site, indexed, words, code, says, asked):
    home = site.home if asked == "the platform" else indexed.home
    assert says in indexed.cli("search", *words, "--home", home, code=code).err


@pytest.mark.parametrize("name", ["Bad Name", "", "../x", "photos-space", "photos-index", "a" * 36])
def test_a_name_that_no_family_can_have_is_refused_before_anything_runs(indexed, name):
    ran = indexed.cli("run", "examples/photo-search/pipeline.yaml", "-p", f"listings={indexed.listings}", "-p", f"family={name}", code=2)
    assert "spec.publish[1].deploy.serving" in ran.err


def test_ids_and_names_of_every_sort_are_found_as_they_are_written(own, tmp_path):
    folder = tmp_path / "my shop ü"
    own.listings.parent.rename(folder)
    (folder / "list ings.csv").write_text(
        "id,title,category,price,pictures,deep attr,Größe\n"
        '"a/b c?&#ü",slash,ring,1,ring-red-0.png,x,L\n'
        '"<b>""\'",<i>,ring,,ring-red-9.png;cross-red-9.png,y,M\n'
    )
    words = ("run", "examples/photo-search/pipeline.yaml", "-p", f"listings={folder / 'list ings.csv'}", "-p", "family=odd", "-o", "json")
    assert metrics(own.cli(*words).json, "index")["items"] == 2
    assert found(own.cli("search", "odd", "--item", "a/b c?&#ü", "-o", "json").json) == ["<b>\"'"]
    kept = own.cli("search", "odd", folder / "ring-red-0.png", "--filter", "deep attr:y", "--filter", "Größe:M", "-o", "json").json
    assert found(kept) == ["<b>\"'"]


def test_another_family_is_served_beside_the_first(platform, own):
    half = own.listings.with_name("half.csv")
    half.write_text("\n".join(own.listings.read_text().splitlines()[:21]) + "\n")
    printed = own.cli("run", "examples/photo-search/pipeline.yaml", "-p", f"listings={half}", "-p", "family=other", "-o", "json").json
    assert {(one["model"], one["version"]) for one in printed["published"]} == {("other-space", 1), ("other", 1)}
    assert metrics(printed, "features").get("extracted", 0) == 0, "the pictures are known already"
    platform.ready("photos", "other")
    assert {one["family"] for one in platform.ask("/v1/search").json["families"]} == {"photos", "other"}
    ring, ellipse = own.picture("ring-red-0"), own.picture("ellipse-red-0")
    assert found(platform.search(ring, "?k=1").json) == ["ring-red-0"]
    assert found(platform.search(ellipse, "?k=1", family="other").json) == ["ellipse-red-0"]
    assert "ring-red-0" not in found(platform.search(ring, "?k=40", family="other").json)


def test_what_is_indexed_while_nothing_serves_is_served_by_a_later_up(own, start_up):
    add(own.listings, id="twice", title="a second one", category="ring", price=1, pictures="ring-red-0.png;cross-red-0.png", colour="red")
    own.index()
    up = start_up(own.home)
    try:
        up.ready()
        assert [one["version"] for one in up.search(own.picture("ring-red-0")).json["indexes"]] == [2]
        assert set(found(up.search(own.picture("ring-red-0"), "?k=2").json)) == {"ring-red-0", "twice"}
        assert found(up.search(own.picture("cross-red-0"), "?k=40").json).count("twice") == 1, "an item with two pictures is one answer"
    finally:
        up.end()
