"""The layers of a model's version: one for each file, not copied, since its digest stands in the version's manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lykeion.core.content import digest_of_value
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.oci import KIND, TAR, TITLE, Descriptor, Layer
from lykeion.core.images.tree import FOLDER_MODE
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
    if others or manifest.folders:
        parts.insert(0, shared(others, manifest.folders, folder))
    return tuple(parts)


def model_file(file: VersionFile, folder: Path) -> ModelFile:
    digest = f"sha256:{file.layer}"
    descriptor = Descriptor(TAR, digest, layer.length(file.path, file.size), {KIND: "model", TITLE: file.path})
    return ModelFile(
        Layer(descriptor, digest), layer.header(file.path, file.size, file.executable), folder / file.path, len(layer.trailer(file.size))
    )


def shared(files: Sequence[VersionFile], folders: Sequence[str], folder: Path) -> Content:
    """What has no layer of its own: the smaller files, and the folders in which nothing lies."""
    entries = [
        *(Entry(f"{layer.ROOT}{f.path}", mode=layer.mode(f.executable), source=str(folder / f.path), size=f.size) for f in files),
        *(Entry(f"{layer.ROOT}{path}", "folder", FOLDER_MODE) for path in folders),
    ]
    rows = [[file.path, file.sha256, *(["program"] if file.executable else [])] for file in files]
    key = digest_of_value([*rows, *([f"{path}/"] for path in folders)])
    return Content("model", f"{len(files) or len(folders)} {'files' if files else 'folders'}", key, lambda: entries)
