"""What is in an image, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): the same image, the same document."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

from lykeion.core.content import canonical
from lykeion.core.images.oci import Image

MEDIA_TYPE = "application/vnd.cyclonedx+json"
TYPES = {"oci": "container"}  # others are libraries
MODEL = "generic/lykeion-model"  # package URLs have no type for a model of a repository


def sbom(name: str, image: Image, parts: Iterable[tuple[str, str]]) -> bytes:
    """`parts`: (package URL, digest or ""), each once however often it is said; sorted, without a time or a serial number."""
    components = [component(purl, digest) for purl, digest in sorted(set(parts))]
    about = {"type": "container", "name": name, "version": image.digest, "hashes": hashes(image.digest)}
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    return canonical({**document, "metadata": {"component": about}, "components": components})


def model_url(model: str, version: int) -> str:
    """The package URL of a model's version."""
    return f"pkg:{MODEL}/{model}@{version}"


def layer_url(digest: str) -> str:
    """The package URL of somebody else's layer."""
    return f"pkg:oci/layer@{quote(digest, safe='')}"


def component(purl: str, digest: str) -> dict[str, Any]:
    """Of a package URL "pkg:TYPE/NAMESPACE/NAME@VERSION?qualifiers" (https://github.com/package-url/purl-spec)."""
    plain = purl.partition("?")[0].removeprefix("pkg:")
    kind, _, rest = plain.partition("/")
    path, _, version = rest.rpartition("@")
    told: dict[str, Any] = {
        "type": "machine-learning-model" if plain.startswith(f"{MODEL}/") else TYPES.get(kind, "library"),
        "bom-ref": purl,
        "name": unquote((path or rest).rpartition("/")[2]),
        "purl": purl,
    }
    if path:
        told["version"] = unquote(version)
    return told | ({"hashes": hashes(digest)} if digest.startswith("sha256:") else {})


def hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}]
