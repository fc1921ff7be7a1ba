"""Listings are read from whatever a spreadsheet or a warehouse exports; bad rows are set aside, bad files are one clear error."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.components import sources
from lykeion.components.base import Step, partition_of
from lykeion.components.column_types import write_schema
from lykeion.components.item_writer import hash_of
from lykeion.components.listings import Listing, Rejected, listing
from lykeion.components.quarantine import Entry, entries, quarantined
from lykeion.components.tables import item_hashes, read_items, rows_of_partition
from lykeion.errors import Invalid


def told_of(output: Path) -> list[Entry]:
    """What was set aside, as commands and pages tell it."""
    return entries(output.parent.parent, [("items", output.parent.name)], 0, 100)


HEADER = "id,title,price,updated_at,pictures,colour,size\n"
GOOD = "a,Shoe,12.5,2026-01-31,a.png;b.png,red,41\nb,Hat,,,c.png,blue,42.5\n"


def test_rows_come_out_typed(pipeline, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(HEADER + GOOD)
    table = read_items(pipeline.listings(file))
    first, second = table.to_pylist()
    assert first == {
        "id": "a",
        "title": "Shoe",
        "description": "",
        "category": "",
        "price": 12.5,
        "status": "on_sale",
        "updated_at": datetime(2026, 1, 31, tzinfo=UTC),
        "pictures": ["a.png", "b.png"],
        "colour": "red",
        "size": 41.0,
    }
    assert second["price"] is None
    assert second["size"] == 42.5
    assert pipeline.metrics == {"items": 2, "quarantined": 0}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_any_encoding_is_read(pipeline, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes("id,title,pictures\nä,Schöne Grüße,a.png\n".encode(encoding))
    assert read_items(pipeline.listings(file))["title"].to_pylist() == ["Schöne Grüße"]


@pytest.mark.parametrize(("separator", "end"), [(",", "\r\n"), (";", "\n"), ("\t", "\n")])
def test_any_separator_is_read(pipeline, tmp_path: Path, separator: str, end: str) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(
        end.join(["id,title,pictures".replace(",", separator), f'a{separator}"two{end}lines"{separator}"x.png;y.png"', ""]).encode()
    )
    (row,) = read_items(pipeline.listings(file)).to_pylist()
    assert row["pictures"] == ["x.png", "y.png"]
    assert row["title"] == f"two{end}lines"


def test_every_bad_row_is_set_aside_with_its_reason(pipeline, tmp_path: Path) -> None:
    bad = {
        "no-date": ("no-date,x,1,yesterday,a.png,,", "updated_at"),
        "month-13": ("month-13,x,1,2026-13-01,a.png,,", "updated_at"),
        "dear": ("dear,x,cheap,,a.png,,", "price"),
        "minus": ("minus,x,-1,,a.png,,", "price"),
        "nan": ("nan,x,nan,,a.png,,", "price"),
        "infinite": ("infinite,x,1e999,,a.png,,", "price"),
        "short": ("short,x", "2 values for 7 columns"),
        "long": ("long,x,1,,a.png,,,,,", "10 values for 7 columns"),
        "a": ("a,again,1,,a.png,,", "another item above"),
        "": (",x,1,,a.png,,", "no id"),
        "\x07": ("\x07,x,1,,a.png,,", "control character"),
    }
    file = tmp_path / "x.csv"
    file.write_text(HEADER + GOOD + "".join(row + "\n" for row, _ in bad.values()))
    items = pipeline.listings(file)
    assert read_items(items)["id"].to_pylist() == ["a", "b"]
    assert pipeline.metrics == {"items": 2, "quarantined": len(bad)}
    entries = list(quarantined(items))
    assert [entry["row"] for entry in entries] == list(range(3, 3 + len(bad)))
    for entry, (identity, (_, reason)) in zip(entries, bad.items(), strict=True):
        assert entry["item"] == identity
        assert reason in entry["reason"]


def test_nul_bytes_and_a_field_without_end_are_no_traceback(pipeline, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(b'id,pictures\na\0,a.png\nb,"' + b"x" * 1_100_000 + b'"\nc,c.png\n')
    items = pipeline.listings(file)
    assert read_items(items)["id"].to_pylist()[0] == "a"
    assert any("cannot be read as CSV" in entry["reason"] for entry in quarantined(items))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("title,price", "lacks 'id', 'pictures'; it has 'title', 'price'"),
        ("item_id,pictures", "did you mean 'item_id' for 'id'"),
        ("id,Images", "did you mean 'Images' for 'pictures'"),
        ("id,pictuers", "did you mean 'pictuers' for 'pictures'"),
        ("id,pictures,colour,colour", "more than once"),
        ("", "the file is empty"),
    ],
)
def test_wrong_columns_are_one_error_that_says_what_is_there(pipeline, tmp_path: Path, header: str, said: str) -> None:
    file = tmp_path / "x.csv"
    file.write_text(header + "\n" if header else "")
    with pytest.raises(Invalid, match=said):
        pipeline.listings(file)


def test_a_catalogue_may_have_columns_of_any_name(pipeline, tmp_path: Path) -> None:
    names = ["item", "number", "picture", "deleted", "item_hash", "score", "line"]
    (tmp_path / "x.csv").write_text(f"id,pictures,{','.join(names)}\n1,a.png,{','.join(names)}\n")
    (row,) = read_items(pipeline.listings(tmp_path / "x.csv")).select(names).to_pylist()
    assert row == {name: name for name in names}


@pytest.mark.parametrize("uri", ["/no/such/file.csv", "s3://bucket/x.csv", "https://example.com/x.csv"])
def test_a_uri_that_cannot_be_read_is_said(pipeline, uri: str) -> None:
    with pytest.raises(Invalid, match="uri"):
        pipeline.listings(uri)


def test_a_file_uri_with_spaces_is_read(pipeline, tmp_path: Path) -> None:
    file = tmp_path / "my items.csv"
    file.write_text(HEADER + GOOD)
    assert read_items(pipeline.listings(file.as_uri())).num_rows == 2


def test_no_rows_are_no_items(pipeline, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(HEADER)
    items = pipeline.listings(file)
    assert read_items(items).num_rows == 0
    assert len(item_hashes(items)) == 0


def test_parquet_is_read_with_its_types(pipeline, tmp_path: Path) -> None:
    columns = {
        "id": ["a", "b"],
        "price": [1, 2],
        "updated_at": [datetime(2026, 1, 1, 12), None],
        "pictures": [["x", "y"], []],
        "in_stock": [True, None],
        "year": [None, 1999],
        "code": ["007", "8"],
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    first, second = read_items(pipeline.listings(tmp_path / "x.parquet")).to_pylist()
    assert first["pictures"] == ["x", "y"]
    assert first["updated_at"] == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert first["in_stock"] is True
    assert second["year"] == 1999.0
    assert first["code"] == "007"


@pytest.mark.parametrize("name", ["id", "title", "description", "category", "status"])
@pytest.mark.parametrize("value", [["c"], [], {"de": "c"}, [["c"]], b"l\xe9"], ids=str)
def test_a_value_that_is_no_text_is_never_made_one(pipeline, tmp_path: Path, name: str, value: object) -> None:
    columns = {"id": ["1"], "pictures": ["a.png"]} | {name: pa.array([value])}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    items = pipeline.listings(tmp_path / "x.parquet")
    assert read_items(items).num_rows == 0
    (entry,) = quarantined(items)
    assert entry["item"] == ("" if name == "id" else "1")
    assert f"its {name} " in entry["reason"]


@pytest.mark.parametrize("value", [[["a.png"]], {"path": "a.png"}, [{"path": "a.png"}], 5, b"a.png"], ids=str)
def test_pictures_are_a_text_or_a_list_of_texts(pipeline, tmp_path: Path, value: object) -> None:
    pq.write_table(pa.table({"id": ["1"], "pictures": pa.array([value])}), tmp_path / "x.parquet")
    assert pipeline.reasons(pipeline.listings(tmp_path / "x.parquet")) == {"1": "its pictures are not a list of paths"}


@pytest.mark.parametrize("value", [True, "1_000", "-1", "nan", "12,50"])
def test_a_bad_price_is_told_with_how_to_write_it(value: object) -> None:
    made = listing({"id": "1", "price": value})
    assert isinstance(made, Rejected)
    assert "(write 1234.5)" in made.reason


def test_what_is_no_parquet_inside_is_said(pipeline, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    with pytest.raises(Invalid, match="Parquet"):
        pipeline.listings(tmp_path / "x.parquet")


def test_a_folder_is_a_catalogue_of_its_pictures(pipeline, tmp_path: Path, picture) -> None:
    folder = tmp_path / "things"
    for name in ("shoes/red_shoe.png", "hats/a-hat.JPG", "top.webp", "notes.txt", ".hidden/x.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"notes" if name == "notes.txt" else picture(1))
    os.symlink("red_shoe.png", folder / "shoes" / "same.png")
    rows = {row["id"]: row for row in read_items(pipeline.listings(folder)).to_pylist()}
    assert set(rows) == {"top.webp", "hats/a-hat.JPG", "shoes/red_shoe.png"}
    assert rows["shoes/red_shoe.png"]["category"] == "shoes"
    assert rows["shoes/red_shoe.png"]["title"] == "red shoe"
    assert rows["shoes/red_shoe.png"]["pictures"] == [str(folder / "shoes" / "red_shoe.png")]


def test_what_begins_like_a_picture_is_one_whatever_its_name_and_all_else_is_told(pipeline, tmp_path: Path, picture) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    for name, data in {
        "a.jfif": picture(1, "JPEG"),
        "IMG 2024.05": picture(2),
        "b": picture(3, "GIF"),
        "c.dat": picture(4, "BMP"),
        "d.tmp": picture(5, "WEBP"),
        "e.x": picture(6, "TIFF"),
        "phone.heic": picture(7, "AVIF"),
        "notes.txt": b"BM is how a note may begin",
        "film": b"\0\0\0 ftypisom",
        "empty": b"",
    }.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe")
    os.symlink(tmp_path / "gone", folder / "broken")
    os.symlink(tmp_path, folder / "up")
    items = pipeline.listings(folder)
    titles = {row["id"]: row["title"] for row in read_items(items).to_pylist()}
    assert titles == {
        "a.jfif": "a",
        "IMG 2024.05": "IMG 2024.05",
        "b": "b",
        "c.dat": "c.dat",
        "d.tmp": "d.tmp",
        "e.x": "e.x",
        "phone.heic": "phone",
    }
    reasons = pipeline.reasons(items)
    assert set(reasons) == {"notes.txt", "film", "empty", "pipe", "broken", "up"}
    assert "it is a pipe" in reasons["pipe"]
    assert "No such file" in reasons["broken"]
    assert f"name {tmp_path} as the catalogue" in reasons["up"]
    assert pipeline.metrics == {"items": 7, "quarantined": 6}


@pytest.mark.parametrize("link", ["aa.jpg", "zz.jpg", "shoes/aa.jpg"])
def test_a_picture_is_the_file_itself_and_links_to_it_are_told(pipeline, tmp_path: Path, picture, link: str) -> None:
    (folder := tmp_path / "things" / "shoes").mkdir(parents=True)
    (folder.parent / "p2.jpg").write_bytes(picture(1, "JPEG"))
    (folder.parent / link).symlink_to(folder.parent / "p2.jpg")
    items = pipeline.listings(folder.parent)
    assert read_items(items)["id"].to_pylist() == ["p2.jpg"]
    assert pipeline.reasons(items) == {link: "a link to a picture that is an item already: p2.jpg"}
    assert pipeline.metrics == {"items": 1, "quarantined": 1}


def test_a_picture_that_links_alone_lead_to_is_the_first_of_them(pipeline, tmp_path: Path, picture) -> None:
    (folder := tmp_path / "things").mkdir()
    (folder / ".hidden.jpg").write_bytes(picture(1, "JPEG"))
    for name in ("b.jpg", "a.jpg"):
        (folder / name).symlink_to(folder / ".hidden.jpg")
    items = pipeline.listings(folder)
    assert read_items(items)["id"].to_pylist() == ["a.jpg"]
    assert set(pipeline.reasons(items)) == {"b.jpg"}


def test_what_is_passed_over_in_a_folder_is_a_file_and_told_by_its_path(pipeline, tmp_path: Path, picture) -> None:
    (folder := tmp_path / "things").mkdir()
    (folder / "a.jpg").write_bytes(picture(1, "JPEG"))
    (folder / "notes.txt").write_text("x")
    (folder / "drawing.svg").write_text('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')
    (folder / "page.html").write_text("<!DOCTYPE html><p>x")
    told = told_of(pipeline.listings(folder))
    assert {each.what for each in told} == {each.item for each in told} == {"notes.txt", "drawing.svg", "page.html"}
    assert "SVG drawing" in next(each.reason for each in told if each.item == "drawing.svg")
    assert "HTML" in next(each.reason for each in told if each.item == "page.html")


def test_a_row_of_csv_is_told_by_its_line_for_whatever_reason(pipeline, tmp_path: Path) -> None:
    (tmp_path / "types").mkdir()
    write_schema(tmp_path / "types", {"size": pa.int64()})
    rows = ['1,"two\nlines",a.jpg,1', "1,x,a.jpg,1", "2,x,a.jpg,tall", "3,x", '4,"x,a.jpg,1', ",x,a.jpg,1"]
    (tmp_path / "x.csv").write_text("\n".join(["id,title,pictures,size", *rows, ""]))
    told = told_of(pipeline.listings(tmp_path / "x.csv", types=tmp_path / "types"))
    assert [each.what.split(":")[0] for each in told] == ["line 4", "line 5", "line 6", "line 7", "line 8"]


def test_a_row_of_parquet_is_told_by_its_number(pipeline, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1", "1"], "pictures": ["a", "b"]}), tmp_path / "x.parquet")
    assert [each.what for each in told_of(pipeline.listings(tmp_path / "x.parquet"))] == ["row 2: 1"]


@pytest.mark.parametrize(
    ("name", "reason"), [("link", "link: a link to a folder, which is not followed"), ("notes.txt", "notes.txt: neither")]
)
def test_a_folder_without_a_picture_is_refused_at_once_with_what_is_in_it(pipeline, tmp_path: Path, name: str, reason: str) -> None:
    (folder := tmp_path / "things").mkdir()
    (folder / name).symlink_to(tmp_path) if name == "link" else (folder / name).write_text("x")
    for look in (lambda: sources.fingerprint(str(folder), pipeline.step()), lambda: pipeline.listings(folder)):
        with pytest.raises(Invalid, match=reason):
            look()


def test_an_empty_folder_is_no_catalogue(pipeline, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="it is empty"):
        sources.fingerprint(str(tmp_path), pipeline.step())


@pytest.mark.parametrize("look", ["fingerprint", "listings"])
def test_a_pipe_is_no_catalogue_and_is_not_waited_for(pipeline, tmp_path: Path, look: str) -> None:
    os.mkfifo(pipe := tmp_path / "listings.csv")
    with pytest.raises(Invalid, match="it is a pipe, not a file or a folder"):
        sources.fingerprint(str(pipe), pipeline.step()) if look == "fingerprint" else pipeline.listings(pipe)


def test_a_name_that_is_not_utf8_is_set_aside(pipeline, tmp_path: Path, picture) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "ok.png").write_bytes(picture(1))
    (folder / os.fsdecode(b"\xff.png")).write_bytes(picture(2))
    items = pipeline.listings(folder)
    assert read_items(items)["id"].to_pylist() == ["ok.png"]
    assert "UTF-8" in next(quarantined(items))["reason"]


def test_touching_the_file_keeps_its_fingerprint_and_changing_it_does_not(pipeline, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(HEADER + GOOD)
    step: Step = pipeline.step()
    before = sources.fingerprint(str(file), step)
    os.utime(file, (1, 1))
    assert sources.fingerprint(str(file), step) == before
    file.write_text((HEADER + GOOD).replace("Shoe", "Boot"))
    assert sources.fingerprint(str(file), step) != before


def test_a_folders_fingerprint_follows_which_pictures_there_are(pipeline, tmp_path: Path, picture) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a.png").write_bytes(picture(1))
    before = sources.fingerprint(str(tmp_path / "f"), pipeline.step())
    (tmp_path / "f" / "b.png").write_bytes(picture(2))
    assert sources.fingerprint(str(tmp_path / "f"), pipeline.step()) != before


def test_the_root_of_the_catalogue_is_noted(pipeline, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(HEADER + GOOD)
    assert json.loads((pipeline.listings(tmp_path / "x.csv") / "catalogue.json").read_text()) == {"root": str(tmp_path)}


def test_partitions_are_those_of_the_sdk_and_hold_every_row_once(pipeline, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("id,pictures\n" + "".join(f"item-{n},{n}.png\n" for n in range(500)))
    items = pipeline.listings(file)
    parts = [rows_of_partition(items, part, 7)["id"].to_pylist() for part in range(7)]
    assert sorted(item for part in parts for item in part) == sorted(f"item-{n}" for n in range(500))
    assert all(partition_of(item, 7) == part for part, ids in enumerate(parts) for item in ids)


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.integers(1, 1000))
def test_the_hash_beside_the_items_is_the_partition(item: str, count: int) -> None:
    assert hash_of(item) % count == partition_of(item, count)
    assert np.uint64(hash_of(item)) == hash_of(item)


@given(
    st.dictionaries(
        st.sampled_from(["id", "title", "price", "updated_at", "pictures", "status", "x"]),
        st.none() | st.text() | st.floats() | st.integers() | st.lists(st.text()) | st.binary(),
    )
)
def test_any_values_are_a_listing_or_a_reason(row: dict) -> None:
    made = listing(row)
    assert isinstance(made, Listing) or (isinstance(made, Rejected) and made.reason)
