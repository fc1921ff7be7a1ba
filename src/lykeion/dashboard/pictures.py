"""Pictures by the digest of their bytes, as thumbnails: made once, kept, and never out of date."""

import asyncio
import os
import random
import re
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lykeion.dashboard.api import number
from lykeion.dashboard.problems import problem
from lykeion.errors import Corrupt, Invalid, NotFound

SIZES = (64, 128, 256, 512, 1024)  # few, so that the cache stays small
DEFAULT_SIZE = 256
LARGEST = 200_000_000  # pixels; the pictures that were taken in are smaller
FOR_EVER = "public, max-age=31536000, immutable"


def thumbnail_size(asked: str | None) -> int:
    """The size that is made for the size that is asked for: the next larger one. Raises Invalid outside 64 … 1024."""
    if asked is None:
        return DEFAULT_SIZE
    if not asked.isascii() or not asked.isdigit() or len(asked) > 4 or not SIZES[0] <= int(asked) <= SIZES[-1]:
        raise Invalid(f"size: {asked[:20]!r} is no size; ask for {SIZES[0]} to {SIZES[-1]}")
    return next(size for size in SIZES if size >= int(asked))


def hex_digest(text: str) -> str:
    """With or without "sha256:". Raises Invalid."""
    found = text.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise Invalid("a picture is asked for by the SHA-256 of its bytes: 64 hexadecimal digits")
    return found


def thumbnail(cache: Path, digest: str, size: int) -> Path:
    """The thumbnail's file: WebP, longer side at most `size` pixels, upright, never enlarged. Made where it is missing."""
    target = cache / "thumbnails" / str(size) / digest[:2] / f"{digest}.webp"
    if target.exists():
        return target
    source = cache / "pictures" / digest[:2] / digest
    if not source.exists():
        raise NotFound(f"there is no picture {digest}; it may have been collected since it was indexed")
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{digest}.{os.getpid()}.{id(source)}")
    beside.write_bytes(shrink(source, size))
    os.replace(beside, target)
    return target


def shrink(source: Path, size: int) -> bytes:
    """Raises Corrupt where the file is no picture that can be shown."""
    kept = BytesIO()
    try:
        with Image.open(source) as picture:
            if picture.width * picture.height > LARGEST:
                raise Corrupt(f"{source.name}: {picture.width} × {picture.height} pixels are too many to show")
            picture.draft("RGB", (size, size))
            what_there_is(picture)
            upright = ImageOps.exif_transpose(picture)
            has_alpha = "A" in upright.getbands() or "transparency" in upright.info
            shown = upright.convert("RGBA" if has_alpha else "RGB")
            shown.thumbnail((size, size))
            shown.save(kept, "WEBP", quality=82, method=2)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Corrupt(f"{source.name}: it cannot be shown: {error}") from error
    return kept.getvalue()


def what_there_is(picture: ImageFile.ImageFile) -> None:
    """Decode it; of one that breaks off, what came before: so a person sees which picture was set aside. Raises what Pillow does."""
    try:
        picture.load()
    except OSError:
        is_begun, picture.tile = bool(picture.tile), []
        if not is_begun or picture.getbbox() is None:
            raise


async def show(request: Request) -> Response:
    digest, size = hex_digest(request.path_params["digest"]), thumbnail_size(request.query_params.get("size"))
    tag = f'"{digest[:32]}-{size}"'
    headers = {"etag": tag, "cache-control": FOR_EVER}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    cache: Path = request.app.state.platform.context.home / "cache"
    try:
        path = await asyncio.to_thread(thumbnail, cache, digest, size)
        return Response(path.read_bytes(), media_type="image/webp", headers=headers)
    except Corrupt as error:
        return problem(422, str(error))


def sampled(folder: Path, count: int) -> list[str]:
    """Digests of some pictures, spread over all of them by chance; all where there are few."""
    folders = [one for one in folder.glob("??") if one.is_dir()]
    found: list[str] = []
    for one in random.sample(folders, len(folders)):
        found += [path.name for path in sorted(one.iterdir())[:2] if re.fullmatch(r"[0-9a-f]{64}", path.name)]
        if len(found) >= count:
            break
    return found[:count]


async def samples(request: Request) -> Response:
    """Addresses of some pictures of the catalogue, to start a search from."""
    count = number(request, "count", 8, 50)
    home: Path = request.app.state.platform.context.home
    found = await asyncio.to_thread(sampled, home / "cache" / "pictures", count)
    return JSONResponse({"pictures": [f"{request.scope['root_path']}/v1/pictures/{digest}" for digest in found]})


ROUTES = [Route("/api/v1/pictures", samples), Route("/v1/pictures/{digest}", show)]
