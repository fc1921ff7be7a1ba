"""Pictures come into the cache once by content; bad ones are set aside with their reason; an unchanged one costs a `stat`."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from lykeion.components import pictures
from lykeion.components.base import Input, Output, Step
from lykeion.components.item_cache import PictureStore, SegmentWriter, read_table
from lykeion.errors import Corrupt, Invalid

Catalogue = Callable[..., Path]
judge = pictures.judge


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.rglob("pictures.arrow")) for row in read_table(path).to_pylist()]


def fingerprint(pipeline, items: Path, root: str = "") -> str:
    return pictures.fingerprint(Input(items), root, pipeline.step())


def listed(tmp_path: Path, *paths: str) -> Path:
    """A listings file with an item for each path."""
    folder = tmp_path / "catalogue"
    folder.mkdir(exist_ok=True)
    file = folder / "listings.csv"
    file.write_text("id,pictures\n" + "".join(f"{number},{path}\n" for number, path in enumerate(paths)))
    return file


def test_every_usable_picture_is_a_row_and_its_bytes_are_in_the_cache(pipeline, catalogue: Catalogue, picture) -> None:
    files = {f"{n}.png": picture(n) for n in range(20)} | {"photo.jpg": picture(99, "JPEG")}
    found = {row["item"]: row for row in rows(pipeline.collect(pipeline.listings(catalogue(**files))))}
    assert set(found) == set(files)
    store = PictureStore(pipeline.cache / "pictures")
    for name, data in files.items():
        assert found[name]["digest"] == sha256(data).digest()
        assert store.read(found[name]["digest"]) == data
    assert found["photo.jpg"]["media_type"] == "image/jpeg"
    assert (found["1.png"]["width"], found["1.png"]["height"]) == (40, 40)


@pytest.mark.parametrize("between", ["|", ", ", " ", ",", " | "])
def test_pictures_that_are_separated_in_another_way_are_told_with_the_right_one(pipeline, catalogue: Catalogue, picture, between) -> None:
    file = catalogue(**{"p1.jpg": picture(1), "p2.JPG": picture(2)})
    file.write_text(f'id,pictures\n1,"p1.jpg{between}p2.JPG"\n2,p1.jpg;p2.JPG\n3,gone 1.jpg\n4,p1.jpg.old list\n')
    reasons = pipeline.reasons(pipeline.collect(pipeline.listings(file)))
    assert reasons == {
        "1": "there is no such file (several pictures are separated by `;`)",
        "3": "there is no such file",
        "4": "there is no such file",
    }


def test_what_is_no_picture_is_set_aside_and_leaves_nothing_in_the_cache(pipeline, catalogue: Catalogue, picture) -> None:
    items = pipeline.listings(
        catalogue(**{"good.png": picture(1), "empty.png": b"", "page.png": b"<html>", "drawing.png": b"<svg/>", "text.jpg": b"hello"})
    )
    collected = pipeline.collect(items)
    assert [row["item"] for row in rows(collected)] == ["good.png"]
    reasons = pipeline.reasons(collected)
    assert reasons["empty.png"] == "the file is empty"
    assert "HTML" in reasons["page.png"]
    assert "SVG" in reasons["drawing.png"]
    assert "not a picture" in reasons["text.jpg"]
    assert pipeline.metrics == {"pictures": 1, "quarantined": 4}
    assert len(list(PictureStore(pipeline.cache / "pictures"))) == 1
    assert pipeline.reasons(pipeline.collect(items)) == reasons


def test_what_is_refused_for_lack_of_a_package_is_not_kept(pipeline, catalogue: Catalogue, picture, monkeypatch) -> None:
    items = pipeline.listings(catalogue(**{"good.png": picture(1), "phone.heic": picture(2)}))
    pipeline.collect(items)
    assert pipeline.uncached == ""
    monkeypatch.setattr(pictures, "FACTS_FOLDER", "picture-facts/without-heic")
    monkeypatch.setattr(pictures, "judge", lambda data: pictures.NEEDS_HEIC if data == picture(2) else judge(data))
    assert "lykeion[heic]" in pipeline.reasons(pipeline.collect(items))["phone.heic"]
    assert pipeline.uncached == pictures.NEEDS_HEIC


def test_paths_that_lead_elsewhere_are_set_aside(pipeline, tmp_path: Path, picture) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(picture(1))
    file = listed(tmp_path, "../secret.png", str(outside), "link.png", "linked/secret.png", "nowhere.png", "folder", "a/../../secret.png")
    (file.parent / "link.png").symlink_to(outside)
    (file.parent / "linked").symlink_to(tmp_path)
    (file.parent / "folder").mkdir()
    collected = pipeline.collect(pipeline.listings(file))
    reasons = pipeline.reasons(collected)
    assert rows(collected) == []
    for number in ("0", "1", "2", "3", "6"):
        assert "leads out of the catalogue" in reasons[number]
    assert "no such file" in reasons["4"]
    assert reasons["5"] == "it is a folder, not a file"


def test_a_pipe_and_a_device_are_set_aside_and_not_waited_for(pipeline, tmp_path: Path, picture) -> None:
    folder = tmp_path / "catalogue"
    file = listed(tmp_path, f"{folder}/good.png", f"{folder}/pipe.png", "/dev/zero")
    (file.parent / "good.png").write_bytes(picture(1))
    os.mkfifo(file.parent / "pipe.png")
    items = pipeline.listings(file)
    assert pictures.fingerprint(Input(items), "/", pipeline.step())
    collected = pipeline.collect(items, root="/")
    assert [row["item"] for row in rows(collected)] == ["0"]
    assert pipeline.reasons(collected) == {"1": "it is a pipe, not a file", "2": "it is a device, not a file"}


def test_a_picture_that_becomes_a_pipe_is_not_taken_for_what_it_was(pipeline, catalogue: Catalogue, picture, tmp_path: Path) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1), "b.png": picture(2)}))
    before = fingerprint(pipeline, items)
    (file := tmp_path / "catalogue" / "a.png").unlink()
    os.mkfifo(file)
    assert fingerprint(pipeline, items) != before


def test_a_catalogue_none_of_whose_pictures_is_there_is_refused_at_once_with_the_reasons(pipeline, tmp_path: Path, picture) -> None:
    (tmp_path / "secret.png").write_bytes(picture(1))
    items = pipeline.listings(listed(tmp_path, "../secret.png", "nowhere.png", "a.png", "b.png"))
    with pytest.raises(
        Invalid, match=r"pictures \(4\) can be used: ../secret.png: leads out .*nowhere.png: there is no such file; .*and 1 more"
    ):
        fingerprint(pipeline, items)


def test_what_an_older_version_refused_is_looked_at_again(pipeline, catalogue: Catalogue, picture) -> None:
    data = picture(1)
    with SegmentWriter(pipeline.cache / "picture-facts" / "1", pictures.FACTS) as writer:
        writer.add(digest=sha256(data).digest(), reason="damaged: Decompressed data too large")
    assert len(rows(pipeline.collect(pipeline.listings(catalogue(**{"a.png": data}))))) == 1


def test_root_widens_where_pictures_may_lie(pipeline, tmp_path: Path, picture) -> None:
    (tmp_path / "other.png").write_bytes(picture(1))
    items = pipeline.listings(listed(tmp_path, str(tmp_path / "other.png")))
    assert rows(pipeline.collect(items)) == []
    assert len(rows(pipeline.collect(items, root=str(tmp_path)))) == 1


@pytest.mark.parametrize("url", ["http://example.com/a.png", "https://example.com/a.png", "s3://bucket/a.png"])
def test_remote_pictures_are_set_aside_for_now(pipeline, tmp_path: Path, url: str) -> None:
    collected = pipeline.collect(pipeline.listings(listed(tmp_path, url)))
    assert "later version" in pipeline.reasons(collected)["0"]


def test_an_item_keeps_the_numbers_of_its_pictures_and_has_each_once(pipeline, catalogue: Catalogue, picture) -> None:
    file = catalogue(**{"a.png": picture(1), "b.png": picture(2), "bad.png": b"", "copy.png": picture(1)})
    file.write_text("id,pictures\nx,a.png;bad.png;b.png;copy.png\ny,\n")
    collected = pipeline.collect(pipeline.listings(file))
    assert [(row["item"], row["number"]) for row in rows(collected)] == [("x", 0), ("x", 2)]
    assert pipeline.reasons(collected)["y"] == "the item has no picture"


def test_a_picture_that_is_gone_is_set_aside(pipeline, catalogue: Catalogue, picture, tmp_path: Path) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1), "b.png": picture(2)}))
    (tmp_path / "catalogue" / "a.png").unlink()
    assert pipeline.reasons(pipeline.collect(items)) == {"a.png": "there is no such file"}


def test_an_unchanged_picture_is_not_read_again(pipeline, catalogue: Catalogue, picture, tmp_path: Path) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1)}))
    file = tmp_path / "catalogue" / "a.png"
    wait_until_rested(file)
    before = fingerprint(pipeline, items)
    first = rows(pipeline.collect(items))
    file.chmod(0o000)  # for a reader that is not root; and its stat is noted anew
    file.chmod(0o644)
    known = pictures.stat_digests(pipeline.step(), str(file.parent))
    assert set(known.before) == {str(file)}
    assert rows(pipeline.collect(items)) == first
    assert fingerprint(pipeline, items) == before


def wait_until_rested(file: Path) -> None:
    """Until the clock of the file system has moved on; found out by writing another file."""
    beside = file.with_name("clock")
    while not beside.exists() or beside.stat().st_ctime_ns <= file.stat().st_ctime_ns + 150_000_000:
        beside.write_bytes(b"x")
    beside.unlink()


def test_touching_a_picture_changes_nothing_and_overwriting_it_does(pipeline, catalogue: Catalogue, picture, tmp_path: Path) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1), "b.png": picture(2)}))
    file = tmp_path / "catalogue" / "a.png"
    before = fingerprint(pipeline, items)
    os.utime(file, (5, 5))
    assert fingerprint(pipeline, items) == before
    stat = file.stat()
    other = picture(3)
    file.write_bytes(other)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint(pipeline, items) != before
    assert sha256(other).digest() in {row["digest"] for row in rows(pipeline.collect(items))}


def test_a_deleted_and_a_new_picture_change_the_fingerprint(pipeline, catalogue: Catalogue, picture, tmp_path: Path) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1), "b.png": b""}))
    seen = {fingerprint(pipeline, items)}
    (tmp_path / "catalogue" / "a.png").unlink()
    seen.add(fingerprint(pipeline, items))
    (tmp_path / "catalogue" / "a.png").write_bytes(picture(4))
    seen.add(fingerprint(pipeline, items))
    assert len(seen) == 3


def test_pictures_swapped_between_items_change_the_fingerprint(pipeline, catalogue: Catalogue, picture, tmp_path: Path) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1), "b.png": picture(2)}))
    before = fingerprint(pipeline, items)
    (tmp_path / "catalogue" / "a.png").write_bytes(picture(2))
    (tmp_path / "catalogue" / "b.png").write_bytes(picture(1))
    assert fingerprint(pipeline, items) != before


def test_bytes_lost_from_the_cache_are_brought_back(pipeline, catalogue: Catalogue, picture) -> None:
    items = pipeline.listings(catalogue(**{"a.png": picture(1)}))
    fingerprint(pipeline, items)
    (row,) = rows(pipeline.collect(items))
    store = PictureStore(pipeline.cache / "pictures")
    path = store.path(row["digest"])
    path.chmod(0o644)
    path.write_bytes(b"cut")
    pipeline.collect(items)
    assert store.read(row["digest"]) == picture(1)


def test_a_damaged_picture_in_the_cache_is_found_by_its_digest_and_removed(tmp_path: Path, picture) -> None:
    store = PictureStore(tmp_path)
    digest = store.add(picture(1))
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(picture(2))
    with pytest.raises(Corrupt, match="damaged"):
        store.read(digest)
    with pytest.raises(Corrupt, match="gone"):
        store.read(digest)
    assert store.add(picture(1)) == digest
    assert store.read(digest) == picture(1)


def test_items_of_another_maker_need_a_root(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="root"):
        pictures.collect(Input(tmp_path), Output(tmp_path), step=Step(cache=tmp_path / "cache"))


@pytest.mark.parametrize(("written", "there"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_a_name_is_found_however_its_letters_are_composed(pipeline, tmp_path: Path, picture, written: str, there: str) -> None:
    name = "Möbel/é ü/stühle.png"
    file = tmp_path / "catalogue" / normalize(there, name)
    file.parent.mkdir(parents=True)
    file.write_bytes(picture(1))
    items = pipeline.listings(listed(tmp_path, normalize(written, name)))
    before = fingerprint(pipeline, items)
    assert len(rows(pipeline.collect(items))) == 1
    file.write_bytes(picture(2))
    assert fingerprint(pipeline, items) != before


def test_of_two_files_that_differ_in_composition_the_one_that_is_written_is_taken(pipeline, tmp_path: Path, picture) -> None:
    forms = [normalize(form, "é.png") for form in ("NFC", "NFD")]
    file = listed(tmp_path, *forms)
    for number, name in enumerate(forms):
        (tmp_path / "catalogue" / name).write_bytes(picture(number))
    found = {row["item"]: row["digest"] for row in rows(pipeline.collect(pipeline.listings(file)))}
    assert found == {str(number): sha256(picture(number)).digest() for number in range(2)}
