"""Turns whatever a file claims to be a picture into upright RGB pixels, or says why it does not: for listings and for shoppers' photos.

What it guards against: files that are no pictures (SVG and HTML among them), empty and truncated ones, and bombs, which are refused by
the size in their header before a pixel is decoded. What it puts right: EXIF rotation, CMYK, 16 bits, palettes, transparency (shown on
white), animation (the first frame counts). What it forgives, as browsers do: metadata that is damaged or very long, and a JPEG without
its end, where no pixel is missing. JPEG is decoded at a fraction of its size where that is enough.
"""

import io
import struct
import zlib
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from PIL import AvifImagePlugin, Image, ImageFile, ImageOps, MpoImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from lykeion.errors import LykeionError
from lykeion.search.picture_repairs import JPEG, PNG, has_all_scans, has_end, with_end, without_metadata

HEIC_PACKAGE = "pillow_heif"  # not a plain import, which keys and images would follow: few have it, and what its lack refuses is not kept
try:
    pillow_heif = import_module(HEIC_PACKAGE)
except ImportError:  # lykeion[heic] is not installed
    HEIC = False
else:
    pillow_heif.register_heif_opener(decode_threads=1)
    HEIC = True

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
if HEIC:
    FORMATS[pillow_heif.HeifImageFile.format] = "image/heic"
OPENED_AS = tuple(name for name in FORMATS if name in Image.OPEN)  # MPO is opened as JPEG, AVIF not by every Pillow
WHAT_CAN_BE_READ = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"
VERDICTS = "2-heic" if HEIC else "2"  # names what is remembered of pictures: raise it when one that was refused is taken, or reversed
NEEDS_HEIC = "a HEIC picture, which is read where lykeion[heic] is installed: pip install 'lykeion[heic]'"
ORIENTATION = 0x0112
STRIP = 256  # rows of pixels that are copied at a time
LONGEST_MARK = 32  # bytes by which any kind of picture is told
LONGEST_POSE = 1024  # bytes by which text that poses as one is told
MARKS = (JPEG, PNG, b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
AVIF_BRANDS = (b"avif", b"avis")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # their lengths

# What Pillow's decoders raise on bytes that are not what they claim (UnidentifiedImageError is an OSError).
BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, OverflowError, AttributeError, MemoryError, RuntimeError)
BROKEN_TOO = (struct.error, zlib.error, Image.DecompressionBombError)
UNREADABLE: tuple[type[BaseException], ...] = (*BROKEN, *BROKEN_TOO)

Image.MAX_IMAGE_PIXELS = None  # the limit is `MOST_PIXELS`, an error with a reason; Pillow's own is a warning first

Array = np.ndarray[Any, Any]
Use = TypeVar("Use")
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

    def read(picture: Image.Image) -> Header:
        width, height = picture.size
        if orientation(picture) >= 5:
            width, height = height, width
        return Header(width, height, FORMATS[picture.format or ""])

    return forgiving(data, read)


def pixels(data: bytes, side: int) -> Array:
    """uint8 [side, side, 3], RGB: the whole picture, stretched to a square. Raises PictureError."""

    def stretched(picture: Image.Image) -> Array:
        turned = orientation(picture)
        small = decoded(picture, (side, side))
        square = small if small.size == (side, side) else small.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
        return np.asarray(upright(square, turned))

    return forgiving(whole(data), stretched)


def thumbnail(data: bytes, longest: int) -> bytes:
    """A JPEG no larger than `longest` pixels either way, upright, without metadata. Raises PictureError."""

    def shrunk(picture: Image.Image) -> bytes:
        turned = orientation(picture)
        small = decoded(picture, (longest, longest))
        small.thumbnail((longest, longest), Image.Resampling.BICUBIC, reducing_gap=2.0)
        made = io.BytesIO()
        upright(small, turned).save(made, "JPEG", quality=85, optimize=True)
        return made.getvalue()

    return forgiving(whole(data), shrunk)


def forgiving(data: bytes, use: Callable[[ImageFile.ImageFile], Use]) -> Use:
    """`use` of the opened picture; of a damaged PNG, of its pixels alone. Raises PictureError."""
    try:
        return use(opened(data))
    except PictureError as error:
        if error.kind == "too-large" or not data.startswith(PNG):
            raise
    return use(opened(without_metadata(data)))


def whole(data: bytes) -> bytes:
    """The same, but for a JPEG that lacks its end alone: that one with an end. Raises PictureError where it lacks pixels, too."""
    if not data.startswith(JPEG) or has_end(data):
        return data
    opened(data)  # what is wrong with its header is said first
    ended, disturbed = with_end(data)
    if not has_all_scans(ended) or digest_of_pixels(ended) != digest_of_pixels(disturbed):
        raise PictureError("damaged: the file ends before the picture does", "damaged")
    return ended


def digest_of_pixels(jpeg: bytes) -> bytes:
    """In strips, so that it takes no more memory than any other decoding. Raises PictureError."""
    picture, total = opened(jpeg), sha256()
    try:
        for top in range(0, picture.height, STRIP):
            total.update(picture.crop((0, top, picture.width, min(top + STRIP, picture.height))).tobytes())
    except UNREADABLE as error:
        raise PictureError(f"damaged: {plain(error)}", "damaged") from error
    return total.digest()


def begins_like_a_picture(start: bytes) -> bool:
    """start: the first `LONGEST_MARK` bytes of a file at least, or all that it has."""
    if start.startswith(b"RIFF"):
        return start[8:12] == b"WEBP"
    if start.startswith(b"BM"):
        return int.from_bytes(start[14:18], "little") in BMP_HEADERS
    return start.startswith(MARKS) or brand(start) in (*AVIF_BRANDS, *HEIC_BRANDS)


def brand(start: bytes) -> bytes:
    """Of a file of ISO's family, to which AVIF and HEIC belong, as do videos; empty for others."""
    return start[8:12] if start[4:8] == b"ftyp" else b""


def opened(data: bytes) -> ImageFile.ImageFile:
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
        if not HEIC and brand(data) in HEIC_BRANDS:
            raise PictureError(NEEDS_HEIC, "unsupported") from error
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
    start = data[:LONGEST_POSE].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
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
