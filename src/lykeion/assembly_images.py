"""Like `assembly`, for what needs lykeion[images]: the store and the workshop of a home, and registries with their logins."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lykeion.adapters.images.store import Store
from lykeion.adapters.images.workshop import Workshop
from lykeion.adapters.local.home import Home
from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.http import Http
from lykeion.adapters.registry.logins import login_for
from lykeion.adapters.registry.push import Said, pull, unsaid
from lykeion.core.images.oci import Image
from lykeion.core.images.references import Reference, parse_reference
from lykeion.errors import Invalid, Problem

REGISTRY = "LYKEION_REGISTRY"


def image_store(home: Home) -> Store:
    return Store(home.root / "images")


def workshop(home: Home, base: str = "") -> Workshop:
    """`base`: see `Workshop`; what LYKEION_IMAGE_BASE says where it is ""."""
    store = image_store(home)

    def brought(reference: Reference) -> Image:
        with registry(reference.host) as there:
            return pull(store, there, reference)

    return Workshop(home.cache / "images", store, brought, base or os.environ.get("LYKEION_IMAGE_BASE", ""))


@contextmanager
def registry(host: str) -> Iterator[Registry]:
    """A registry, as whoever is logged in there. LYKEION_REGISTRY_CA names certificates that are trusted besides."""
    ca = os.environ.get("LYKEION_REGISTRY_CA")
    plain = True if host in os.environ.get("LYKEION_REGISTRY_PLAIN", "").split(",") else None
    with Registry(Http(host, login_for(host), plain=plain, ca=Path(ca) if ca else None)) as opened:
        yield opened


def destination(name: str, given: str = "") -> Reference | None:
    """Where an image called `name` ("photos:7") goes: `given`, else below $LYKEION_REGISTRY; None where neither says.

    Raises Invalid for what is no name in a registry.
    """
    prefix = os.environ.get(REGISTRY, "").rstrip("/")
    if given:
        return parse_reference(given)
    return parse_reference(f"{prefix}/{name}") if prefix else None


def required_destination(name: str, given: str = "") -> Reference:
    found = destination(name, given)
    if found is None:
        remedy = f"--tag localhost:5000/{name}, or set {REGISTRY}=HOST[:PORT][/PREFIX]"
        raise Invalid([Problem("it is not said which registry it goes to", field="--tag", remedy=remedy)])
    return found


def pulled(home: Home, reference: Reference, said: Said = unsaid) -> Image:
    with registry(reference.host) as there:
        return pull(image_store(home), there, reference, said)
