"""Writes an index directory (format 1), row by row in bounded memory. The same rows give the same bytes.

Up to `FLAT_UP_TO` rows an index has no `index.faiss`: its rows are compared exactly. Above, it is an IVF over the generation's
centroids, with 1-bit RaBitQ codes that are scored again from the exact rows; how many lists must be scanned is measured here.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
import pyarrow as pa

from lykeion.core.search.manifest import CODES_FILE, FLAT_UP_TO, MANIFEST_FILE, ROWS_FILE, VECTORS_FILE, IndexManifest
from lykeion.errors import Invalid, Problem
from lykeion.search.exact import Floats, Halves, map_rows, slices
from lykeion.search.facets import facets_of, firsts
from lykeion.search.index import open_index
from lykeion.search.rows import write_rows
from lykeion.search.tune import tune

GRAPH_FROM = 256  # lists, from which on the nearest centroids of a query are found by a graph
FLAT_ADD = 2048  # lists, up to which comparing many rows with every centroid at once is cheaper than the graph
BLOCK = 8192  # rows that are projected and added at a time


class Identity(NamedTuple):
    """What an index is of. `generation`: the content digest of its space, `embedding`: what made its vectors."""

    family: str
    generation: str
    embedding: str
    tier: str = "all"
    window: tuple[str, str] | None = None


def build(
    folder: Path,
    rows: pa.Table,
    vectors: Callable[[slice], Floats],
    centroids: Floats,
    identity: Identity,
    progress: Callable[[int, int], None] | None = None,
    *,
    flat_up_to: int = FLAT_UP_TO,
) -> IndexManifest:
    """Write an index of `rows` (schema: `rows.ROW_SCHEMA`, then attributes; sorted by item, number) into `folder`.

    vectors: gives those of a slice of rows, `[n, d]`; they are scaled to length 1 here. centroids: `[lists, d]`.
    flat_up_to: how many rows are compared exactly.
    Raises Invalid where a vector has no direction.
    """
    faiss.omp_set_num_threads(1)
    dimension = int(centroids.shape[1])
    write_rows(folder / ROWS_FILE, rows)
    write_vectors(folder / VECTORS_FILE, rows.num_rows, vectors, progress)
    kind = "flat" if rows.num_rows <= flat_up_to else "ivf"
    files = [ROWS_FILE, VECTORS_FILE]
    if kind == "ivf":
        halves = map_rows(folder / VECTORS_FILE, rows.num_rows, dimension)
        write_lists(folder / CODES_FILE, halves, centroids)
        files.append(CODES_FILE)
    manifest = IndexManifest(
        **identity._asdict(),
        dimension=dimension,
        kind="flat" if kind == "flat" else "ivf",
        rows=rows.num_rows,
        items=int(firsts(rows).sum()),
        facets=facets_of(rows),
        files={name: file_digest(folder / name) for name in sorted(files)},
    )
    write_manifest(folder, manifest)
    if kind == "ivf":
        manifest = manifest.model_copy(update={"tuning": tune(open_index(folder))})
        write_manifest(folder, manifest)
    return manifest


def write_vectors(path: Path, count: int, vectors: Callable[[slice], Floats], progress: Callable[[int, int], None] | None = None) -> None:
    """`rows.fp16`: each vector scaled to length 1, rounded to half precision."""
    with path.open("wb") as file:
        for some in slices(count, BLOCK):
            block = np.asarray(vectors(some), np.float32)
            lengths = np.linalg.norm(block, axis=1, keepdims=True)
            bad = np.flatnonzero(~(np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)))
            if len(bad):
                row = some.start + int(bad[0])
                raise Invalid(
                    [Problem(f"the vector of row {row} is zero or not finite", "features", row, remedy="extract its features again")]
                )
            file.write((block / lengths).astype(np.float16).tobytes())
            if progress is not None:
                progress(some.stop, count)


def write_lists(path: Path, vectors: Halves, centroids: Floats) -> None:
    """`index.faiss`: row numbers in the lists of their nearest centroids, with 1-bit codes."""
    index = empty_lists(centroids)
    flat = faiss.IndexFlatIP(index.d)
    flat.add(np.ascontiguousarray(centroids, np.float32))
    nearest = flat if len(centroids) <= FLAT_ADD else index.quantizer
    for some in slices(len(vectors), BLOCK):
        rows = vectors[some].astype(np.float32)
        lists = nearest.search(rows, 1)[1].ravel()
        index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(lists))
    faiss.write_index(index, str(path))


def empty_lists(centroids: Floats) -> Any:
    """An IVF over the generation's centroids. RaBitQ learns nothing: two indexes of a generation can be merged list by list."""
    dimension = int(centroids.shape[1])
    quantizer: Any = faiss.IndexFlatIP(dimension)
    if len(centroids) >= GRAPH_FROM:
        quantizer = faiss.IndexHNSWFlat(dimension, 32 if len(centroids) > FLAT_ADD else 16, faiss.METRIC_INNER_PRODUCT)
        quantizer.hnsw.efConstruction = quantizer.hnsw.efSearch = 128
    quantizer.add(np.ascontiguousarray(centroids, np.float32))
    index = faiss.IndexIVFRaBitQ(quantizer, dimension, len(centroids), faiss.METRIC_INNER_PRODUCT)
    index.train(np.ascontiguousarray(centroids, np.float32))
    return index


def write_manifest(folder: Path, manifest: IndexManifest) -> None:
    (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
