"""Like `assembly`, for what needs lykeion[images]: the store and the workshop of a home, and how images are called."""

import os
from collections.abc import Callable

from lykeion.adapters.images.store import Store
from lykeion.adapters.images.workshop import Workshop
from lykeion.adapters.local.home import Home
from lykeion.adapters.registry import REGISTRY as REGISTRY
from lykeion.core.images.oci import Image
from lykeion.core.images.references import Reference, parse_reference
from lykeion.errors import Invalid, Problem


def image_store(home: Home) -> Store:
    return Store(home.root / "images")


def workshop(home: Home, bring: Callable[[Reference], Image], base: str = "") -> Workshop:
    """`base`: see `Workshop`; what LYKEION_IMAGE_BASE says where it is "". `bring` gets a base from a registry into the home's store."""
    return Workshop(home.cache / "images", image_store(home), bring, base or os.environ.get("LYKEION_IMAGE_BASE", ""))


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
