"""Like `assembly`, for what needs lykeion[images]: the store and the workshop of a home, and registries with their logins."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lykeion.adapters.images.build import Built, build
from lykeion.adapters.images.store import Store
from lykeion.adapters.images.trust import read_key
from lykeion.adapters.images.workshop import Workshop
from lykeion.adapters.local.home import Home
from lykeion.adapters.registry import REGISTRY as REGISTRY
from lykeion.adapters.registry.attached import attach
from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.connect import registry as registry
from lykeion.adapters.registry.push import Pushed, Said, pull, push, unsaid
from lykeion.assembly import Platform
from lykeion.core.images.oci import Image
from lykeion.core.images.records import ImageRecord, LayerRecord
from lykeion.core.images.references import Reference, parse_reference
from lykeion.core.images.sbom import MEDIA_TYPE
from lykeion.core.images.signature import ANNOTATIONS, BUNDLE
from lykeion.daemons.image_builder import ImageBuilder
from lykeion.errors import Invalid, NotFound, Problem

SIGNING_KEY = "LYKEION_SIGNING_KEY"


def image_store(home: Home) -> Store:
    return Store(home.root / "images")


def workshop(home: Home, base: str = "") -> Workshop:
    """`base`: see `Workshop`; what LYKEION_IMAGE_BASE says where it is ""."""
    store = image_store(home)

    def brought(reference: Reference) -> Image:
        with registry(reference.host) as there:
            return pull(store, there, reference)

    return Workshop(home.cache / "images", store, brought, base or os.environ.get("LYKEION_IMAGE_BASE", ""))


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


class RegistryImages:
    """`ports.Images`: serving images of this install's repository, below `prefix` ("HOST[:PORT][/PATH]") of a registry."""

    def __init__(self, platform: Platform, prefix: str, said: Callable[[str], None] = lambda _: None, base: str = "") -> None:
        self.platform, self.prefix, self.said, self.base = platform, prefix.rstrip("/"), said, base

    def build(self, model: str, number: int) -> ImageRecord:
        started = time.monotonic()
        repository = self.platform.repository
        shop = workshop(self.platform.home, self.base)  # anew: what it knows of the base may have changed
        folder = repository.path(model, number, self.platform.home.cache / "models")
        recipe = shop.serving(repository.manifest(model, number), folder)
        to = parse_reference(f"{self.prefix}/{recipe.name}")
        built = build(recipe, shop.store, said=self.said, tag=str(to))
        with registry(to.host) as there:
            done = push(shop.store, built.image, there, to, said=lambda what, _done, _total: self.said(f"sending {what}"))
            self.vouch(there, done.reference, shop.store.description(built.image.digest))
        return recorded(built, done, time.monotonic() - started)

    def vouch(self, there: Registry, image: Reference, sbom: bytes) -> None:
        """Put what is in it beside an image, and a signature where $LYKEION_SIGNING_KEY names a key. The same again changes nothing."""
        if not there.referrers(image.repository, image.digest, MEDIA_TYPE):
            attach(there, image, MEDIA_TYPE, sbom)
        if (file := os.environ.get(SIGNING_KEY)) and not there.referrers(image.repository, image.digest, BUNDLE):
            key = read_key(Path(file), os.environ.get("LYKEION_KEY_PASSPHRASE", "").encode())
            attach(there, image, BUNDLE, key.sign(image.digest), ANNOTATIONS)

    def delete(self, reference: str) -> None:
        named = parse_reference(reference)
        with registry(named.host) as there:
            there.delete(named.repository, named.digest)
        with suppress(NotFound):
            image_store(self.platform.home).untag(f"{named.name}:{named.tag}")


def recorded(built: Built, done: Pushed, seconds: float) -> ImageRecord:
    layers = tuple(
        LayerRecord(layer.kind, layer.title, layer.descriptor.digest, layer.descriptor.size, sent.how)
        for layer, sent in zip(built.image.layers, done.layers, strict=True)
    )
    return ImageRecord(
        state="pushed",
        at=datetime.now(UTC),
        reference=str(done.reference),
        digest=built.image.digest,
        layers=layers,
        sent=done.bytes,
        seconds=round(seconds, 3),
        builder=version("lykeion"),
        missing_libraries=tuple(map(str, built.lacking)),
    )


def image_builder(platform: Platform, prefix: str, said: Callable[[str], None], base: str = "") -> ImageBuilder:
    """The loop that keeps images of this install's versions below `prefix` of a registry. Raises Invalid where that is no place."""
    parse_reference(f"{prefix.rstrip('/')}/model:1")
    images = RegistryImages(platform, prefix, said, base)
    return ImageBuilder(platform.repository, images, platform.clock, said, version("lykeion"))
