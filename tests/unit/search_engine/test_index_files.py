"""An index directory: opened in place, shared, and refused with a sentence where it is damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lykeion.search
from lykeion.core.search.manifest import IndexManifest, parse_manifest
from lykeion.errors import Corrupt, NotFound
from lykeion.search.build import GRAPH_FROM, empty_lists
from lykeion.search.exact import ExactRows
from lykeion.search.rows import bits
from lykeion.search.tune import agreement, least, nearest, others, sample


def copy_of(index: SimpleNamespace, folder: Path) -> Path:
    return Path(shutil.copytree(index.folder, folder / "copy"))


def test_a_folder_without_an_index_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is no index"):
        lykeion.search.open(tmp_path)


@pytest.mark.parametrize("name", ["rows.fp16", "rows.arrow", "index.faiss"])
def test_a_truncated_file_is_refused(large: SimpleNamespace, tmp_path: Path, name: str) -> None:
    folder = copy_of(large, tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 3])
    with pytest.raises(Corrupt, match=name):
        lykeion.search.open(folder)


@pytest.mark.parametrize("name", ["rows.fp16", "rows.arrow", "index.faiss"])
def test_a_missing_file_is_refused(large: SimpleNamespace, tmp_path: Path, name: str) -> None:
    folder = copy_of(large, tmp_path)
    (folder / name).unlink()
    with pytest.raises(Corrupt, match=name):
        lykeion.search.open(folder)


MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda said: said.update(format=2),
    "another metric": lambda said: said.update(metric="l2"),
    "an unknown field": lambda said: said.update(colour="red"),
    "no dimension": lambda said: said.pop("dimension"),
    "negative rows": lambda said: said.update(rows=-1),
}


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_not_of_this_format_is_refused(shop: SimpleNamespace, change: Callable[[dict[str, Any]], object]) -> None:
    said = json.loads((shop.folder / "index.json").read_text())
    change(said)
    with pytest.raises(Corrupt, match="not of index format 1"):
        parse_manifest(json.dumps(said), "photos/7")


@given(st.binary(max_size=50))
def test_no_bytes_make_the_manifest_fail_otherwise(text: bytes) -> None:
    with pytest.raises(Corrupt):
        parse_manifest(text, "photos/7")


def test_a_manifest_survives_being_written(large: SimpleNamespace) -> None:
    manifest: IndexManifest = large.index.manifest
    assert parse_manifest(manifest.model_dump_json(), "x") == manifest


def test_rows_that_do_not_fit_the_manifest_are_refused(shop: SimpleNamespace, tmp_path: Path) -> None:
    folder = copy_of(shop, tmp_path)
    rows = (folder / "rows.fp16").read_bytes()
    said = json.loads((folder / "index.json").read_text())
    said["rows"] -= 1
    (folder / "rows.fp16").write_bytes(rows[: -32 * 2])
    (folder / "index.json").write_text(json.dumps(said))
    with pytest.raises(Corrupt, match="says 2999 rows"):
        lykeion.search.open(folder)


def test_mapped_or_read_the_answers_are_the_same(large: SimpleNamespace) -> None:
    read = lykeion.search.open(large.folder, mmap=False)
    queries = large.vectors[:20]
    assert (read.search(queries, 10).rows == large.index.search(queries, 10).rows).all()


def test_an_index_outlives_the_removal_of_its_folder(shop: SimpleNamespace, tmp_path: Path) -> None:
    folder = copy_of(shop, tmp_path)
    index = lykeion.search.open(folder)
    shutil.rmtree(folder)
    assert index.search_items(shop.vectors[0], 5)[0].id == "item-000000"


def test_the_small_have_no_lists_and_the_large_were_tuned(shop: SimpleNamespace, large: SimpleNamespace) -> None:
    assert shop.index.manifest.tuning is None
    assert not (shop.folder / "index.faiss").exists()
    assert large.index.manifest.tuning.recall_at_10 >= 0.99
    assert 1 <= large.index.manifest.tuning.nprobe <= 128


def test_building_twice_gives_the_same_bytes(large: SimpleNamespace, make: Callable[..., SimpleNamespace]) -> None:
    again = make(6000, large.source, lists=128)
    for file in large.folder.iterdir():
        assert file.read_bytes() == (again.folder / file.name).read_bytes(), file.name


@given(st.integers(0, 40), st.integers(1, 12), st.integers(0, 2**40), st.integers(1, 5))
def test_exact_rows_are_a_sorted_product(count: int, k: int, seed: int, queries: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, 16)).astype(np.float16)
    asked = random.standard_normal((queries, 16)).astype(np.float32)
    allowed = random.random(count) < 0.5
    product = asked @ rows.astype(np.float32).T
    for mask in (None, allowed):
        hidden = product if mask is None else np.where(mask, product, -np.inf)
        order = np.argsort(-hidden, axis=1, kind="stable")[:, :k]
        there = np.take_along_axis(hidden, order, 1)
        scores, ids = ExactRows(rows).search(asked, k, None if mask is None else np.packbits(mask, bitorder="little"))
        width = order.shape[1]
        assert np.allclose(scores[:, :width], there, atol=1e-4)
        assert (ids[:, width:] == -1).all()
        assert ((ids[:, :width] == -1) == np.isneginf(there)).all()


@given(st.lists(st.sampled_from([True, False, None])), st.integers(1, 7))
def test_packed_bits_are_the_column(values: list[bool | None], size: int) -> None:
    chunks = [pa.array(values[start : start + size], pa.bool_()) for start in range(0, len(values), size)]
    packed = bits(pa.chunked_array(chunks, pa.bool_()))
    assert np.unpackbits(packed, count=len(values), bitorder="little").tolist() == [int(bool(value)) for value in values]


def test_recall_leaves_out_the_query_itself() -> None:
    own = np.array([5, 6])
    assert others(np.array([[5, 1, 2], [1, 2, 3]]), own).tolist() == [[1, 2], [1, 2]]
    assert agreement(np.array([[1, 2], [1, 2]]), np.array([[2, 1], [3, 2]])) == 0.75
    assert agreement(np.array([[-1, 2]]), np.array([[-1, 2]])) == 1
    assert agreement(np.empty((3, 0)), np.empty((3, 0))) == 1


@given(st.integers(1, 300), st.integers(1, 400))
def test_the_least_that_is_enough_is_found_with_few_tries(high: int, needed: int) -> None:
    tries: list[int] = []

    def enough(number: int) -> bool:
        tries.append(number)
        return number >= needed

    assert least(1, high, enough) == min(high, needed)
    assert len(tries) <= 20


def test_many_lists_are_found_by_a_graph() -> None:
    random = np.random.default_rng(0)
    centroids = random.standard_normal((GRAPH_FROM + 2000, 16)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    lists = empty_lists(centroids)
    assert isinstance(faiss.downcast_index(lists.quantizer), faiss.IndexHNSWFlat)
    _, found = lists.quantizer.search(centroids[:500], 1)
    assert (found[:, 0] == np.arange(500)).mean() > 0.99
    assert not isinstance(faiss.downcast_index(empty_lists(centroids[: GRAPH_FROM - 1]).quantizer), faiss.IndexHNSWFlat)


def test_indexes_of_one_generation_can_be_merged_list_by_list(large: SimpleNamespace) -> None:
    centroids = large.source[:64]
    whole, first, second = (empty_lists(centroids) for _ in range(3))
    whole.add(large.source[:4000])
    first.add(large.source[:1500])
    second.add(large.source[1500:4000])
    first.merge_from(second, 1500)
    whole.nprobe = first.nprobe = 64
    assert (whole.search(large.source[:20], 5)[1] == first.search(large.source[:20], 5)[1]).all()


def test_candidates_are_scored_by_the_mapped_rows_and_nothing_is_copied(large: SimpleNamespace) -> None:
    lists = large.index._lists
    assert not lists._exact.codes.is_owned
    hits = large.index.search(large.source[:50], 10)
    scores = np.einsum("nd,nkd->nk", large.source[:50], large.index.vectors(hits.rows.ravel()).reshape(50, 10, -1))
    assert np.allclose(hits.scores, scores, atol=1e-5)
    assert (np.diff(hits.scores, axis=1) <= 0).all()


def test_neighbours_to_tune_by_are_those_of_the_plainest_search(large: SimpleNamespace) -> None:
    queries, own = sample(large.index, 40, 1)
    truth = others(large.index.search(queries, 11, exact=True).rows, own)
    assert agreement(nearest(large.index, queries, own), truth) == 1.0


def test_what_an_index_says_of_its_recall_holds_on_queries_that_it_never_saw(large: SimpleNamespace) -> None:
    random = np.random.default_rng(99)
    near = large.source[random.choice(len(large.source), 400)] + 0.05 * random.standard_normal((400, large.source.shape[1]))
    found, truth = (large.index.search(near, 10, exact=exact).rows for exact in (False, True))
    assert agreement(found, truth) >= 0.99
