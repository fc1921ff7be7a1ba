"""From a recipe to an image in the store; and what that would take, before it is done."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lykeion.adapters.images.codecs import ZSTD, Codec
from lykeion.adapters.images.elf import Libraries
from lykeion.adapters.images.layers import codec_for, find, make
from lykeion.adapters.images.model import ModelFile
from lykeion.adapters.images.recipes import Part, Recipe
from lykeion.adapters.images.store import Store
from lykeion.core.images.elf import Missing
from lykeion.core.images.entries import Content
from lykeion.core.images.oci import LAYER_LIMIT, Image, Layer, image
from lykeion.core.images.sbom import layer_url, sbom
from lykeion.errors import Invalid, Problem


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """What is known of a layer before it is made. `digest` is "" and `size` None where only making it tells."""

    kind: str
    title: str
    hit: bool
    why: str
    digest: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """An image, and which of its layers were there before. `seconds` on the wall. `lacking`: native libraries that it needs and has not."""

    name: str
    image: Image
    hits: tuple[bool, ...]
    seconds: float
    lacking: tuple[Missing, ...] = ()


def plan(recipe: Recipe, store: Store, codec: Codec = ZSTD) -> list[PlannedLayer]:
    """For each layer whether it is there, and why not. Nothing is written."""
    return [planned(part, store, codec) for part in recipe.parts]


def planned(part: Part, store: Store, codec: Codec) -> PlannedLayer:
    if isinstance(part, Content):
        layer = find(part, codec, store)
        if layer is None:
            return PlannedLayer(part.kind, part.title, False, f"nothing was made of this content with {codec_for(part, codec).name} before")
        return known(layer, True, "made before of the same content")
    if isinstance(part, ModelFile):
        return known(part.layer, True, "the version's file itself, not copied")
    there = store.has(part.descriptor.digest)
    return known(part, there, "it is here" if there else "it is not here yet: it is pulled")


def known(layer: Layer, hit: bool, why: str) -> PlannedLayer:
    return PlannedLayer(layer.kind, layer.title, hit, why, layer.descriptor.digest, layer.descriptor.size)


def build(recipe: Recipe, store: Store, codec: Codec = ZSTD, said: Callable[[str], None] = lambda _: None, tag: str = "") -> Built:
    """The image of a recipe, kept in the store under `tag` ("": its name). `said` is told which layer is made.

    Raises Invalid for what cannot be in an image, Corrupt for what changes meanwhile, Unavailable for a full disk.
    """
    if len(recipe.parts) > LAYER_LIMIT:
        raise Invalid([Problem(f"it would have {len(recipe.parts)} layers, {LAYER_LIMIT} fit", remedy="choose a base of fewer layers")])
    started = time.monotonic()
    libraries = Libraries(store)
    with store.using():
        made = [layer_of(libraries.watched(part) if isinstance(part, Content) else part, store, codec, said) for part in recipe.parts]
        lacking = libraries.missing([part for part in recipe.parts if not isinstance(part, ModelFile)])
        finished = image([layer for layer, _ in made], recipe.settings)
        store.put_image(finished, tag or recipe.name)
        store.describe(finished.digest, sbom(recipe.name, finished, contained(recipe)))
    return Built(recipe.name, finished, tuple(hit for _, hit in made), time.monotonic() - started, tuple(lacking))


def contained(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What the SBOM lists: packages, the version of a model, and layers that are somebody else's."""
    yield from recipe.about
    for part in recipe.parts:
        if isinstance(part, Content):
            yield from part.parts
        elif isinstance(part, Layer):
            yield layer_url(part.descriptor.digest), part.descriptor.digest


def layer_of(part: Part, store: Store, codec: Codec, said: Callable[[str], None]) -> tuple[Layer, bool]:
    """A part as a layer in the store, and whether it was there."""
    if isinstance(part, Content):
        if found := find(part, codec, store):
            return found, True
        said(f"making {part.kind}: {part.title}")
        done = make(part, codec, store)
        return done.layer, done.hit
    if isinstance(part, ModelFile):
        there = store.has(part.layer.descriptor.digest)
        if not there:
            store.put_virtual(part.layer.descriptor.digest, part.header, part.file, part.trailer)
        return part.layer, there
    return part, True
