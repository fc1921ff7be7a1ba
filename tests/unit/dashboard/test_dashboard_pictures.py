"""Pictures by digest: thumbnails that are made once and never change."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from dashboard_calls import Platform
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from lykeion.dashboard.pictures import SIZES, hex_digest, sampled, thumbnail_size
from lykeion.errors import Invalid
from lykeion.search.picture import header


def keep(home: Path, data: bytes) -> str:
    digest = sha256(data).hexdigest()
    path = home / "cache" / "pictures" / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def picture(mode: str = "RGB", size: tuple[int, int] = (800, 400), kind: str = "PNG", **more: object) -> bytes:
    out = BytesIO()
    Image.new(mode, size, 128 if mode in ("L", "P", "I;16") else None).save(out, kind, **more)
    return out.getvalue()


def shown(body: bytes) -> Image.Image:
    found = Image.open(BytesIO(body))
    assert found.format == "WEBP"
    return found


@pytest.mark.parametrize(
    ("query", "expected"), [("", (256, 128)), ("?size=64", (64, 32)), ("?size=65", (128, 64)), ("?size=1024", (800, 400))]
)
def test_a_picture_is_shown_in_the_next_larger_size_and_never_enlarged(platform: Platform, query: str, expected: tuple[int, int]) -> None:
    digest = keep(platform.home, picture())
    answer = platform.ask(f"/v1/pictures/{digest}{query}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
    assert shown(answer.body).size == expected


def test_it_may_be_kept_for_ever_and_is_not_sent_twice(platform: Platform) -> None:
    digest = keep(platform.home, picture())
    first = platform.ask(f"/v1/pictures/{digest}")
    assert "immutable" in first.headers["cache-control"]
    again = platform.ask(f"/v1/pictures/{digest}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = platform.ask(f"/v1/pictures/{digest}?size=512", headers={"if-none-match": first.headers["etag"]})
    assert other.status == 200


def test_a_thumbnail_is_made_once_and_outlives_the_picture(platform: Platform) -> None:
    digest = keep(platform.home, picture())
    first = platform.ask(f"/v1/pictures/{digest}")
    (platform.home / "cache" / "pictures" / digest[:2] / digest).unlink()
    assert platform.ask(f"/v1/pictures/sha256:{digest}").body == first.body
    assert [path.name for path in (platform.home / "cache" / "thumbnails" / "256" / digest[:2]).iterdir()] == [f"{digest}.webp"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_kind_of_pixel_is_shown(platform: Platform, mode: str) -> None:
    answer = platform.ask(f"/v1/pictures/{keep(platform.home, picture(mode))}")
    assert answer.status == 200
    assert ("A" in shown(answer.body).getbands()) == (mode in ("RGBA", "LA"))


def test_a_printers_jpeg_is_shown(platform: Platform) -> None:
    assert platform.ask(f"/v1/pictures/{keep(platform.home, picture('CMYK', kind='JPEG'))}").status == 200


def test_a_rotated_photo_stands_upright(platform: Platform) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    digest = keep(platform.home, picture(kind="JPEG", exif=exif))
    assert shown(platform.ask(f"/v1/pictures/{digest}").body).size == (128, 256)


@pytest.mark.parametrize(
    "data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", picture()[:60], b"\xff\xd8\xff" + bytes(50)]
)
def test_what_is_no_picture_is_said_so(platform: Platform, data: bytes) -> None:
    answer = platform.ask(f"/v1/pictures/{keep(platform.home, data)}")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert "cannot be shown" in answer.json["detail"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_of_a_picture_that_breaks_off_what_there_is_is_shown(platform: Platform, kind: str) -> None:
    noise = Image.effect_noise((400, 300), 80).convert("RGB")
    kept = BytesIO()
    noise.save(kept, kind)
    answer = platform.ask(f"/v1/pictures/{keep(platform.home, kept.getvalue()[: len(kept.getvalue()) // 2])}")
    assert answer.status == 200
    assert shown(answer.body).getbbox() is not None


def heic() -> bytes:
    made = BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (80, 40), "red")).save(made)
    return made.getvalue()


def texts(count: int, length: int) -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    for number in range(count):
        made.add_itxt(f"note{number}", "x" * length, zip=True)
    return made


READ_BY_THE_INDEX = {
    "HEIC": heic,
    "a PNG with a long text": lambda: picture(pnginfo=texts(1, 1_500_000)),
    "a PNG with many texts": lambda: picture(pnginfo=texts(80, 900_000)),
    "a PNG with a long colour profile": lambda: picture(icc_profile=b"p" * 1_300_000),
    "a progressive JPEG without its end marker": lambda: picture(kind="JPEG", progressive=True)[:-2],
}


@pytest.mark.parametrize("made", READ_BY_THE_INDEX.values(), ids=list(READ_BY_THE_INDEX))
def test_what_the_index_reads_is_shown(platform: Platform, made: Callable[[], bytes]) -> None:
    data = made()
    assert header(data).width >= 80
    for size in ("", "?size=64"):
        answer = platform.ask(f"/v1/pictures/{keep(platform.home, data)}{size}")
        assert answer.status == 200, answer.body
        assert max(shown(answer.body).size) >= 64


def test_grey_of_sixteen_bits_is_as_dark_as_the_index_sees_it(platform: Platform) -> None:
    kept = BytesIO()
    Image.fromarray(np.full((64, 64), 40 << 8, np.uint16)).save(kept, "PNG")
    red, _, _ = shown(platform.ask(f"/v1/pictures/{keep(platform.home, kept.getvalue())}").body).convert("RGB").getpixel((32, 32))
    assert abs(red - 40) <= 2


def test_grey_of_sixteen_bits_with_a_transparent_shade_is_shown(platform: Platform) -> None:
    assert platform.ask(f"/v1/pictures/{keep(platform.home, picture('I;16', transparency=0))}").status == 200


def test_what_is_said_of_a_picture_names_no_folder_of_the_machine(platform: Platform) -> None:
    answer = platform.ask(f"/v1/pictures/{keep(platform.home, b'no picture')}")
    assert str(platform.home) not in answer.body.decode()


def test_a_bomb_is_not_unpacked(platform: Platform) -> None:
    answer = platform.ask(f"/v1/pictures/{keep(platform.home, picture('1', (20000, 20000)))}")
    assert answer.status == 422


@pytest.mark.parametrize("path", ["x", "ab" * 31, "AB" * 32, "..%2f..%2fstate.db", "sha256:" + "g" * 64])
def test_a_digest_is_64_hexadecimal_digits(platform: Platform, path: str) -> None:
    assert platform.ask(f"/v1/pictures/{path}").status in (404, 422)


def test_a_picture_that_is_not_there_is_not_found(platform: Platform) -> None:
    assert platform.ask(f"/v1/pictures/{'ab' * 32}").status == 404


@pytest.mark.parametrize("size", ["0", "63", "1025", "-64", "64.0", "x", "", "1e2", "99999999999", "٦٤"])
def test_a_size_outside_64_to_1024_is_refused(size: str) -> None:
    with pytest.raises(Invalid, match="size"):
        thumbnail_size(size)


@given(st.integers(64, 1024))
def test_a_size_is_never_smaller_than_asked_for(size: int) -> None:
    made = thumbnail_size(str(size))
    assert made in SIZES
    assert size <= made < size * 2


@given(st.text())
def test_nothing_but_a_digest_becomes_a_path(text: str) -> None:
    try:
        found = hex_digest(text)
    except Invalid:
        return
    assert set(found) <= set("0123456789abcdef")


def test_samples_are_pictures_of_the_catalogue(platform: Platform) -> None:
    assert platform.ask("/api/v1/pictures").json == {"pictures": []}
    digests = {keep(platform.home, picture(size=(8 + n, 8))) for n in range(30)}
    (platform.home / "cache" / "pictures" / "ab").mkdir(exist_ok=True)
    (platform.home / "cache" / "pictures" / "ab" / ".partial").write_text("")
    found = platform.ask("/api/v1/pictures?count=12").json["pictures"]
    assert len(set(found)) == 12
    assert {address.rpartition("/")[2] for address in found} <= digests
    assert len(sampled(platform.home / "cache" / "pictures", 1000)) <= len(digests)
    assert platform.ask("/api/v1/pictures?count=x").status == 422
