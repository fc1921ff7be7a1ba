"""Whatever claims to be a picture becomes upright RGB pixels, or an error with a reason for a person."""

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from lykeion.search.picture import (
    LONGEST_MARK,
    MOST_BYTES,
    VERDICTS,
    PictureError,
    begins_like_a_picture,
    eight_bits,
    header,
    pixels,
    thumbnail,
)

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


def described(**more: object) -> bytes:
    """A PNG with metadata before its pixels."""
    return saved(halves(), "PNG", **more)


def text_of(length: int, packed: bool) -> PngImagePlugin.PngInfo:
    made = PngImagePlugin.PngInfo()
    made.add_text("comment", "x" * length, zip=packed)
    return made


def chunk(kind: bytes, data: bytes, checksum: int | None = None) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if checksum is None else checksum)


@pytest.mark.parametrize(
    "data",
    [
        described(pnginfo=text_of(1_200_000, True)),
        described(pnginfo=text_of(70_000_000, True)),
        described(icc_profile=b"p" * 1_100_000),
        described()[:33] + chunk(b"tEXt", b"a\0b", checksum=1) + described()[33:],
        described()[:33] + chunk(b"pHYs", b"") + described()[33:],
        described()[:-12] + chunk(b"zTXt", b"c\0\0" + zlib.compress(b"x" * 2_000_000)) + described()[-12:],
    ],
    ids=["long text", "very long text", "long profile", "wrong checksum", "empty resolution", "long text after the pixels"],
)
def test_metadata_that_is_long_or_damaged_does_not_make_a_png_damaged(data: bytes) -> None:
    assert header(data) == (64, 48, "image/png")
    assert is_red_over_blue(data)
    assert reason_of(data) is None


def test_a_png_with_long_metadata_is_upright_and_a_bomb_with_it_stays_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = halves().transpose(Image.Transpose.ROTATE_90)
    assert is_red_over_blue(saved(lying, "PNG", exif=exif.tobytes(), pnginfo=text_of(1_200_000, True)))
    bomb = png_that_says(20_000, 20_000)
    assert "million" in str(reason_of(bomb[:33] + chunk(b"zTXt", b"c\0\0" + zlib.compress(b"x" * 2_000_000)) + bomb[33:]))


def blocks(size: tuple[int, int] = (100, 75)) -> Image.Image:
    """Something to see in every corner."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 20, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)


JPEGS = {
    "sequential": saved(blocks(), "JPEG"),
    "progressive": saved(blocks(), "JPEG", progressive=True),
    "restarts": saved(blocks(), "JPEG", restart_marker_rows=1),
    "grey": saved(blocks().convert("L"), "JPEG"),
    "cmyk": saved(blocks().convert("CMYK"), "JPEG"),
    "flat": saved(Image.new("RGB", (100, 75), (128, 128, 128)), "JPEG"),
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_that_lacks_its_end_alone_has_all_its_pixels(kind: str, cut: int) -> None:
    whole = JPEGS[kind]
    padded = [] if kind == "flat" else [whole[:-2] + b"\0" * 5000]  # its last pixels are a zero: one cannot tell
    for data in (whole[:-cut], *padded):
        assert (pixels(data, SIDE) == pixels(whole, SIDE)).all()
        assert thumbnail(data, 64) == thumbnail(whole, 64)


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(sorted(JPEGS)), share=st.floats(0, 1), padding=st.sampled_from([0, 1, 600]))
def test_a_jpeg_cut_anywhere_is_the_whole_picture_or_damaged(kind: str, share: float, padding: int) -> None:
    """Where a block at most is guessed at, nobody sees it."""
    whole = JPEGS[kind]
    start = whole.index(b"\xff\xda") + 14
    data = whole[: start + int(share * (len(whole) - start))] + b"\0" * padding
    try:
        found = pixels(data, SIDE)
    except PictureError as refused:
        assert refused.kind == "damaged"  # noqa: PT017  # both ways are sound
    else:
        assert (np.abs(found.astype(int) - pixels(whole, SIDE)) > 2).any(axis=2).sum() <= 16


def test_what_follows_the_end_of_a_jpeg_does_not_matter() -> None:
    whole = JPEGS["sequential"]
    assert (pixels(whole + b"trailer" * 50, SIDE) == pixels(whole, SIDE)).all()


def heic(turned: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turned
    made = io.BytesIO()
    picture = halves() if turned == 1 else halves().transpose(Image.Transpose.ROTATE_90)
    pillow_heif.from_pillow(picture).save(made, quality=90, exif=exif.tobytes())
    return made.getvalue()


@pytest.mark.parametrize("turned", [1, 6])
def test_a_heic_picture_is_read_upright(turned: int) -> None:
    assert header(heic(turned)) == (64, 48, "image/heic")
    assert is_red_over_blue(heic(turned))


def test_without_its_package_a_heic_picture_is_told_with_the_way_to_it_and_remembered_apart(tmp_path: Path) -> None:
    (tmp_path / "phone.heic").write_bytes(heic())
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from lykeion.search.picture import PictureError, VERDICTS, header\n"
        "try: header(open(sys.argv[1], 'rb').read())\n"
        "except PictureError as error: print(VERDICTS, error.kind, error.reason)"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "phone.heic"], capture_output=True, text=True, check=True)
    verdicts, kind, reason = run.stdout.split(" ", 2)
    assert (verdicts, kind) == (VERDICTS.removesuffix("-heic"), "unsupported")
    assert "pip install 'lykeion[heic]'" in reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_a_picture_is_told_by_how_it_begins(kind: str) -> None:
    assert begins_like_a_picture(saved(halves(), kind)[:LONGEST_MARK])
    assert begins_like_a_picture(heic()[:LONGEST_MARK])


@pytest.mark.parametrize("start", [b"", b"BM", b"BMW is a car, and so are others", b"RIFF....WAVE", b"\0\0\0 ftypmp42", b"<svg", b"%PDF"])
def test_what_begins_otherwise_is_no_picture(start: bytes) -> None:
    assert not begins_like_a_picture(start)


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
