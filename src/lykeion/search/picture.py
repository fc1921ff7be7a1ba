"""Turns whatever a file claims to be a picture into upright RGB pixels, or says why it does not: for listings and for shoppers' photos.

What it guards against: files that are no pictures (SVG and HTML among them), empty and truncated ones, and bombs, which are refused by
the size in their header before a pixel is decoded. What it puts right: EXIF rotation, CMYK, 16 bits, palettes, transparency (shown on
white), animation (the first frame counts). JPEG is decoded at a fraction of its size where that is enough.
"""

import io
import struct
import zlib
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import AvifImagePlugin, Image, ImageOps, MpoImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from lykeion.errors import LykeionError

MOST_BYTES = 50_000_000
MOST_PIXELS = 100_000_000
PREPARATION = "upright-srgb8-onwhite-stretch-bicubic-1"  # part of an extractor's digest: raise it when pixels come out differently

Image.preinit()  # JPEG, PNG, GIF, BMP; the other formats are known to Pillow once their modules are imported
FORMATS = {
    "JPEG": "image/jpeg",
    MpoImagePlugin.MpoImageFile.format: "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    WebPImagePlugin.WebPImageFile.format: "image/webp",
    "BMP": "image/bmp",
    TiffImagePlugin.TiffImageFile.format: "image/tiff",
    AvifImagePlugin.AvifImageFile.format: "image/avif",
}
OPENED_AS = tuple(name for name in FORMATS if name in Image.OPEN)  # MPO is opened as JPEG, AVIF not by every Pillow
WHAT_CAN_BE_READ = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"
ORIENTATION = 0x0112

# What Pillow's decoders raise on bytes that are not what they claim (UnidentifiedImageError is an OSError).
BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, OverflowError, AttributeError, MemoryError, RuntimeError)
BROKEN_TOO = (struct.error, zlib.error, Image.DecompressionBombError)
UNREADABLE: tuple[type[BaseException], ...] = (*BROKEN, *BROKEN_TOO)

Image.MAX_IMAGE_PIXELS = None  # the limit is `MOST_PIXELS`, an error with a reason; Pillow's own is a warning first

Array = np.ndarray[Any, Any]
Kind = Literal["empty", "too-large", "unsupported", "damaged"]


class PictureError(LykeionError):
    """These bytes cannot be used as a picture. `reason` is a sentence for a person, `kind` for a program."""

    exit_code = 2

    def __init__(self, reason: str, kind: Kind) -> None:
        self.reason = reason
        self.kind = kind
        super().__init__(reason)


class Header(NamedTuple):
    """What a picture's first bytes say of it. Width and height as it is shown, that is, after EXIF's rotation."""

    width: int
    height: int
    media_type: str


def header(data: bytes) -> Header:
    """Look at a picture without decoding it. Raises PictureError."""
    picture = opened(data)
    width, height = picture.size
    if orientation(picture) >= 5:
        width, height = height, width
    return Header(width, height, FORMATS[picture.format or ""])


def pixels(data: bytes, side: int) -> Array:
    """uint8 [side, side, 3], RGB: the whole picture, stretched to a square. Raises PictureError."""
    picture = opened(data)
    turned = orientation(picture)
    small = decoded(picture, (side, side))
    square = small if small.size == (side, side) else small.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(upright(square, turned))


def thumbnail(data: bytes, longest: int) -> bytes:
    """A JPEG no larger than `longest` pixels either way, upright, without metadata. Raises PictureError."""
    picture = opened(data)
    turned = orientation(picture)
    small = decoded(picture, (longest, longest))
    small.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=2.0)
    made = io.BytesIO()
    upright(small, turned).save(made, "JPEG", quality=85, optimize=True)
    return made.getvalue()


def opened(data: bytes) -> Image.Image:
    """The picture with its header read. Raises PictureError."""
    if not data:
        raise PictureError("the file is empty", "empty")
    if len(data) > MOST_BYTES:
        raise PictureError(f"{len(data) / 1e6:.0f} MB is more than the {MOST_BYTES // 1_000_000} MB that a picture may have", "too-large")
    if reason := posing(data):
        raise PictureError(reason, "unsupported")
    try:
        picture = Image.open(io.BytesIO(data), formats=OPENED_AS)
    except UnidentifiedImageError as error:
        raise PictureError(f"not a picture that can be read: {WHAT_CAN_BE_READ} can", "unsupported") from error
    except UNREADABLE as error:
        raise PictureError(f"damaged: {plain(error)}", "damaged") from error
    width, height = picture.size
    if width * height > MOST_PIXELS:
        most = MOST_PIXELS // 1_000_000
        raise PictureError(f"{width} x {height} pixels are more than the {most} million that a picture may have", "too-large")
    if width < 1 or height < 1:
        raise PictureError("it has no pixels", "damaged")
    return picture


def posing(data: bytes) -> str:
    """Why this is text that poses as a picture; "" where it is not."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return f"an SVG drawing, which is not read: {WHAT_CAN_BE_READ} is"
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page, not a picture"
    return ""


def orientation(picture: Image.Image) -> int:
    """EXIF's 1..8; 1 where it says nothing that makes sense."""
    try:
        found = picture.getexif().get(ORIENTATION, 1)
    except UNREADABLE:
        return 1
    return found if found in range(1, 9) else 1


def upright(picture: Image.Image, turned: int) -> Image.Image:
    """Undo EXIF's rotation. Cheap, since the picture is small by now."""
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    picture.info = {"exif": exif.tobytes()}
    return ImageOps.exif_transpose(picture)


def decoded(picture: Image.Image, wanted: tuple[int, int]) -> Image.Image:
    """The first frame as RGB, at least `wanted` large where it is, perhaps much smaller than the file says. Raises PictureError."""
    try:
        picture.draft("RGB", wanted)
        picture.load()
        return rgb(picture)
    except UNREADABLE as error:
        raise PictureError(f"damaged: {plain(error)}", "damaged") from error


def rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return Image.fromarray(eight_bits(np.asarray(picture))).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, (255, 255, 255))
        white.paste(seen, mask=seen.getchannel("A"))
        return white
    return picture.convert("RGB")


def eight_bits(values: Array) -> Array:
    """Grey of 16 or 32 bits, or in floats, as 0..255. Floats up to 1 count as fractions of white."""
    if values.dtype.kind == "f":
        finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        scaled = finite * 255.0 if finite.max(initial=0.0) <= 1.0 else finite
    else:
        clipped = np.clip(values.astype(np.int64), 0, 65535)
        scaled = clipped >> 8 if clipped.max(initial=0) > 255 else clipped
    made: Array = np.clip(scaled, 0, 255).astype(np.uint8)
    return made


def plain(error: BaseException) -> str:
    return str(error).split("\n")[0][:200] or type(error).__name__
