"""Small JSON files that save work: whoever cannot read one does the work, whoever cannot write one goes on."""

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import Any


def kept(path: Path) -> Any:
    """What was kept; None where there is nothing that can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def keep(path: Path, value: Any) -> None:
    """Among any number of threads and processes, a reader sees one of the values that were kept, whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(value))
        beside.replace(path)
