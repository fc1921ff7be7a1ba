"""The layers of a model's version: one for each file, not copied, since its digest stands in the version's manifest."""

from dataclasses import dataclass
from pathlib import Path

from lykeion.core.content import digest_of_value
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.oci import KIND, TAR, TITLE, Descriptor, Layer
from lykeion.core.models import layer
from lykeion.core.models.manifest import Manifest, VersionFile

ALONE = 40  # files with a layer each; what is smaller shares one, since an image may have 100 layers


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A layer that is a file of a version, with `header` before it and `trailer` zeros behind it."""

    layer: Layer
    header: bytes
    file: Path
    trailer: int


def model_parts(manifest: Manifest, folder: Path) -> tuple[ModelFile | Content, ...]:
    """The version's files at /model. `folder`: where they lie; they stay there as long as an image of them is to be read."""
    largest_first = sorted(manifest.files, key=lambda file: (-file.size, file.path))
    alone, others = largest_first[:ALONE], sorted(largest_first[ALONE:], key=lambda file: file.path)
    parts: list[ModelFile | Content] = [model_file(file, folder) for file in sorted(alone, key=lambda file: file.path)]
    if others:
        parts.insert(0, shared(others, folder))
    return tuple(parts)


def model_file(file: VersionFile, folder: Path) -> ModelFile:
    digest = f"sha256:{file.layer}"
    descriptor = Descriptor(TAR, digest, layer.length(file.path, file.size), {KIND: "model", TITLE: file.path})
    return ModelFile(Layer(descriptor, digest), layer.header(file.path, file.size), folder / file.path, len(layer.trailer(file.size)))


def shared(files: list[VersionFile], folder: Path) -> Content:
    entries = [Entry(f"{layer.ROOT}{file.path}", source=str(folder / file.path), size=file.size) for file in files]
    return Content("model", f"{len(files)} files", digest_of_value([[file.path, file.sha256] for file in files]), lambda: entries)
