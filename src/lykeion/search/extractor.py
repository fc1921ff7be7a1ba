"""A feature extractor: a folder with `extractor.onnx` and `extractor.json`, loaded into one onnxruntime session of one thread.

Its digest names the network and how pictures are made ready for it, so that features of different extractors are never mixed.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from lykeion.core.content import digest_of_value
from lykeion.errors import Corrupt, Invalid
from lykeion.search.picture import PREPARATION, pixels

NETWORK = "extractor.onnx"
DESCRIPTION = "extractor.json"
BATCH = 16  # batching gains nothing; this bounds memory

# what onnxruntime raises on a file that is no network
UNLOADABLE = (
    states.Fail,
    states.InvalidArgument,
    states.InvalidProtobuf,
    states.InvalidGraph,
    states.NoSuchFile,
    states.RuntimeException,
    states.NotImplemented,
)

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class ExtractorDescription:
    """What `extractor.json` says. `network`: SHA-256 of `extractor.onnx`, in hex. `preparation`: how a picture becomes pixels."""

    name: str
    dimension: int
    side: int
    network: str
    preparation: str
    format: int = 1

    @property
    def digest(self) -> str:
        """ "sha256:…": names the features."""
        return digest_of_value(asdict(self))

    @property
    def hex(self) -> str:
        return self.digest.removeprefix("sha256:")

    def write(self, folder: Path, network: bytes) -> None:
        (folder / NETWORK).write_bytes(network)
        self.write_description(folder)

    def write_description(self, folder: Path) -> None:
        (folder / DESCRIPTION).write_text(json.dumps({**asdict(self), "digest": self.digest}, indent=1))

    @staticmethod
    def read(folder: Path) -> "ExtractorDescription":
        """Raises Corrupt."""
        try:
            raw = json.loads((folder / DESCRIPTION).read_text())
            digest = raw.pop("digest")
            found = ExtractorDescription(**raw)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{folder / DESCRIPTION} cannot be read: {error}") from error
        if found.digest != digest:
            raise Corrupt(f"{folder / DESCRIPTION} was changed: it does not have the digest that it says")
        return found


def describe_network(name: str, network: bytes, dimension: int, side: int) -> ExtractorDescription:
    return ExtractorDescription(name, dimension, side, sha256(network).hexdigest(), PREPARATION)


def keep(folder: Path, given: ExtractorDescription, network: bytes) -> Path:
    """Put an extractor into `folder`/<digest in hex>, where it is not there already. Safe with other writers."""
    target = folder / given.hex
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
        given.write(beside, network)
        try:
            os.rename(beside, target)
        except OSError:  # another writer was first: the content is the same, for its name is its digest
            shutil.rmtree(beside)
            if not target.exists():
                raise
    return target


class Extractor:
    """Pictures' bytes in, features out. Make it after a fork, never before."""

    def __init__(self, description: ExtractorDescription, session: Any) -> None:
        self.description = description
        self.session = session

    @classmethod
    def load(cls, folder: Path, device: Device = "cpu", *, verify: bool = False) -> Self:
        """Raises Corrupt where the folder does not hold an extractor, Invalid where the machine lacks the device."""
        found = ExtractorDescription.read(folder)
        provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if provider not in onnxruntime.get_available_providers():
            raise Invalid("device: cuda needs the package onnxruntime-gpu in place of onnxruntime, and an NVIDIA GPU (or say device: cpu)")
        if verify and sha256((folder / NETWORK).read_bytes()).hexdigest() != found.network:
            raise Corrupt(f"{folder / NETWORK} is not what its digest says")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one process per core scales better than threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(str(folder / NETWORK), options, providers=[provider])
        except (*UNLOADABLE, ValueError) as error:
            raise Corrupt(f"{folder / NETWORK} cannot be loaded: {error}") from error
        return cls(found, session)

    def extract(self, picture: bytes) -> np.ndarray[Any, Any]:
        """float32 [dimension]. Raises PictureError where the bytes are no picture that can be used."""
        made: np.ndarray[Any, Any] = self.run(pixels(picture, self.description.side)[None])[0]
        return made

    def extract_many(self, pictures: Iterable[bytes]) -> Iterator[np.ndarray[Any, Any]]:
        """As `extract`, in batches. Raises PictureError at the first bad one."""
        rest = iter(pictures)
        while batch := [pixels(picture, self.description.side) for picture in islice(rest, BATCH)]:
            yield from self.run(np.stack(batch))

    def run(self, given: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """uint8 [n, side, side, 3] -> float32 [n, dimension]."""
        made: np.ndarray[Any, Any] = self.session.run(None, {"pixels": given})[0]
        return made
