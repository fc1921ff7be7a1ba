"""Bad input at the front door: over HTTP through the gateway, and in a catalogue. Clear words come back, and nobody dies of it."""

import csv
import http.client
import io
import json
import os
import struct
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.timeout(240)

PHOTO_SEARCH = "examples/photo-search/pipeline.yaml"
SERVERS = ("lykeion.servers.index_server", "lykeion.servers.proxy_server", "lykeion.dashboard.serve")


def arrow(size=(90, 60)):
    """A picture in which up and down differ."""
    picture = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    pen.polygon([(10, 50), (40, 10), (70, 50)], fill=(200, 30, 30))
    pen.rectangle((5, 52, 85, 58), fill=(20, 20, 90))
    return picture


def saved(picture, kind, **options):
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


def turned():
    """Stored on its side, with EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(arrow().transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif.tobytes())


def noise(side):
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (side, side, 3), np.uint8))


def png_header(width, height):
    """A PNG that says it is so large, with next to no pixels in it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def sixteen_bits():
    grey = np.asarray(arrow().convert("L"), np.uint16) * 257
    return saved(Image.fromarray(grey), "PNG")


GOOD = {
    "animated.gif": saved(arrow(), "GIF", save_all=True, append_images=[Image.new("RGB", (90, 60), 5)]),
    "animated.webp": saved(arrow(), "WEBP", save_all=True, append_images=[Image.new("RGB", (90, 60), 5)]),
    "cmyk.jpg": saved(arrow().convert("CMYK"), "JPEG"),
    "sixteen-bits.png": sixteen_bits(),
    "palette-alpha.png": saved(arrow().quantize(16), "PNG", transparency=0),
    "alpha.png": saved(arrow().convert("RGBA"), "PNG"),
    "grey.png": saved(arrow().convert("L"), "PNG"),
    "turned.png": turned(),
    "one-pixel.png": saved(Image.new("RGB", (1, 1)), "PNG"),
    "thin.png": saved(Image.new("RGB", (3000, 1)), "PNG"),
    "wrong-name.jpg": saved(arrow(), "PNG"),
    "arrow.tiff": saved(arrow(), "TIFF"),
    "arrow.bmp": saved(arrow(), "BMP"),
}
SEEN_WHEN_OPENED = {  # file -> (HTTP status, words of the reason): refused by its first bytes, in a catalogue too
    "empty.png": (b"", 400, "empty"),
    "text.png": (b"hello", 415, "not a picture"),
    "drawing.png": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', 415, "SVG"),
    "page.jpg": (b"<!DOCTYPE html><html><body>picture</body></html>", 415, "HTML"),
    "letter.jpg": (b"%PDF-1.4\n" + b"x" * 100, 415, "not a picture"),
    "only-head.png": (b"\x89PNG\r\n\x1a\n", 415, "not a picture"),
    "bomb.png": (png_header(30_000, 30_000), 422, "million"),
    "hundred-megapixels.png": (png_header(10_001, 10_000), 422, "million"),
}
SEEN_WHEN_DECODED = {
    "truncated.png": (saved(noise(200), "PNG")[:30_000], 422, "damaged"),
    "truncated.jpg": (saved(noise(200), "JPEG")[:9_000], 422, "damaged"),
    "garbled.png": (saved(noise(60), "PNG")[:60] + b"\xff" * 300, 422, "damaged"),
}
BAD = SEEN_WHEN_OPENED | SEEN_WHEN_DECODED


def pids(up):
    return [up.processes(SERVERS[0]), up.workers(SERVERS[0]), up.processes(SERVERS[1]), up.workers(SERVERS[1]), up.processes(SERVERS[2])]


@pytest.fixture(autouse=True)
def nobody_dies(request):
    """Whatever was sent to the platform: the same processes answer afterwards."""
    if "site" not in request.fixturenames:
        yield
        return
    up, indexed = request.getfixturevalue("site"), request.getfixturevalue("indexed")
    before = pids(up)
    yield
    assert pids(up) == before
    assert up.search(indexed.picture("ring-red-0"), "?k=1").json["items"][0]["id"] == "ring-red-0"


