"""Catalogues in the documented format, small and made up: clustered vectors, a few pictures an item."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import lykeion.search
from lykeion.search.build import Identity, build

IDENTITY = Identity("photos", "sha256:" + "1" * 64, "sha256:" + "2" * 64)
START = datetime(2026, 1, 1, tzinfo=UTC)


def clustered(count: int, dimension: int, seed: int = 0, clusters: int = 64, spread: float = 0.7) -> np.ndarray:
    """Unit vectors around random directions."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimension)).astype(np.float32)
    vectors = centres[random.integers(clusters, size=count)] + spread * random.standard_normal((count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def catalogue(items: int, most_pictures: int = 3, seed: int = 0, deleted: frozenset[int] = frozenset()) -> pa.Table:
    """Rows sorted by item and picture number. Item i has 1 + i % most_pictures pictures, price i, one of 5 categories."""
    rows: list[dict[str, Any]] = []
    for i in range(items):
        name = f"item-{i:06d}"
        rows.extend(
            {
                "item": name,
                "item_hash": int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big"),
                "number": number,
                "picture": hashlib.sha256(f"{name}/{number}/{seed}".encode()).digest(),
                "updated_at": START + timedelta(days=i) if i % 7 else None,
                "deleted": i in deleted,
                "title": f"Title {i}",
                "description": "",
                "category": ["shoes", "hats", "bags", "toys|games", "<odd>"][i % 5],
                "price": float(i) if i % 11 else None,
                "status": "on_sale" if i % 2 else "sold_out",
                "stock": i % 13,
                "vintage": bool(i % 3 == 0),
                "tags": [f"t{i % 4}", f"u{i % 6}"] if i % 9 else None,
            }
            for number in range(1 + i % most_pictures)
        )
    schema = pa.schema(
        [
            pa.field("item", pa.string(), nullable=False),
            pa.field("item_hash", pa.uint64(), nullable=False),
            pa.field("number", pa.int16(), nullable=False),
            pa.field("picture", pa.binary(32), nullable=False),
            pa.field("updated_at", pa.timestamp("us", "UTC")),
            pa.field("deleted", pa.bool_(), nullable=False),
            ("title", pa.string()),
            ("description", pa.string()),
            ("category", pa.string()),
            ("price", pa.float64()),
            ("status", pa.string()),
            ("stock", pa.int64()),
            ("vintage", pa.bool_()),
            ("tags", pa.list_(pa.string())),
        ]
    )
    return pa.Table.from_pylist(rows, schema)


def build_index(folder: Path, table: pa.Table, vectors: np.ndarray, lists: int = 32) -> SimpleNamespace:
    folder.mkdir()
    random = np.random.default_rng(1)
    dimension = vectors.shape[1]
    centroids = (
        vectors[random.choice(len(vectors), min(lists, len(vectors)), replace=False)] if len(vectors) else np.eye(dimension, dtype="f4")
    )
    build(folder, table, lambda some: vectors[some], centroids, IDENTITY, flat_up_to=10_000)
    index = lykeion.search.open(folder)
    return SimpleNamespace(
        folder=folder,
        table=table,
        rows=table.to_pylist(),
        vectors=vectors.astype(np.float16).astype(np.float32),
        source=vectors,
        index=index,
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A flat index: 1500 items, 3000 rows, 32 dimensions."""
    table = catalogue(1500)
    return build_index(tmp_path_factory.mktemp("shop") / "index", table, clustered(table.num_rows, 32))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """An IVF index: 6000 items, 12 000 rows, 64 dimensions."""
    table = catalogue(6000)
    return build_index(tmp_path_factory.mktemp("large") / "index", table, clustered(table.num_rows, 64, clusters=200), lists=128)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Build an index of your own."""

    def made(items: int, vectors: np.ndarray | None = None, lists: int = 32, **about: Any) -> SimpleNamespace:
        table = catalogue(items, **about)
        folder = tmp_path / f"index-{len(list(tmp_path.iterdir()))}"
        return build_index(folder, table, clustered(table.num_rows, 16) if vectors is None else vectors, lists)

    return made
