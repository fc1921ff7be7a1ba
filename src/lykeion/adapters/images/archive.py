"""An image as one file, an OCI layout in a tar, which `podman load`, `docker load` and `skopeo copy oci-archive:` read."""

import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lykeion.adapters.images.store import LAYOUT, NAME, Meter, Store, blob_key
from lykeion.core.images.oci import MANIFEST, Descriptor, index
from lykeion.errors import Corrupt, Invalid, Problem, Unavailable


def save(store: Store, name: str, to: Path) -> int:
    """Write the image of the store called `name`; returns the bytes. What breaks off leaves no file.

    Raises NotFound, Corrupt, Unavailable; Invalid for a device, a pipe or a folder, which a file would take the place of.
    """
    if to.exists() and not to.is_file():
        raise Invalid([Problem(f"{to} is no file that an image could be written to", field="--to", value=str(to), remedy="name a file")])
    beside = to.with_name(f".{to.name}.part")
    try:
        with store.using(), beside.open("wb") as file:
            for piece in archive(store, name):
                file.write(piece)
        beside.replace(to)
        return to.stat().st_size
    except OSError as error:
        raise Unavailable(f"{to} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def archive(store: Store, name: str) -> Iterator[bytes]:
    """The tar, piece by piece; what is in the store only by name is written out."""
    image = store.image(name)
    listed = index([Descriptor(MANIFEST, image.digest, len(image.manifest), {NAME: name})])
    yield from member("oci-layout", len(LAYOUT), iter((LAYOUT,)))
    yield from member("index.json", len(listed), iter((listed,)))
    digests = dict.fromkeys([image.digest, image.config_descriptor.digest, *(layer.descriptor.digest for layer in image.layers)])
    for digest in digests:
        yield from member(blob_key(digest), store.size(digest), sound(store, digest))
    yield bytes(2 * tarfile.BLOCKSIZE)


def sound(store: Store, digest: str) -> Iterator[bytes]:
    """A blob. Raises Corrupt behind its last byte where it was not what its digest says."""
    meter = Meter(store.read(digest))
    yield from meter
    if meter.digest != digest:
        store.drop_damaged(digest)
        raise Corrupt(f"{store.files.root} has {meter.digest} in the place of {digest}; build or pull the image again")


def member(path: str, size: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(path)
    info.size = size
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield from pieces
    yield bytes(-size % tarfile.BLOCKSIZE)
