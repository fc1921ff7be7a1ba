"""A space: how raw features become the vectors that are searched. A folder, and a model of its own: a new one is a new generation.

space.json       format, which extractor, dimension, power, lists, embedding
extractor.onnx, extractor.json
mean.npy         float32 [raw]
projection.npy   float32 [raw, dimension]
centroids.npy    float32 [lists, dimension], of length 1: the cells of every index of this generation
"""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np

from lykeion.core.content import digest_of_value
from lykeion.errors import Corrupt
from lykeion.search.extractor import Device, Extractor, ExtractorDescription

FORMAT = 1
DESCRIPTION = "space.json"
MEAN, PROJECTION, CENTROIDS = "mean.npy", "projection.npy", "centroids.npy"

Array = np.ndarray[Any, Any]


def normalised(vectors: Array) -> Array:
    """float32, each row of length 1; a row of zeros stays one."""
    wide = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    made: Array = wide / np.maximum(lengths, np.float32(1e-12))
    return made


def array_in(file: Path) -> Array:
    """Of a .npy file. Raises ValueError where it holds anything else: unlike `numpy.load`, which would read an archive."""
    with file.open("rb") as opened:
        found: Array = np.lib.format.read_array(opened, allow_pickle=False)
    return found


@dataclass(frozen=True)
class Space:
    """Immutable; safe to share between threads and, made before a fork, between processes."""

    extractor: ExtractorDescription
    mean: Array
    projection: Array
    centroids: Array
    power: float
    folder: Path | None = None

    @property
    def dimension(self) -> int:
        return int(self.projection.shape[1])

    @property
    def embedding(self) -> str:
        """ "sha256:…": vectors with the same one can be compared."""
        parts = [[array.dtype.str, list(array.shape), sha256(array.tobytes()).hexdigest()] for array in (self.mean, self.projection)]
        return digest_of_value([self.extractor.digest, *parts])

    def project(self, raw: Array) -> Array:
        """Raw features [n, raw], of any float type -> float32 [n, dimension], of length 1."""
        return normalised((normalised(raw) - self.mean) @ self.projection)

    def load_extractor(self, device: Device = "cpu") -> Extractor:
        """The extractor that this space was fitted on. Make it after a fork. Raises Corrupt."""
        if self.folder is None:
            raise Corrupt("a space that was not loaded from a folder has no extractor")
        return Extractor.load(self.folder, device)

    def write(self, folder: Path, network: bytes) -> None:
        self.extractor.write(folder, network)
        for name, array in ((MEAN, self.mean), (PROJECTION, self.projection), (CENTROIDS, self.centroids)):
            np.save(folder / name, array, allow_pickle=False)
        said = {
            "format": FORMAT,
            "extractor": {"digest": self.extractor.digest, **asdict(self.extractor)},
            "dimension": self.dimension,
            "power": self.power,
            "lists": len(self.centroids),
            "embedding": self.embedding,
        }
        (folder / DESCRIPTION).write_text(json.dumps(said, indent=1))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises Corrupt where the folder does not hold a space, or holds one of a newer format."""
        try:
            said = json.loads((folder / DESCRIPTION).read_text())
            if said["format"] != FORMAT:
                raise Corrupt(f"{folder}: a space of format {said['format']}; this version of Lykeion reads {FORMAT}")
            mean, projection, centroids = (array_in(folder / name) for name in (MEAN, PROJECTION, CENTROIDS))
            found = cls(ExtractorDescription.read(folder), mean, projection, centroids, said["power"], folder)
            embedding = said["embedding"]
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise Corrupt(f"{folder} does not hold a space: {error}") from error
        if found.embedding != embedding:
            raise Corrupt(f"{folder}: the space's numbers are not those that space.json speaks of")
        return found
