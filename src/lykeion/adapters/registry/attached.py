"""What speaks of an image and lies beside it in the registry: its SBOM, its signatures."""

import os
from collections.abc import Mapping
from pathlib import Path

from lykeion.adapters.images.trust import read_public, why_untrusted
from lykeion.adapters.registry.client import Registry
from lykeion.core.content import digest_of
from lykeion.core.images.oci import EMPTY, MANIFEST, Descriptor, artifact
from lykeion.core.images.references import Reference
from lykeion.core.images.signature import BUNDLE
from lykeion.errors import Corrupt

TRUST = "LYKEION_TRUST"  # files of public keys, with ":" between them: only what one of them has signed is taken from a registry
EMPTY_CONFIG = b"{}"


def attach(registry: Registry, image: Reference, kind: str, data: bytes, annotations: Mapping[str, str] | None = None) -> Descriptor:
    """Put a document beside an image that is named by its digest. The same one again changes nothing."""
    for media_type, blob in ((EMPTY, EMPTY_CONFIG), (kind, data)):
        descriptor = Descriptor(media_type, digest_of(blob), len(blob))
        if not registry.has_blob(image.repository, descriptor.digest):
            registry.upload(image.repository, descriptor, lambda start, blob=blob: iter((blob[start:],)))  # type: ignore[misc]
    subject = registry.manifest(image.repository, image.digest)[1]
    manifest = artifact(kind, [Descriptor(kind, digest_of(data), len(data))], subject, annotations)
    return registry.put_manifest(image.repository, digest_of(manifest), manifest, MANIFEST)


def attached(registry: Registry, image: Reference, kind: str) -> list[bytes]:
    """The documents of one kind beside an image. Raises Corrupt where one is not what its digest says."""
    return [
        whole(registry, image.repository, blob)
        for one in registry.referrers(image.repository, image.digest, kind)
        for blob in registry.layers(image.repository, one.digest)
    ]


def whole(registry: Registry, repository: str, blob: Descriptor) -> bytes:
    data = b"".join(registry.blob(repository, blob.digest))
    if digest_of(data) != blob.digest:
        raise Corrupt(f"{registry.http.host} sent {digest_of(data)} for {blob.digest}; try again")
    return data


def require_trust(registry: Registry, image: Reference) -> None:
    """Raises Corrupt where $LYKEION_TRUST names keys and none of them vouches for the image, named by its digest."""
    files = [Path(name) for name in os.environ.get(TRUST, "").split(":") if name]
    if not files:
        return
    why = why_untrusted(image.digest, attached(registry, image, BUNDLE), [read_public(file) for file in files])
    if why:
        raise Corrupt(f"{image} is not trusted: {why}; have it signed (lykeion image sign), or see {TRUST}")
