"""A registry as it is asked by whoever works here: with the login for its host, and what the environment says of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.http import Http
from lykeion.adapters.registry.logins import login_for


@contextmanager
def registry(host: str) -> Iterator[Registry]:
    """LYKEION_REGISTRY_CA names certificates that are trusted besides, LYKEION_REGISTRY_PLAIN hosts that are asked over http."""
    ca = os.environ.get("LYKEION_REGISTRY_CA")
    plain = True if host in os.environ.get("LYKEION_REGISTRY_PLAIN", "").split(",") else None
    with Registry(Http(host, login_for(host), plain=plain, ca=Path(ca) if ca else None)) as opened:
        yield opened
