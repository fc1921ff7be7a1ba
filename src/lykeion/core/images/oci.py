"""The documents of an OCI image, as bytes that are the same on every machine: config, manifest, index.

Source: OCI image specification 1.1 (https://github.com/opencontainers/image-spec). Documents are canonical JSON (sorted keys, no
spaces), without a time: what is in an image decides its digest, nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from lykeion.core.content import canonical, digest_of, read_json
from lykeion.core.images.entries import Kind
from lykeion.errors import Corrupt

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
TAR = "application/vnd.oci.image.layer.v1.tar"
TAR_GZIP = f"{TAR}+gzip"
TAR_ZSTD = f"{TAR}+zstd"

LAYER_LIMIT = 100  # 127 is a hard limit elsewhere
NOBODY = "65532:65532"
KIND = "dev.lykeion.layer"  # annotation of a layer: one of KINDS
KINDS = frozenset(get_args(Kind))
TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob or document by its digest ("sha256:…"). `size` in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str = ""

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type:
            told["artifactType"] = self.artifact_type
        if self.annotations:
            told["annotations"] = dict(self.annotations)
        return told

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> "Descriptor":
        """Raises Corrupt where it is none."""
        try:
            annotations, artifact = raw.get("annotations") or {}, raw.get("artifactType") or ""
            return Descriptor(str(raw["mediaType"]), str(raw["digest"]), int(raw["size"]), dict(annotations), str(artifact))
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise Corrupt(f"it is no descriptor of an image's part: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its blob, and the digest of its tar (`diff_id`), which is the blob's own where it is not compressed."""

    descriptor: Descriptor
    diff_id: str

    @property
    def kind(self) -> str:
        return self.descriptor.annotations.get(KIND, "")

    @property
    def title(self) -> str:
        return self.descriptor.annotations.get(TITLE, "")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a container of the image is started."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    user: str = NOBODY
    folder: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    architecture: str = "amd64"
    os: str = "linux"


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose documents are made: `layers` from the lowest on."""

    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(MANIFEST, self.digest, len(self.manifest))

    @property
    def config_descriptor(self) -> Descriptor:
        return Descriptor(CONFIG, digest_of(self.config), len(self.config))


def titled(layer: Layer, kind: Kind, title: str) -> Layer:
    """The layer with what it is called for people; that is no part of its digest or its key."""
    return replace(layer, descriptor=replace(layer.descriptor, annotations={KIND: kind, TITLE: title}))


def image(layers: Sequence[Layer], settings: Settings, annotations: Mapping[str, str] | None = None) -> Image:
    """The documents of an image of these layers. Raises ValueError for more layers than runtimes take."""
    if len(layers) > LAYER_LIMIT:
        raise ValueError(f"an image may have {LAYER_LIMIT} layers, not {len(layers)}")
    config = canonical(
        {
            "architecture": settings.architecture,
            "os": settings.os,
            "config": {
                "Entrypoint": list(settings.entrypoint),
                "Cmd": list(settings.command),
                "Env": [f"{name}={value}" for name, value in sorted(settings.env.items())],
                "User": settings.user,
                "WorkingDir": settings.folder,
                "Labels": dict(settings.labels),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created_by": f"{layer.kind} {layer.title}".strip()} for layer in layers],
        }
    )
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": Descriptor(CONFIG, digest_of(config), len(config)).to_json(),
        "layers": [replace(layer.descriptor, annotations={}).to_json() for layer in layers],  # the history tells what they are
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(tuple(layers), config, canonical(manifest))


def read_image(manifest: bytes, config: bytes) -> Image:
    """An image from its documents, ours or another tool's. Raises Corrupt where they do not fit together."""
    try:
        told, settings = read_json(manifest), read_json(config)
        descriptors = [Descriptor.from_json(raw) for raw in told["layers"]]
        diff_ids = [str(one) for one in settings["rootfs"]["diff_ids"]]
        titles = told_by([str(raw.get("created_by")) for raw in settings.get("history", ())], len(diff_ids))
        layers = tuple(
            Layer(replace(descriptor, annotations={**descriptor.annotations, **title}), diff_id)
            for descriptor, diff_id, title in zip(descriptors, diff_ids, titles, strict=True)
        )
        named = Descriptor.from_json(told["config"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(f"it is no image manifest with its config: {error!r}") from error
    if named.digest != digest_of(config):
        raise Corrupt(f"the config of the image is {digest_of(config)}, not {named.digest}; pull or build it again")
    return Image(layers, config, manifest)


def start_of(config: bytes) -> Mapping[str, Any]:
    """How a config says that a container is started: "Entrypoint", "Cmd" and "Env" are lists of texts, "User" and "WorkingDir" texts,
    as far as they are there. Raises Corrupt where they are something else."""
    found = read_json(config).get("config") or {}
    if (
        not isinstance(found, dict)
        or not all(is_texts(found.get(name) or []) for name in ("Entrypoint", "Cmd", "Env"))
        or not is_texts([found.get(name) or "" for name in ("User", "WorkingDir")])
    ):
        raise Corrupt("the config of the image does not say how it is started, as OCI images do; use another image")
    return found


def is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def told_by(history: Sequence[str], layers: int) -> list[dict[str, str]]:
    """Annotations that say what each layer is, where the history is one that `image` wrote."""
    words = [line.partition(" ")[::2] for line in history]
    if len(words) != layers or not all(kind in KINDS for kind, _ in words):
        return [{}] * layers
    return [{KIND: kind, TITLE: title} if title else {KIND: kind} for kind, title in words]


def artifact(artifact_type: str, blobs: Sequence[Descriptor], subject: Descriptor, annotations: Mapping[str, str] | None = None) -> bytes:
    """The manifest of something that speaks of `subject` (an SBOM, a signature): a registry lists it among its referrers.

    Its config is the empty one, "{}".
    """
    empty = Descriptor(EMPTY, digest_of(b"{}"), 2)
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": empty.to_json(),
            "layers": [blob.to_json() for blob in blobs],
            "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_json(),
            "annotations": dict(annotations or {}),
        }
    )


def index(manifests: Sequence[Descriptor]) -> bytes:
    """The document that lists manifests (`index.json` of a layout, or a registry's answer about referrers)."""
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [one.to_json() for one in manifests]})
