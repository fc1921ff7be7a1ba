"""Reads the weights that a package ships as a `.pth` of torch's older, non-zip format: without torch, and without running what is in it.

Such a file is three pickles (a magic number, a protocol, the writer's machine), the pickled names with references to storages, the keys
of the storages, and then each storage's numbers. A pickle can call anything; this reader lets it name three harmless things.
"""

import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from lykeion.errors import Corrupt

MAGIC = 0x1950A86A20F9469CFC6C
KINDS = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}


class Storage(NamedTuple):
    """A run of numbers that tensors look into: its key in the file, and what kind of number."""

    key: str
    kind: np.dtype[Any]


class View(NamedTuple):
    """A tensor: where it starts in its storage, its shape, and how far apart its elements are. All counted in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def rebuild_tensor(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> View:
    return View(storage, offset, shape, strides)


class Restricted(pickle.Unpickler):
    """Knows an ordered dict, a tensor and kinds of storages; whatever else a file asks for is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if module == "torch" and name in KINDS:
            return KINDS[name]
        raise pickle.UnpicklingError(f"asks for {module}.{name}")

    def persistent_load(self, reference: Any) -> Storage:
        _, kind, key, *_ = reference
        if not isinstance(kind, np.dtype):
            raise pickle.UnpicklingError(f"a storage of kind {kind!r}")
        return Storage(str(key), kind)


def read_weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of a `.pth`, by name. Raises Corrupt where it is not such a file, or asks for more than tensors."""
    try:
        with path.open("rb") as file:
            if Restricted(file).load() != MAGIC:
                raise Corrupt(f"{path} is not a file of weights of torch's non-zip format")
            for _ in ("protocol", "machine"):
                Restricted(file).load()
            named = Restricted(file).load()
            storages = read_storages(file, named, Restricted(file).load())
    except (pickle.UnpicklingError, struct.error, EOFError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise Corrupt(f"{path} cannot be read as weights: {error}") from error
    return {name: tensor(view, storages[view.storage.key]) for name, view in named.items()}


def read_storages(file: BinaryIO, named: Mapping[str, View], keys: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    kinds = {view.storage.key: view.storage.kind for view in named.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = np.frombuffer(file.read(count * kinds[key].itemsize), kinds[key], count)
    return storages


def tensor(view: View, storage: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    last = view.offset + sum((length - 1) * stride for length, stride in zip(view.shape, view.strides, strict=True))
    if view.offset < 0 or min((*view.shape, *view.strides, 0)) < 0 or last >= len(storage):
        raise Corrupt(f"a tensor of shape {view.shape} reaches outside its numbers")
    strides = tuple(stride * storage.itemsize for stride in view.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides)).reshape(view.shape)
