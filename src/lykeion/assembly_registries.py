"""Like `assembly_images`, for what asks a registry: with logins, and with the images of this install's versions. It is slow to load."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from lykeion.adapters.images.build import Built, build
from lykeion.adapters.images.trust import read_key
from lykeion.adapters.local.home import Home
from lykeion.adapters.registry.attached import attach
from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.connect import registry as registry
from lykeion.adapters.registry.push import Pushed, Said, pull, push, unsaid
from lykeion.assembly import Platform
from lykeion.assembly_images import image_store, workshop
from lykeion.core.images.oci import Image
from lykeion.core.images.records import ImageRecord, LayerRecord
from lykeion.core.images.references import Reference, parse_reference
from lykeion.core.images.sbom import MEDIA_TYPE
from lykeion.core.images.signature import ANNOTATIONS, BUNDLE
from lykeion.daemons.image_builder import ImageBuilder
from lykeion.errors import NotFound

SIGNING_KEY = "LYKEION_SIGNING_KEY"


def pushed(home: Home, image: Image, to: Reference, said: Said = unsaid) -> Pushed:
    with registry(to.host) as there:
        return push(image_store(home), image, there, to, said)


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
        shop = workshop(
            self.platform.home, partial(pulled, self.platform.home), self.base
        )  # anew: what it knows of the base may have changed
        folder = repository.path(model, number, self.platform.home.cache / "models")
        recipe = shop.serving(repository.manifest(model, number), folder)
        to = parse_reference(f"{self.prefix}/{recipe.name}")
        built = build(recipe, shop.store, said=self.said, tag=str(to))
        with registry(to.host) as there:
            done = push(shop.store, built.image, there, to, self.said)
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
