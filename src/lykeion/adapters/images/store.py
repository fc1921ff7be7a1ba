"""Images on this machine: an OCI layout, with blobs that are files elsewhere, and what layers were made from.

    oci-layout, index.json       as the OCI image layout says; a tag is an entry of index.json
    blobs/sha256/HEX             layers, configs, manifests
    virtual/HEX.json             a blob that is a file of a model with a few bytes around it (adapters.images.virtual)
    layers/HEX.json              the layer that was made of what has this key
    locks/                       `use`: shared by who builds or pulls, exclusive for who collects; `index`: who writes index.json

Everything appears by one rename, so a builder that is killed leaves nothing half-written; any number of builders may work at once.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import file_digest, sha256
from pathlib import Path
from uuid import uuid4

from lykeion.adapters.images.virtual import VirtualBlob
from lykeion.core.content import canonical, digest_of, read_json
from lykeion.core.images.oci import MANIFEST, Descriptor, Image, Layer, index, read_image
from lykeion.core.models.names import did_you_mean
from lykeion.errors import Corrupt, NotFound, Unavailable
from lykeion.repository.local_store import LocalStore

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
NAME = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Swept:
    """What a collection freed, or would: blobs by digest, and bytes on the disk."""

    blobs: tuple[str, ...]
    bytes: int


class Meter:
    """The digest and the length of what is iterated over."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks, self.content, self.size = chunks, sha256(), 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.content.update(chunk)
            self.size += len(chunk)
            yield chunk

    @property
    def digest(self) -> str:
        return f"sha256:{self.content.hexdigest()}"


