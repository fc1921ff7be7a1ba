"""A catalogue for the demo: real pictures, as listings of a marketplace. Titles and categories are the pictures' own; prices, dates and
what is sold out are made up from the id, the same ones every time.

    listings = demo_listings(home / "cache" / "demo", print)
"""

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from lykeion.components.demo_fetch import Progress, fetch_emoji, fetch_openclipart
from lykeion.components.listings_folder import pictures_in
from lykeion.errors import Corrupt, Unavailable

LISTINGS = "listings.csv"
COLUMNS = ("id", "title", "description", "category", "price", "status", "updated_at", "pictures")
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 300
SOLD_OUT_ONE_IN = 20


class Picture(NamedTuple):
    """A picture of a set: its path in the set's folder, and what is on it."""

    path: str
    title: str
    category: str


def demo_listings(folder: Path, progress: Progress) -> Path:
    """The listings file of a demo catalogue, fetched where `folder` does not hold one yet.

    Raises Unavailable, with what was tried, where no set of pictures can be had.
    """
    sets: dict[str, tuple[Callable[[Path, Progress], None], Callable[[Path], Iterable[Picture]]]] = {
        "openclipart": (fetch_openclipart, openclipart),
        "emoji": (fetch_emoji, emoji),
    }
    for name in sets:
        if (folder / name / LISTINGS).exists():
            return folder / name / LISTINGS
    tried = []
    for name, (fetch, read) in sets.items():
        try:
            return make(folder / name, fetch, read, progress)
        except (Unavailable, Corrupt, OSError) as error:
            tried.append(f"{name}: {error}")
    raise Unavailable(f"no demo pictures ({'; '.join(tried)}). Give your own: --pictures FOLDER, or --listings FILE")


def make(folder: Path, fetch: Callable[[Path, Progress], None], read: Callable[[Path], Iterable[Picture]], progress: Progress) -> Path:
    """Fetch a set beside its place and move it there when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fetch(beside, progress)
        write_listings(beside / LISTINGS, read(beside))
        beside.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder / LISTINGS


def openclipart(folder: Path) -> Iterator[Picture]:
    """Categories are the folders at the top; a title is the file's name without its number."""
    for path in pictures_in(folder):
        relative = Path(path).relative_to(folder)
        words = re.sub(r"[\s_.-]+", " ", relative.stem).strip()
        title = re.sub(r"( \d+)+$", "", words) or words
        yield Picture(relative.as_posix(), title, relative.parts[0].replace("_", " ") if len(relative.parts) > 1 else "unsorted")


def emoji(folder: Path) -> Iterator[Picture]:
    """Raises Corrupt where the list of names is not the one that it was."""
    try:
        for entry in json.loads((folder / "emoji.json").read_text()):
            if entry["has_img_google"] and (folder / entry["image"]).exists():
                title = (entry["name"] or entry["short_name"]).lower()
                yield Picture(entry["image"], title, entry["category"].lower())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(f"emoji.json does not name the pictures as it did: {type(error).__name__}: {error}") from error


def write_listings(file: Path, pictures: Iterable[Picture]) -> None:
    with file.open("w", newline="", encoding="utf-8") as target:
        rows = csv.writer(target)
        rows.writerow(COLUMNS)
        rows.writerows(map(listing, pictures))


def listing(picture: Picture) -> tuple[str, ...]:
    identity = picture.path.removesuffix(".png")
    number = int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "big")
    price = round(3 * 10 ** (1 + number % 1000 / 400)) * 10  # 300 to 95,000: many cheap ones, few dear ones
    status = "sold_out" if number // 1000 % SOLD_OUT_ONE_IN == 0 else "on_sale"
    updated = FIRST_DAY + timedelta(minutes=number // 20_000 % (DAYS * 24 * 60))
    return (identity, picture.title, "", picture.category, str(price), status, updated.isoformat(), picture.path)
