"""Listings from a folder of pictures: every picture is an item, the folder that it lies in is its category.

A picture is what is named like one or begins like one. Every other file is told, but for hidden ones; so are links to folders, which
are not followed: they lead out of the folder, round in circles, or to what is there anyway.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from lykeion.components.listings import BadValue, Listing, Rejected, checked_id, composed
from lykeion.errors import Invalid
from lykeion.outside import open_outside
from lykeion.search.picture import LONGEST_POSE, begins_like_a_picture, posing

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp")
SUFFIXES = frozenset({*JPEG, ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"})
EXAMPLES = 3  # of what was passed over, where nothing was taken


def folder_listings(folder: Path) -> Iterator[Listing | Rejected]:
    """In order of their paths, then those that links alone lead to. A picture is one item: the file itself, else the first link to it.

    Raises Invalid at the end where there was no picture, with what was there.
    """
    seen: dict[str, str] = {}
    links: list[str] = []
    passed_over: list[str] = []
    for path, reason in entries(folder):
        if reason:
            passed_over.append(f"{shown(folder, path)}: {reason}")
            yield Rejected(shown(folder, path), reason)
        elif os.path.islink(path):
            links.append(path)
        else:
            seen[os.path.realpath(path)] = path
            yield as_item(folder, path)
    for path in links:
        if (there := seen.setdefault(os.path.realpath(path), path)) == path:
            yield as_item(folder, path)
        else:
            yield Rejected(shown(folder, path), f"a link to a picture that is an item already: {shown(folder, there)}")
    if not seen:
        more = f"; and {len(passed_over) - EXAMPLES} more" if len(passed_over) > EXAMPLES else ""
        there = "; ".join(passed_over[:EXAMPLES]) + more if passed_over else "it is empty, hidden files aside"
        raise Invalid(f"uri: {folder}: there is no picture in this folder: {there}")


def pictures_in(folder: Path) -> Iterator[str]:
    return (path for path, reason in entries(folder) if not reason)


def entries(folder: Path) -> Iterator[tuple[str, str]]:
    """Path, and why it is passed over: "" for pictures. Hidden files and folders are left out."""
    unreadable: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if os.path.islink(path := os.path.join(place, name)):
                yield path, f"a link to a folder, which is not followed: copy it here, or name {os.path.realpath(path)} as the catalogue"
        for name in sorted(names):
            if not name.startswith("."):
                path = os.path.join(place, name)
                yield path, "" if ending(name) in SUFFIXES else why_not(path)
    for error in unreadable:
        yield str(error.filename), f"the folder cannot be read: {error.strerror}"


def ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def why_not(path: str) -> str:
    """Why a file that is not named like a picture is none; "" where it is one."""
    try:
        with open_outside(path) as file:
            start = file.read(LONGEST_POSE)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if begins_like_a_picture(start) else posing(start) or "neither named like a picture nor begins like one"


def shown(folder: Path, path: str) -> str:
    return os.fsencode(os.path.relpath(path, folder)).decode("utf-8", "replace")


def as_item(folder: Path, path: str) -> Listing | Rejected:
    relative = os.path.relpath(path, folder)
    place, name = os.path.split(relative)
    try:
        relative.encode()
        identity = checked_id(relative.replace(os.sep, "/"))
    except (UnicodeEncodeError, BadValue) as error:
        reason = error.reason if isinstance(error, BadValue) else "its name is not UTF-8"
        return Rejected(shown(folder, path), reason)
    bare = os.path.splitext(name)[0] if ending(name) in SUFFIXES else name
    title = " ".join(bare.replace("_", " ").replace("-", " ").split())
    return Listing(identity, composed(title), category=composed(os.path.basename(place)), pictures=(path,))
