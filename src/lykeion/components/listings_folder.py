"""Listings from a folder of pictures: every picture is an item, the folder that it lies in is its category."""

import os
from collections.abc import Iterator
from pathlib import Path

from lykeion.components.listings import BadValue, Listing, Rejected, checked_id, composed

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif"})


def folder_listings(folder: Path) -> Iterator[Listing | Rejected]:
    """In order of their paths. A picture that links lead to by several paths is one item: that of the first path."""
    seen: set[str] = set()
    for path in pictures_in(folder):
        real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            yield as_item(folder, path)


def pictures_in(folder: Path) -> Iterator[str]:
    """Hidden files and folders are passed over; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield os.path.join(place, name)


def as_item(folder: Path, path: str) -> Listing | Rejected:
    relative = os.path.relpath(path, folder)
    place, name = os.path.split(relative)
    try:
        relative.encode()
        identity = checked_id(relative.replace(os.sep, "/"))
    except (UnicodeEncodeError, BadValue) as error:
        reason = error.reason if isinstance(error, BadValue) else "its name is not UTF-8"
        return Rejected(os.fsencode(relative).decode("utf-8", "replace"), reason)
    title = " ".join(os.path.splitext(name)[0].replace("_", " ").replace("-", " ").split())
    return Listing(identity, composed(title), category=composed(os.path.basename(place)), pictures=(path,))
