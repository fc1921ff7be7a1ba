"""Secrets of one home: `secrets/NAME.json`, a flat mapping that only its owner may read. Looked up when a step starts, kept nowhere."""

import json
from pathlib import Path

from lykeion.errors import Invalid, NotFound, Problem
from lykeion.outside import read_outside

OTHERS = 0o077


class Secrets:
    """`Secrets(folder)(name, key)` is the value of `${secrets.NAME.KEY}`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, key: str) -> str:
        """Raises NotFound where there is no such secret or key, Invalid where others could read it or it is no mapping of texts."""
        path = self.folder / f"{name}.json"
        try:
            mode = path.stat().st_mode
            kept = json.loads(read_outside(path))
        except FileNotFoundError as error:
            raise NotFound(f'there is no secret {name!r}: write {path} as {{"{key}": "…"}} with mode 600') from error
        except OSError as error:
            raise Invalid([Problem(f"this secret cannot be read: {error.strerror}", file=str(path))]) from error
        except ValueError as error:
            raise Invalid([Problem("is no JSON", file=str(path))]) from error
        if mode & OTHERS:
            raise Invalid([Problem("others may read this secret", file=str(path), remedy=f"chmod 600 {path}")])
        if not isinstance(kept, dict) or not isinstance(kept.get(key), str):
            raise NotFound(f"the secret {name!r} has no text under {key!r} ({path})")
        return str(kept[key])
