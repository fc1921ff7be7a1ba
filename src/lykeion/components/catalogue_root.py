"""Which folder a catalogue's pictures may lie in: what `sources:listings` noted beside its items, unless a parameter says otherwise."""

import json
import os
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
