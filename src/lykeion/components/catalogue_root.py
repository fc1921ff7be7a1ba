"""Which folder a catalogue's pictures may lie in (what `sources:listings` noted beside its items, unless a parameter says otherwise), and
how names in the catalogue become those on the disk.
"""

import json
import os
import unicodedata
from pathlib import Path

from lykeion.components.tables import CATALOGUE_FILE
from lykeion.errors import Invalid


def write_catalogue_root(items: Path, root: str) -> None:
    (items / CATALOGUE_FILE).write_text(json.dumps({"root": root}))


def catalogue_root(items: Path, given: str = "") -> str:
    """Absolute, links followed. Raises Invalid where nobody says it."""
    if given:
        return os.path.realpath(given)
    try:
        return os.path.realpath(str(json.loads((items / CATALOGUE_FILE).read_text())["root"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"root: say which folder the pictures lie in; {items / CATALOGUE_FILE} does not ({error})") from error


def on_disk(path: str) -> str:
    """An absolute path with its letters as they are on the disk: "é" is one character to some systems, and "e" with an accent to others.

    A name that is there as it is written is that one.
    """
    if path.isascii() or os.path.lexists(path):
        return path
    found = "/"
    for name in path.split("/"):
        forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
        found = next((there for form in forms if os.path.lexists(there := os.path.join(found, form))), os.path.join(found, name))
    return found
