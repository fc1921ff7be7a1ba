"""From what is to be in a layer to the layer: found by its key where it was made before, else written into the store."""

from dataclasses import dataclass

from lykeion.adapters.images.codecs import PLAIN, Codec
from lykeion.adapters.images.store import Meter, Store
from lykeion.adapters.images.tar import stream
from lykeion.core.content import digest_of_value
from lykeion.core.images.entries import Content
from lykeion.core.images.oci import Layer, titled
from lykeion.core.images.tree import arranged

FORMAT = 1  # of the tars that are written; part of every key


@dataclass(frozen=True, slots=True)
class Made:
    """A layer, and whether it was there already."""

    layer: Layer
    hit: bool


def codec_for(content: Content, codec: Codec) -> Codec:
    """Weights do not become smaller, and a runtime maps what is not packed: models are never compressed."""
    return PLAIN if content.kind == "model" else codec


def layer_key(content: Content, codec: Codec) -> str:
    return digest_of_value([FORMAT, content.kind, content.key, codec_for(content, codec).key])


def find(content: Content, codec: Codec, store: Store) -> Layer | None:
    """The layer of this content, if it was made before."""
    layer = store.recall(layer_key(content, codec))
    return layer and titled(layer, content.kind, content.title)


def make(content: Content, codec: Codec, store: Store) -> Made:
    """Raises Invalid for what cannot be in a layer, Corrupt for files that change meanwhile, Unavailable for a full disk."""
    if found := find(content, codec, store):
        return Made(found, hit=True)
    chosen = codec_for(content, codec)
    tar = Meter(stream(arranged(content.entries())))
    blob = store.add(chosen.pack(tar), chosen.media_type)
    layer = Layer(blob, tar.digest)
    store.remember(layer_key(content, codec), layer)
    return Made(titled(layer, content.kind, content.title), hit=False)
