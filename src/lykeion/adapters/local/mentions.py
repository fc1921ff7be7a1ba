"""Which cached pictures and extractors the tables in a folder speak of: Arrow files with `digest` or `picture`, and extractor.json.

Small dependencies only: where pyarrow is not installed there can be no such tables of ours, and nothing is claimed to be known.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError:
    pa = pc = None

COLUMNS = ("digest", "picture")


def mentions(folders: Iterable[Path]) -> tuple[frozenset[str], frozenset[str]] | None:
    """(pictures, extractors) by their digests in hex; None where the tables cannot be read."""
    if pa is None:
        return None
    pictures: set[str] = set()
    extractors: set[str] = set()
    for folder in folders:
        for table in folder.rglob("*.arrow"):
            read = digests_of(table)
            if read is None:
                return None
            pictures |= read
        for name in ("extractor.json", "space.json", "index.json"):
            for described in folder.rglob(name):
                extractors |= extractors_of(described)
    return frozenset(pictures), frozenset(extractors)


def digests_of(path: Path) -> set[str] | None:
    """The distinct digests in a table; None where it cannot be read: then nothing may be concluded from it."""
    try:
        with pa.memory_map(str(path)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
    except (pa.ArrowInvalid, OSError):
        return None
    columns = [table[name] for name in COLUMNS if name in table.column_names and table[name].type == pa.binary(32)]
    return {digest.hex() for column in columns for digest in pc.unique(column).to_pylist() if digest is not None}


def extractors_of(path: Path) -> set[str]:
    """The digests of extractors that a description names: its own, or that of its `extractor`."""
    try:
        said: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return set()
    named = [said, said.get("extractor")] if isinstance(said, dict) else []
    return {str(one["digest"]).removeprefix("sha256:") for one in named if isinstance(one, dict) and "digest" in one}
