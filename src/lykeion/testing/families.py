"""Small families to search in: a space with a real (if tiny) ONNX extractor, an index of drawn pictures, as a pipeline leaves them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper
from PIL import Image

from lykeion.core.content import FileDigest, canonical, digest_of, digest_of_files
from lykeion.core.values import ModelVersion
from lykeion.search.build import Identity, build
from lykeion.search.extractor import Extractor, ExtractorDescription
from lykeion.search.picture import PREPARATION
from lykeion.search.rows import ROW_SCHEMA
from lykeion.search.space import Space

SIDE, GRID = 32, 8
RAW = GRID * GRID * 3
CATEGORIES = ("shoes", "hats", "lamps")


@dataclass(frozen=True)
class Family:
    """What was written: `vectors` [items, d] in the order of `ids`; `pictures`: item -> its PNG."""

    index: ModelVersion
    space: ModelVersion
    ids: Sequence[str]
    vectors: np.ndarray[Any, Any]
    pictures: Mapping[str, bytes]


def network() -> bytes:
    """uint8 [n, 32, 32, 3] -> float32 [n, 192]: the mean colours of 8 x 8 fields."""
    shape = np.array([-1, GRID, SIDE // GRID, GRID, SIDE // GRID, 3], np.int64)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["wide", "fields"], ["split"]),
        helper.make_node("ReduceMean", ["split"], ["means"], axes=[2, 4], keepdims=0),
        helper.make_node("Flatten", ["means"], ["features"], axis=1),
    ]
    given = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    made = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", RAW])
    graph = helper.make_graph(nodes, "tiny", [given], [made], [onnx.numpy_helper.from_array(shape, "fields")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def draw(seed: int, kind: str = "PNG", size: tuple[int, int] = (48, 40)) -> bytes:
    """A picture of coloured fields; the same seed gives the same one."""
    fields = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    target = io.BytesIO()
    Image.fromarray(fields).resize(size, Image.Resampling.NEAREST).save(target, kind)
    return target.getvalue()


def write_space(folder: Path, dimension: int = 24, seed: int = 0) -> Space:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    space = Space(
        ExtractorDescription("tiny", RAW, SIDE, sha256(network()).hexdigest(), PREPARATION),
        (rng.random(RAW) / np.sqrt(RAW)).astype(np.float32),
        np.linalg.qr(rng.standard_normal((RAW, dimension)))[0].astype(np.float32),
        np.eye(4, dimension, dtype=np.float32),
        0.5,
        folder,
    )
    space.write(folder, network())
    return space


def write_family(
    volume: Path, version: int = 1, items: int = 60, *, family: str = "photos", space: int = 1, seed: int = 0, copies: int = 0
) -> Family:
    """`models/<family>/<version>` and, where it is not there yet, `models/<family>-space/<space>` below `volume`.

    copies: so many of the last items show the first one's picture.
    """
    space_folder = volume / "models" / f"{family}-space" / str(space)
    used = Space.load(space_folder) if space_folder.exists() else write_space(space_folder, seed=space)
    generation = content_of(space_folder)
    ids = [f"item-{number:05d}" for number in range(items)]
    pictures = {name: draw(1000 * seed + number if number < items - copies else 1000 * seed) for number, name in enumerate(ids)}
    extractor = Extractor.load(space_folder)
    vectors = used.project(np.stack([extractor.extract(picture) for picture in pictures.values()]))
    folder = volume / "models" / family / str(version)
    folder.mkdir(parents=True)
    identity = Identity(family, generation, used.embedding)
    build(folder, rows(ids, pictures, version), lambda part: vectors[part], used.centroids, identity)
    said = {"generation": generation, "embedding": used.embedding, "dimension": used.dimension}
    made = ModelVersion(family, version, content_of(folder), said)
    return Family(made, ModelVersion(f"{family}-space", space, generation), ids, vectors, pictures)


def rows(ids: Sequence[str], pictures: Mapping[str, bytes], version: int) -> pa.Table:
    count = len(ids)
    own = {
        "item": ids,
        "item_hash": [int.from_bytes(blake2b(one.encode(), digest_size=8).digest(), "big") for one in ids],
        "number": [0] * count,
        "picture": [sha256(pictures[one]).digest() for one in ids],
        "updated_at": [None] * count,
        "deleted": [False] * count,
    }
    attributes = {
        "title": [f"{CATEGORIES[place % 3]} no. {place}, edition {version}" for place in range(count)],
        "category": [CATEGORIES[place % 3] for place in range(count)],
        "price": [float(100 * place) for place in range(count)],
        "status": ["on_sale"] * count,
    }
    table = pa.table(own, schema=ROW_SCHEMA)
    for name, values in attributes.items():
        table = table.append_column(name, pa.array(values))
    return table


def content_of(folder: Path) -> str:
    """The digest of a folder's files, as the model repository takes it."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return digest_of_files(
        FileDigest(file.relative_to(folder).as_posix(), file.stat().st_size, sha256(file.read_bytes()).hexdigest()) for file in files
    )


def write_document(folder: Path, name: str, content: Any) -> str:
    """As an engine writes one; returns its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    text = canonical(content)
    beside = folder / f".{name}.new"
    beside.write_bytes(text)
    beside.replace(folder / f"{name}.json")
    return digest_of(text)


def entry(version: ModelVersion) -> dict[str, Any]:
    return {"model": version.model, "version": version.version, "digest": version.digest, "metadata": dict(version.metadata)}