class Store:
    """The images of one home. Safe among threads and processes."""

    def __init__(self, root: Path) -> None:
        self.files = LocalStore(root)
        self.files.create("oci-layout", LAYOUT)

    # blobs --------------------------------------------------------------------------------------------------------------------

    def has(self, digest: str) -> bool:
        return self.path(digest).exists() or self.virtual(digest) is not None

    def size(self, digest: str) -> int:
        """In bytes. Raises NotFound."""
        with suppress(FileNotFoundError):
            return self.path(digest).stat().st_size
        found = self.virtual(digest)
        if found is None:
            raise self.no_blob(digest)
        return found.length

    def read(self, digest: str, start: int = 0) -> Iterator[bytes]:
        """A blob from byte `start` on, in chunks of at most 1 MiB.

        Raises NotFound, and Corrupt where the file of a virtual one changed. Whoever takes the bytes over compares their digest.
        """
        if self.path(digest).exists():
            return self.files.read(blob_key(digest), start)
        found = self.virtual(digest)
        if found is None:
            raise self.no_blob(digest)
        return found.read(start)

    def document(self, digest: str) -> bytes:
        """A small blob. Raises NotFound, and Corrupt where it is not what its digest says."""
        data = b"".join(self.read(digest))
        if digest_of(data) != digest:
            raise Corrupt(f"{self.path(digest)} is not what its name says; remove it, and build or pull the image again")
        return data

    def add(self, chunks: Iterable[bytes], media_type: str, annotations: Mapping[str, str] | None = None) -> Descriptor:
        """Stream a blob of any size in. What `chunks` raises passes, and nothing stays. Raises Unavailable for a full disk."""
        meter, incoming = Meter(chunks), f"incoming/{uuid4().hex}"
        self.files.upload(incoming, meter)
        target = self.path(meter.digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.files.file(incoming).replace(target)
        return Descriptor(media_type, meter.digest, meter.size, dict(annotations or {}))

    def put(self, data: bytes, media_type: str) -> Descriptor:
        digest = digest_of(data)
        if not self.files.create(blob_key(digest), data):
            os.utime(self.path(digest))  # as young as its newest user
        return Descriptor(media_type, digest, len(data))

    def put_virtual(self, digest: str, header: bytes, file: Path, trailer: int) -> None:
        """A blob that is `header`, the bytes of `file`, `trailer` zeros. Its digest is believed: the version's manifest says it."""
        self.files.put(virtual_key(digest), VirtualBlob.of(header, file.absolute(), trailer).to_json())

    def virtual(self, digest: str) -> VirtualBlob | None:
        """None where there is none, what is written of it is damaged, or its file is not what it was."""
        try:
            found = VirtualBlob.from_json(self.files.get(virtual_key(digest)))
        except (NotFound, ValueError, KeyError, TypeError):
            return None
        return found if found.is_there() else None

    def drop_damaged(self, digest: str) -> bool:
        """Take a blob away that is not what its digest says, so that it is made or pulled anew; whether it was so."""
        path = self.path(digest)
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
            if f"sha256:{file_digest(file, 'sha256').hexdigest()}" != digest:
                path.unlink()
                return True
        return False

    def path(self, digest: str) -> Path:
        return self.files.file(blob_key(digest))

    def no_blob(self, digest: str) -> NotFound:
        return NotFound(f"{self.files.root} has no {digest}; build or pull the image again")

    # layers that were made before ---------------------------------------------------------------------------------------------

    def recall(self, key: str) -> Layer | None:
        """The layer that was made of what has this key; None where there is none, what is written of it is damaged, or its blob is gone."""
        try:
            raw = read_json(self.files.get(layer_key(key)))
            layer = Layer(Descriptor.from_json(raw["descriptor"]), str(raw["diff_id"]))
            if self.size(layer.descriptor.digest) != layer.descriptor.size:
                return None
        except (NotFound, Corrupt, ValueError, KeyError, TypeError):
            return None
        with suppress(FileNotFoundError):  # young again, so that no collection takes it from under a builder
            os.utime(self.path(layer.descriptor.digest))
            os.utime(self.files.file(layer_key(key)))
        return layer

    def remember(self, key: str, layer: Layer) -> None:
        self.files.put(layer_key(key), canonical({"descriptor": layer.descriptor.to_json(), "diff_id": layer.diff_id}))

    # images -------------------------------------------------------------------------------------------------------------------

    def put_image(self, image: Image, tag: str = "") -> Descriptor:
        """Keep an image whose layers are here. Raises NotFound for the first one that is not."""
        for layer in image.layers:
            if not self.has(layer.descriptor.digest):
                raise self.no_blob(layer.descriptor.digest)
        self.put(image.config, image.config_descriptor.media_type)
        descriptor = self.put(image.manifest, MANIFEST)
        if tag:
            self.tag(tag, descriptor)
        return descriptor

    def image(self, name: str) -> Image:
        """By tag or digest. Raises NotFound with the nearest names."""
        tags = self.tags()
        if name not in tags and not (name.startswith("sha256:") and self.path(name).exists()):
            raise NotFound(f"there is no image {name!r} here{did_you_mean(name, tags)}")
        manifest = self.document(tags[name].digest if name in tags else name)
        try:
            config = Descriptor.from_json(read_json(manifest)["config"])
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{name} is no image: {error!r}") from error
        return read_image(manifest, self.document(config.digest))

    def tags(self) -> dict[str, Descriptor]:
        """Tag -> manifest. Raises Corrupt where what lists them is damaged."""
        try:
            found = [Descriptor.from_json(one) for one in read_json(self.files.get("index.json"))["manifests"]]
        except NotFound:
            return {}
        except (Corrupt, ValueError, KeyError, TypeError) as error:
            where = self.files.file("index.json")
            raise Corrupt(f"{where} lists no images ({error!r}); remove it, and build or pull them again: what is here is kept") from error
        return {one.annotations[NAME]: replace(one, annotations={}) for one in found if NAME in one.annotations}

    def tag(self, name: str, descriptor: Descriptor) -> None:
        self.rename({name: descriptor})

    def untag(self, name: str) -> None:
        """Raises NotFound where there is no such tag."""
        if name not in (tags := self.tags()):
            raise NotFound(f"there is no image {name!r} here{did_you_mean(name, tags)}")
        self.rename({name: None})

    def rename(self, changes: Mapping[str, Descriptor | None]) -> None:
        with self.locked("index", fcntl.LOCK_EX):
            tags = {name: one for name, one in {**self.tags(), **changes}.items() if one is not None}
            self.files.put("index.json", index([replace(one, annotations={NAME: name}) for name, one in sorted(tags.items())]))

    def describe(self, digest: str, sbom: bytes) -> None:
        """Keep what is in an image, for as long as it is here."""
        self.files.create(sbom_key(digest), sbom)

    def description(self, digest: str) -> bytes:
        """The SBOM of an image that was built here. Raises NotFound."""
        try:
            return self.files.get(sbom_key(digest))
        except NotFound as error:
            raise NotFound(
                f"nobody here knows what is in {digest}: it was not built here; its registry may have an SBOM beside it"
            ) from error

    # locks and collection -----------------------------------------------------------------------------------------------------

    @contextmanager
    def using(self) -> Iterator[None]:
        """While this is held nothing is collected: for whoever builds an image or pulls one, until it is tagged."""
        with self.locked("use", fcntl.LOCK_SH):
            yield

    @contextmanager
    def locked(self, name: str, how: int) -> Iterator[None]:
        path = self.files.file(f"locks/{name}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def collect(self, older_than: timedelta, now: datetime, dry_run: bool = False) -> Swept:
        """Free what no tag leads to and nobody has used for `older_than`, when nobody builds; and what killed builders left."""
        with self.locked("use", fcntl.LOCK_EX):
            kept = self.reachable()
            before = (now - older_than).timestamp()
            freed: list[str] = []
            size = 0
            for key, length in list(self.files.list("")):
                if is_expendable(key, kept) and (key.startswith("incoming/") or self.files.file(key).stat().st_mtime <= before):
                    freed.append(key)
                    size += length
            if not dry_run:
                self.files.delete(freed)
            return Swept(tuple(sorted(f"sha256:{Path(key).name}" for key in freed if key.startswith("blobs/"))), size)

    def reachable(self) -> frozenset[str]:
        """The blobs that tags lead to."""
        found: set[str] = set()
        waiting = [one.digest for one in self.tags().values()]
        while waiting:
            digest = waiting.pop()
            if digest in found or not self.has(digest):
                continue
            found.add(digest)
            raw = read_json(self.document(digest))
            found |= {raw["config"]["digest"]} if "config" in raw else set()
            found |= {one["digest"] for one in raw.get("layers", ())}
            waiting += [one["digest"] for one in raw.get("manifests", ())]
        return frozenset(found)


def is_expendable(key: str, kept: frozenset[str]) -> bool:
    """Whether an object of the store may go with its age: blobs that are not kept, and what layers were made from (it is looked up
    again and again, or it is old)."""
    folder, _, rest = key.partition("/")
    name = rest.rpartition("/")[2].removesuffix(".json")
    return folder in ("layers", "incoming") or (folder in ("blobs", "virtual", "sboms") and f"sha256:{name}" not in kept)


def blob_key(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def virtual_key(digest: str) -> str:
    return f"virtual/{digest.removeprefix('sha256:')}.json"


def layer_key(key: str) -> str:
    return f"layers/{key.removeprefix('sha256:')}.json"


def sbom_key(digest: str) -> str:
    return f"sboms/{digest.removeprefix('sha256:')}.json"