def refused(answer, status, *words):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert all(word in answer.json["detail"] for word in words), answer.json["detail"]
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_with_its_reason(site, name):
    body, status, reason = BAD[name]
    refused(site.search(body), status, reason)


@pytest.mark.parametrize("name", ["drawing.png", "truncated.jpg", "text.png"])
def test_a_bad_picture_in_a_form_is_refused_as_well(site, name):
    body, status, reason = BAD[name]
    form = b'--x\r\ncontent-disposition: form-data; name="image"; filename="p.png"\r\n\r\n' + body + b"\r\n--x--\r\n"
    refused(site.search(form, kind="multipart/form-data; boundary=x"), status, reason)


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_picture_is_answered(site, name):
    assert len(site.search(GOOD[name], "?k=3").json["items"]) == 3


def test_a_rotated_picture_is_seen_upright(site):
    def best(picture):
        return site.search(picture, "?k=1").json["items"][0]

    upright, lying = best(saved(arrow(), "PNG")), best(saved(arrow().transpose(Image.Transpose.ROTATE_90), "PNG"))
    seen = best(turned())
    assert seen["id"] == upright["id"]
    assert abs(seen["score"] - upright["score"]) < 0.01 < abs(lying["score"] - upright["score"])


def test_a_transparent_picture_is_seen_on_white(site):
    colours = np.asarray(arrow())
    alpha = np.where((colours == 255).all(axis=2, keepdims=True), 0, 255).astype(np.uint8)
    clear = Image.fromarray(np.concatenate([np.where(alpha, colours, 0), alpha], axis=2).astype(np.uint8))
    seen = [item["id"] for item in site.search(saved(clear, "PNG"), "?k=5").json["items"]]
    assert seen == [item["id"] for item in site.search(saved(arrow(), "PNG"), "?k=5").json["items"]]


def test_an_upload_of_fifty_megabytes_is_refused(site):
    """The answer may come before all was sent; then the connection is closed."""
    try:
        answer = site.search(b"\xff\xd8\xff" + b"\0" * 50_000_000)
    except (OSError, http.client.HTTPException):
        return
    refused(answer, 413)


def test_an_upload_without_a_length_is_cut_off_as_well(site):
    connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=30)
    try:
        connection.request(
            "POST", "/v1/search/photos", iter([b"\xff" * 1_000_000] * 60), {"content-type": "image/png"}, encode_chunked=True
        )
        assert connection.getresponse().status == 413
    except (OSError, http.client.HTTPException):
        return  # closed on us
    finally:
        connection.close()


QUESTIONS = {
    "k of 0": ("?k=0", {"item": "ring-red-0"}, "k"),
    "a negative k": ("?k=-1", {"item": "ring-red-0"}, "k"),
    "a huge k": ("?k=999999999", {"item": "ring-red-0"}, "1000"),
    "a k beyond numbers": ("?k=" + "9" * 4000, {"item": "ring-red-0"}, "k"),
    "a k that is none": ("?k=ten", {"item": "ring-red-0"}, "k"),
    "an unknown parameter": ("?filtre=a:b", {"item": "ring-red-0"}, "filter"),
    "a filter without a value": ("?filter=category", {"item": "ring-red-0"}, "category"),
    "a filter of an unknown field": ("?filter=shape:ring", {"item": "ring-red-0"}, "shape"),
    "an order of words": ("?filter=category:%3Cring", {"item": "ring-red-0"}, "category"),
    "a number that is none": ("?filter=price:%3Ccheap", {"item": "ring-red-0"}, "cheap"),
    "too many filters": ("?" + "&".join(["filter=category:ring"] * 60), {"item": "ring-red-0"}, "filter"),
    "a bad page": ("?next=%F0%28%8C", {"item": "ring-red-0"}, "next"),
    "a short vector": ("", {"vector": [1.0, 2.0]}, "2"),
    "a vector of zeros": ("", {"vector": [0.0] * 1280}, "zero"),
    "a vector of words": ("", {"vector": ["a"]}, "vector"),
    "neither": ("", {}, "item"),
    "both": ("", {"item": "a", "vector": [1.0]}, "either"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_bad_question_is_refused_with_its_reason(site, name):
    query, question, word = QUESTIONS[name]
    refused(site.by(query, **question), 400, word)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_vector_that_is_not_finite_is_refused(site, number):
    body = ('{"vector": [' + number + ", 1" * 1279 + "]}").encode()
    refused(site.search(body, kind="application/json"), 400)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"item": 7}', b'{"item": ""}'])
def test_json_that_is_none_of_the_questions_is_refused(site, body):
    refused(site.search(body, kind="application/json"), 400)


def test_an_unknown_item_is_not_found(site):
    refused(site.by(item="none"), 404, "none")


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "video/mp4"])
def test_what_says_that_it_is_no_picture_is_refused(site, indexed, kind):
    refused(site.search(indexed.picture("ring-red-0"), kind=kind), 415)


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=y"])
def test_a_form_that_cannot_be_read_is_refused(site, kind):
    refused(site.search(b'--x\r\ncontent-disposition: form-data; name="image"\r\n\r\nabc\r\n--x--\r\n', kind=kind), 400)


