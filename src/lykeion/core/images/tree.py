"""The entries of a layer, put into the one order and form that they have in every tar; what no layer may hold is told, all of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from lykeion.core.images.entries import Entry
from lykeion.errors import Invalid, Problem

LONGEST_NAME = 255  # bytes of one part of a path
LONGEST_PATH = 4095
FOLDER_MODE = 0o755


def arranged(entries: Iterable[Entry]) -> list[Entry]:
    """Sorted by path, with the folders above each, hard links after all else. Raises Invalid with everything that cannot be in a layer.

    An entry that is there twice counts once. One may lie below a link, which may lead into another layer (packages of Debian do so).
    """
    found: dict[str, Entry] = {}
    problems: list[Problem] = []
    for entry in entries:
        if why := fault(entry):
            problems.append(refused(entry, why))
        elif found.setdefault(entry.path, entry).content != entry.content:
            problems.append(refused(entry, "it is there twice, and not the same"))
    folders = {above: Entry(above, "folder", FOLDER_MODE) for path in found for above in parents(path)}
    files = {path for path, entry in found.items() if entry.type == "file"}
    taken = (found[above] for above in folders if above in found and found[above].type in ("file", "hardlink"))
    problems += [refused(entry, "it is a file, and a folder that something lies in") for entry in taken]
    lost = (entry for entry in found.values() if entry.type == "hardlink" and entry.target not in files)
    problems += [refused(entry, f"it is a hard link to {entry.target}, which is no file of this layer") for entry in lost]
    if problems:
        raise Invalid(problems)
    return sorted({**folders, **found}.values(), key=lambda entry: (entry.type == "hardlink", entry.path))


def fault(entry: Entry) -> str:
    """Why an entry cannot be in a layer; "" where it can."""
    try:
        encoded = entry.path.encode()
        entry.target.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    parts = entry.path.split("/")
    if entry.path.startswith("/"):
        return "its path is absolute"
    if any(part in ("", ".", "..") for part in parts):
        return "its path has an empty part, '.' or '..'"
    if "\0" in entry.path or "\0" in entry.target:
        return "its name holds a zero byte"
    if len(encoded) > LONGEST_PATH or any(len(part.encode()) > LONGEST_NAME for part in parts):
        return f"its name is too long: {LONGEST_NAME} bytes a part and {LONGEST_PATH} in all fit"
    if entry.type == "link" and not entry.target:
        return "it is a link to nothing"
    return ""


def refused(entry: Entry, why: str) -> Problem:
    shown = entry.path.encode("utf-8", "backslashreplace").decode()
    return Problem(
        f"cannot be put into an image: {why}", field=shown if len(shown) < 120 else f"{shown[:80]}…", value=shown, file=entry.source
    )


def parents(path: str) -> Iterator[str]:
    """The folders above a path, the outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def clashes(paths: Iterable[str]) -> Mapping[str, list[str]]:
    """Paths that are one where upper and lower case are not told apart, by their common form."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(path.casefold(), []).append(path)
    return {form: sorted(group) for form, group in groups.items() if len(set(group)) > 1}


def below(folder: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries as they lie in `folder`."""
    for entry in entries:
        target = f"{folder}/{entry.target}" if entry.type == "hardlink" else entry.target
        yield replace(entry, path=f"{folder}/{entry.path}", target=target)
