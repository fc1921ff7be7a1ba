"""Bringing an image to a registry, and from one: layers first, the manifest last, so that an image is there whole or not at all."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from lykeion.adapters.images.store import Meter, Store
from lykeion.adapters.registry.attached import require_trust
from lykeion.adapters.registry.client import Registry, Sent
from lykeion.core.content import digest_of, read_json
from lykeion.core.images.oci import INDEX, Descriptor, Image, Layer, read_image
from lykeion.core.images.references import DIGEST, Reference
from lykeion.errors import Corrupt, Invalid, NotFound, Problem

PLATFORM = {"architecture": "amd64", "os": "linux"}
MOUNTS = 3  # repositories that are asked for a layer before it is sent
Said = Callable[[str], None]  # told in a line what is under way


def unsaid(_: str) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where an image is now, by digest, and how each of its layers came there."""

    reference: Reference
    layers: tuple[Sent, ...]
    bytes: int


def push(store: Store, image: Image, registry: Registry, to: Reference, said: Said = unsaid) -> Pushed:
    """Push an image of the store. What the image that has the tag now is made of is there; a layer that another image of the same
    registry has is mounted from there.

    Raises NotFound or Corrupt for a layer that is not (any more) here, and what the registry refuses.
    """
    name = to.tag or image.digest
    before, there = standing(registry, to.repository, name)
    if before == image.digest:
        return Pushed(to.at(image.digest), tuple(Sent("there") for _ in image.layers), 0)
    with store.using():
        layers: list[Sent] = []
        elsewhere = cache(lambda: holders(store, to))  # asked for where something is not there
        for layer in image.layers:
            blob = layer.descriptor
            if blob.digest in there or registry.has_blob(to.repository, blob.digest):
                layers.append(Sent("there"))
                continue
            others = elsewhere().get(blob.digest, [])[:MOUNTS]
            try:
                layers.append(registry.upload(to.repository, blob, partial(sending, store, layer, said), others))
            except Corrupt:
                store.drop_damaged(blob.digest)  # so that building or pulling it again helps
                raise
        config = registry.upload(to.repository, image.config_descriptor, lambda start: iter((image.config[start:],)))
        registry.put_manifest(to.repository, name, image.manifest)
    sent = sum(one.bytes for one in (*layers, config)) + len(image.manifest)
    return Pushed(to.at(image.digest), tuple(layers), sent)


def sending(store: Store, layer: Layer, said: Said, start: int) -> Iterator[bytes]:
    """A layer's bytes from `start` on; told of when they are asked for, since one that is mounted is not sent."""
    blob = layer.descriptor
    so_far = f"{start / 1e6:.0f} of " if start else ""
    said(f"sending {layer.title or blob.digest} ({so_far}{blob.size / 1e6:.1f} MB)")
    return store.read(blob.digest, start)


def standing(registry: Registry, repository: str, name: str) -> tuple[str, frozenset[str]]:
    """What a name stands for in a registry now: the manifest's digest, and the layers that it lists. "" where it stands for nothing."""
    try:
        manifest, descriptor = registry.manifest(repository, name)
    except NotFound:
        return "", frozenset()
    try:
        return descriptor.digest, frozenset(str(one["digest"]) for one in read_json(manifest).get("layers", ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return descriptor.digest, frozenset()  # no image: it goes when the name stands for ours


def holders(store: Store, to: Reference) -> dict[str, list[str]]:
    """Layer -> other repositories of the registry that were given an image with it, as far as the names of the store's images tell."""
    found: dict[str, list[str]] = {}
    for name in store.tags():
        host, _, rest = name.partition("/")
        repository = rest.partition("@")[0].rpartition(":")[0] or rest
        if host == to.host and repository != to.repository:
            with suppress(Corrupt, NotFound):  # one that is damaged tells nothing
                for layer in store.image(name).layers:
                    found.setdefault(layer.descriptor.digest, []).append(repository)
    return found


def pull(store: Store, registry: Registry, wanted: Reference, said: Said = unsaid) -> Image:
    """Bring an image into the store, each byte compared with its digest. What is here already is not fetched again.

    Raises NotFound, Corrupt, also where it is not trusted (`require_trust`), Unavailable; Invalid where there is none for this platform.
    """
    with store.using():
        manifest = the_manifest(registry, wanted)
        require_trust(registry, wanted.at(digest_of(manifest)))
        try:
            told = read_json(manifest)
            config, layers = named(told["config"]), [named(raw) for raw in told["layers"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{wanted} is no image: {error!r}") from error
        for blob in (config, *layers):
            said(f"fetching {blob.digest} ({blob.size / 1e6:.1f} MB)")
            fetch(store, registry, wanted.repository, blob)
        image = read_image(manifest, store.document(config.digest))
        store.put_image(image, str(wanted))
    return image


def the_manifest(registry: Registry, wanted: Reference) -> bytes:
    """Of the image for this platform, where the name stands for one for each."""
    data, descriptor = registry.manifest(wanted.repository, wanted.wanted)
    if descriptor.media_type != INDEX and not descriptor.media_type.endswith("manifest.list.v2+json"):
        return data
    try:
        entries = [named(raw) for raw in read_json(data)["manifests"] if (raw.get("platform") or {}).items() >= PLATFORM.items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(f"{wanted} is no list of images: {error!r}") from error
    if not entries:
        raise Invalid([Problem(f"{wanted} has no image for linux/amd64", field="image", value=str(wanted), remedy="choose another image")])
    return registry.manifest(wanted.repository, entries[0].digest)[0]


def named(raw: Mapping[str, Any]) -> Descriptor:
    """A part of an image, which is asked for by its digest. Raises Corrupt where it has none."""
    found = Descriptor.from_json(raw)
    if not DIGEST.fullmatch(found.digest):
        raise Corrupt(f"{found.digest!r} is no digest that a part of an image could be asked for by; sha256: and 64 hex digits are")
    return found


def fetch(store: Store, registry: Registry, repository: str, blob: Descriptor) -> None:
    """One blob into the store. Raises Corrupt where it is not what its digest says: then it is not there."""
    if store.has(blob.digest) and store.size(blob.digest) == blob.size:
        return
    store.add(checked(Meter(registry.blob(repository, blob.digest)), blob, registry.http.host), blob.media_type)


def checked(meter: Meter, blob: Descriptor, host: str) -> Iterator[bytes]:
    for piece in meter:
        if meter.size > blob.size:
            raise Corrupt(f"{host} sent more than the {blob.size} bytes of {blob.digest}; try again")
        yield piece
    if (meter.digest, meter.size) != (blob.digest, blob.size):
        raise Corrupt(f"{host} sent {meter.digest} ({meter.size} bytes) for {blob.digest} ({blob.size} bytes); try again")
