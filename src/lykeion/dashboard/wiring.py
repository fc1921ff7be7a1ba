"""The context of a home on one machine: the stores that the assembly chose, and the sockets of the services that run."""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from lykeion.adapters.local.token import token_of
from lykeion.assembly import local
from lykeion.core.resources.parse import parse
from lykeion.dashboard.addresses import LOOPBACK_ONLY, Outside
from lykeion.dashboard.context import Context
from lykeion.repository import open_repository


def open_context(home: Path, repository: str = "", outside: Outside = LOOPBACK_ONLY) -> Context:
    """repository: its URL, where it is not the home's own. outside: how the port is reached, besides by loopback's own names."""
    platform = local(str(home))
    sockets = platform.home.sockets
    return Context(
        home=platform.home.root,
        resources=lambda: platform.resources,
        models=open_repository(repository) if repository else platform.repository,
        check=parse,
        token=token_of(platform.home.root),
        services=lambda services: service_sockets(sockets, services),
        outside=outside,
        why_idle=platform.why_idle,
    )


def service_sockets(folder: Path, services: Iterable[str]) -> Mapping[str, str]:
    """replica -> the address that it answers `/metrics` on. Sockets are named after the digest of their service's name."""
    found: dict[str, str] = {}
    for service in services:
        prefix = sha256(service.encode()).hexdigest()[:8]
        mine = [path for path in folder.glob(f"{prefix}-*") if re.fullmatch(r"[0-9a-f]{8}-\d+\.\d+", path.name) and path.is_socket()]
        found |= {f"{service}-{number}": f"unix:{path}" for number, path in enumerate(sorted(mine))}
    return found
