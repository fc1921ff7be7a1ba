"""Whatever claims to be a picture becomes upright RGB pixels, or an error with a reason for a person."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lykeion.search.picture import MOST_BYTES, PictureError, eight_bits, header, pixels, thumbnail

SIDE = 32


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **options)
    return made.getvalue()


def halves(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red above, blue below."""
    picture = Image.new("RGB", size, (255, 0, 0))
    picture.paste((0, 0, 255), (0, size[1] // 2, size[0], size[1]))
    return picture.convert(mode)


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size: a bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixel_data = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", pixel_data)
        + chunk(b"IEND", b"")
    )


def top_and_bottom(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    found = pixels(data, SIDE).astype(int)
    assert found.shape == (SIDE, SIDE, 3)
    return found[2:6, 4:-4].mean(axis=(0, 1)), found[-6:-2, 4:-4].mean(axis=(0, 1))


def reason_of(data: bytes) -> str | None:
    """Why these bytes are refused; None where they are a picture in every use."""
    try:
        header(data)
        thumbnail(data, 64)
        pixels(data, SIDE)
    except PictureError as refused:
        return refused.reason
    return None


def is_red_over_blue(data: bytes) -> bool:
    top, bottom = top_and_bottom(data)
    return top[0] > 180 and top[2] < 70 and bottom[2] > 180 and bottom[0] < 70


@pytest.mark.parametrize(
    ("kind", "mode", "media_type"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("GIF", "P", "image/gif"),
        ("WEBP", "RGB", "image/webp"),
        ("BMP", "RGB", "image/bmp"),
        ("TIFF", "CMYK", "image/tiff"),
        ("AVIF", "RGB", "image/avif"),
    ],
)
def test_every_kind_of_picture_comes_out_in_its_colours(kind: str, mode: str, media_type: str) -> None:
    data = saved(halves(mode), kind)
    assert header(data) == (64, 48, media_type)
    assert is_red_over_blue(data)


@pytest.mark.parametrize("turned", range(1, 9))
def test_exif_rotation_is_honoured(turned: int) -> None:
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[turned]
    exif = Image.Exif()
    exif[0x0112] = turned
    upright = halves()
    data = saved(upright if undo is None else upright.transpose(undo), "JPEG", exif=exif.tobytes())
    assert header(data)[:2] == upright.size
    assert is_red_over_blue(data)
    shown = Image.open(io.BytesIO(thumbnail(data, 40)))
    assert shown.size == (40, 30)
    assert not shown.getexif()


def test_what_is_transparent_is_white() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    for data in (saved(clear, "PNG"), saved(clear.convert("LA"), "PNG"), saved(clear, "WEBP", lossless=True)):
        assert (pixels(data, SIDE) == 255).all()


def test_a_palette_with_transparency_is_shown_on_white() -> None:
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(1, (0, 10, 20, 20))
    found = pixels(saved(picture, "PNG", transparency=0), SIDE)
    assert (found[2, 10] == 255).all()
    assert tuple(found[-3, 10]) == (255, 0, 0)


def test_sixteen_bits_keep_their_greys() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, axis=0)
    found = pixels(saved(Image.fromarray(ramp), "PNG"), 64)
    assert abs(int(found[30, 32, 0]) - 128) < 6
    assert found[30, 0, 0] < 8
    assert found[30, -1, 0] > 247


def test_floats_up_to_one_are_fractions_of_white() -> None:
    assert eight_bits(np.array([[0.0, 0.5, 1.0, np.nan]])).tolist() == [[0, 127, 255, 0]]
    assert eight_bits(np.array([[0.0, 200.0, 900.0]])).tolist() == [[0, 200, 255]]


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [halves(), Image.new("RGB", (64, 48), (0, 255, 0))]
    for kind in ("GIF", "WEBP", "PNG"):
        assert is_red_over_blue(saved(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_a_big_jpeg_is_decoded_small_and_right() -> None:
    assert is_red_over_blue(saved(halves(size=(3000, 2000)), "JPEG"))


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "empty", "the file is empty"),
        (b"\0" * 100, "unsupported", "not a picture"),
        (b"hello", "unsupported", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x --><svg/>", "unsupported", "SVG"),
        (b"\n <!DOCTYPE html><html>", "unsupported", "HTML"),
        (b"%PDF-1.4 ...", "unsupported", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported", "not a picture"),
        (png_that_says(20_000, 20_000), "too-large", "million"),
        (png_that_says(2**31 - 1, 2**31 - 1), "too-large", "million"),
        (png_that_says(200, 200), "damaged", "damaged"),
        (b"\xff\xd8\xff" + b"\0" * (MOST_BYTES + 1), "too-large", "50 MB"),
    ],
    ids=["empty", "zeros", "text", "svg", "svg-xml", "html", "pdf", "eps", "bomb", "huge-bomb", "no-pixels", "60MB"],
)
def test_what_is_no_picture_is_refused_with_its_reason(data: bytes, kind: str, reason: str) -> None:
    with pytest.raises(PictureError, match=reason) as refused:
        pixels(data, SIDE)
    assert refused.value.kind == kind


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_a_truncated_picture_is_damaged(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8))
    whole = saved(noise, kind)
    for share in (0.3, 0.6):
        with pytest.raises(PictureError):
            pixels(whole[: int(len(whole) * share)], SIDE)


def test_a_hundred_megapixels_are_refused_by_their_header_alone() -> None:
    with pytest.raises(PictureError, match="million"):
        header(png_that_says(10_001, 10_000))
    assert header(png_that_says(10_000, 10_000)).width == 10_000


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"]),
    changes=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=12),
)
def test_a_picture_with_any_bytes_changed_is_pixels_or_a_reason(kind: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(saved(halves(), kind))
    for place, value in changes:
        data[place % len(data)] = value
    assert reason_of(bytes(data)) != ""


@given(st.binary(max_size=300))
def test_any_bytes_are_a_picture_or_a_reason(data: bytes) -> None:
    assert reason_of(data) != ""