@pytest.mark.parametrize("path", ["/v1/pictures/..%2f..%2ftoken", "/v1/pictures/zz", "/static/..%2f..%2fapp.py", "/v1/search/..%2f..%2fx"])
def test_paths_that_lead_out_find_nothing(site, path):
    answer = site.ask(path)
    assert 400 <= answer.status < 500
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture
def shelf(tmp_path):
    """A catalogue to be filled: `shelf(rows)` writes listings beside the pictures."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name, (data, *_) in BAD.items():
        (folder / name).write_bytes(data)
    for name, data in GOOD.items():
        (folder / name).write_bytes(data)
    for number in range(12):
        picture = arrow()
        ImageDraw.Draw(picture).ellipse((5 * number, 5, 5 * number + 25, 30), fill=(20 * number, 90, 200 - 15 * number))
        picture.save(folder / f"good-{number}.png")
    return folder


def write(folder, rows, names=("id", "title", "price", "updated_at", "pictures")):
    with (folder / "listings.csv").open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        written = csv.DictWriter(file, names, restval="")
        written.writeheader()
        written.writerows(rows)
    return folder / "listings.csv"


def index(indexed, listings, code=0):
    return indexed.cli("run", PHOTO_SEARCH, "-p", f"listings={listings}", "-p", "family=shelf", "-o", "json", code=code)


def set_aside(indexed, printed, step):
    key = next(one["key"] for one in printed["steps"] if one["name"] == step)
    files = (indexed.home / "outputs" / key).rglob("quarantine.jsonl")
    return {one["item"]: one["reason"] for file in files for one in map(json.loads, file.read_text().splitlines())}


def metrics(printed, step):
    return next(one["metrics"] for one in printed["steps"] if one["name"] == step)


def test_bad_pictures_of_a_catalogue_are_set_aside_each_with_its_reason_and_the_rest_is_found(own, shelf, tmp_path):
    secret = tmp_path / "secret.png"
    arrow().save(secret)
    os.symlink(secret, shelf / "link.png")
    (shelf / "folder.png").mkdir()
    good = [*(f"good-{number}.png" for number in range(12)), *GOOD]
    rows = [{"id": name, "title": name, "pictures": name} for name in [*good, *BAD]]
    rows += [
        {"id": "out", "pictures": "../secret.png"},
        {"id": "absolute", "pictures": str(secret)},
        {"id": "linked", "pictures": "link.png"},
        {"id": "folder", "pictures": "folder.png"},
        {"id": "missing", "pictures": "nowhere.png"},
        {"id": "long", "pictures": "x" * 5000},
        {"id": "none", "pictures": ""},
        {"id": "remote", "pictures": "https://example.org/a.png"},
    ]
    printed = index(own, write(shelf, rows)).json
    seen = set_aside(own, printed, "pictures")
    assert set(seen) == {*SEEN_WHEN_OPENED, "out", "absolute", "linked", "folder", "missing", "long", "none", "remote"}
    for name, (_, _, reason) in SEEN_WHEN_OPENED.items():
        assert reason in seen[name]
    assert all("leads out" in seen[name] for name in ("out", "absolute", "linked"))
    later = set_aside(own, printed, "features")
    assert set(later) == set(SEEN_WHEN_DECODED)
    assert all(reason in later[name] for name, (_, _, reason) in SEEN_WHEN_DECODED.items())
    assert metrics(printed, "pictures")["quarantined"] == len(seen)
    assert metrics(printed, "index")["items"] == len(good)
    answer = own.cli("search", "shelf", shelf / "good-3.png", "-k", 100, "-o", "json").json
    assert {item["id"] for item in answer["items"]} == set(good)


def test_bad_rows_are_set_aside_and_the_rest_is_found(own, shelf):
    rows = [{"id": f"g{number}", "title": "ok", "price": number, "pictures": f"good-{number}.png"} for number in range(12)]
    rows += [
        {"id": "date", "updated_at": "the 5th of May", "pictures": "good-1.png"},
        {"id": "price", "price": "cheap", "pictures": "good-1.png"},
        {"id": "nan", "price": "NaN", "pictures": "good-1.png"},
        {"id": "", "title": "no id", "pictures": "good-1.png"},
        {"id": "g3", "title": "again", "pictures": "good-1.png"},
    ]
    listings = write(shelf, rows)
    with listings.open("a") as file:
        file.write("too,few\n")
    printed = index(own, listings).json
    assert metrics(printed, "items") == {"items": 12.0, "quarantined": 6.0}
    reasons = set_aside(own, printed, "items")
    assert {"date", "price", "nan", "", "g3", "too"} >= set(reasons) >= {"date", "price", "nan", "g3"}
    assert "above" in reasons["g3"]
    found = own.cli("search", "shelf", "--item", "g3", "-k", 50, "-o", "json").json["items"]
    assert {item["id"] for item in found} == {f"g{number}" for number in range(12) if number != 3}


def only_items(cli, listings, code=0):
    return cli("run", PHOTO_SEARCH, "-p", f"listings={listings}", "--only", "items", "-o", "json", code=code)


def items_of(home, printed):
    (file,) = (home / "outputs" / printed["steps"][0]["key"]).rglob("items.arrow")
    with pa.ipc.open_file(file) as read:
        return read.read_all().to_pylist()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_odd_encodings_and_separators_are_read(cli, home, shelf, encoding):
    lines = ["id;title;pictures", *(f"s{number};Ärmel größer;good-{number}.png" for number in range(12))]
    (shelf / "listings.csv").write_bytes("\r\n".join(lines).encode(encoding))
    items = items_of(home, only_items(cli, shelf / "listings.csv").json)
    assert [one["id"] for one in items] == [f"s{number}" for number in range(12)]
    assert {one["title"] for one in items} == {"Ärmel größer"}


def test_a_parquet_file_is_a_catalogue(cli, home, shelf):
    rows = [{"id": f"p{number}", "title": "x", "price": 1.5, "pictures": [f"good-{number}.png"], "size": "L"} for number in range(12)]
    parquet.write_table(pa.Table.from_pylist(rows), shelf / "listings.parquet")
    items = items_of(home, only_items(cli, shelf / "listings.parquet").json)
    assert [(one["id"], one["price"], one["size"]) for one in items] == [(f"p{number}", 1.5, "L") for number in range(12)]


BAD_FILES = {
    "missing columns": (b"name,images\na,b\n", "pictures"),
    "empty": (b"", "empty"),
    "zeros": (b"\0" * 5000, "column"),
    "half a parquet": (b"PAR1" + b"x" * 100, "arquet"),
    "repeated columns": (b"id,id,pictures\na,b,c\n", "more than once"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_catalogue_fails_with_what_is_wrong(cli, shelf, name):
    content, word = BAD_FILES[name]
    (shelf / "listings.csv").write_bytes(content)
    ran = only_items(cli, shelf / "listings.csv", code=1)
    assert word in ran.err
    assert "Traceback" not in ran.err
    assert ran.json["phase"] == "Failed"


def test_a_catalogue_without_items_is_told_before_anything_is_published(own, shelf):
    ran = index(own, write(shelf, []), code=1)
    assert ran.json["published"] == []
    assert "Traceback" not in ran.err


def test_a_catalogue_that_is_not_there_is_told(cli, shelf):
    assert "nowhere.csv" in only_items(cli, shelf / "nowhere.csv", code=1).err
