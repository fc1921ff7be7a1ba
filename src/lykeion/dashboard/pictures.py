"""Pictures by the digest of their bytes, as thumbnails: made once, kept, and never out of date. What the index reads is shown."""

import asyncio
import os
import random
import re
from io import BytesIO
from pathlib import Path

from PIL import ImageFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lykeion.dashboard.api import number
from lykeion.dashboard.problems import problem
from lykeion.errors import Corrupt, Invalid, NotFound
from lykeion.search.picture import UNREADABLE, PictureError, forgiving, orientation, plain, rgb, upright
from lykeion.search.picture_repairs import JPEG, has_end, with_end

SIZES = (64, 128, 256, 512, 1024)  # few, so that the cache stays small
DEFAULT_SIZE = 256
NOT_SHOWN: tuple[type[BaseException], ...] = (PictureError, *UNREADABLE)
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

    def shrunk(picture: ImageFile.ImageFile) -> bytes:
        turned, profile = orientation(picture), picture.info.get("icc_profile")
        picture.draft("RGB", (size, size))
        what_there_is(picture)
        has_alpha = "A" in picture.getbands() or ("transparency" in picture.info and not picture.mode.startswith("I"))
        shown = picture.convert("RGBA") if has_alpha else rgb(picture)
        shown.thumbnail((size, size))
        kept = BytesIO()
        upright(shown, turned).save(kept, "WEBP", quality=82, method=2, icc_profile=profile)
        return kept.getvalue()

    data = source.read_bytes()
    is_cut = data.startswith(JPEG) and not has_end(data)
    try:
        return forgiving(with_end(data)[0] if is_cut else data, shrunk)
    except NOT_SHOWN as error:
        raise Corrupt(f"{source.name}: it cannot be shown: {plain(error)}") from error


def what_there_is(picture: ImageFile.ImageFile) -> None:
    """Decode it; of one that breaks off, what came before: so a person sees which picture was set aside. Raises PictureError."""
    try:
        picture.load()
    except UNREADABLE as error:
        is_begun, picture.tile = bool(picture.tile), []
        if not (isinstance(error, OSError) and is_begun) or picture.getbbox() is None:
            raise PictureError(f"damaged: {plain(error)}", "damaged") from error


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
