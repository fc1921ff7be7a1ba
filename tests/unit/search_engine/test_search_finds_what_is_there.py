"""What a search finds, against the plainest search there is."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lykeion.core.search.manifest import Tuning
from lykeion.errors import Invalid, NotFound

ONE_LIST = Tuning(nprobe=1, refine=3, recall_at_10=0)


def naive_items(shop: SimpleNamespace, query: np.ndarray, k: int, keep: Callable[[dict[str, Any]], bool] = lambda row: True) -> list[str]:
    """Score every row, keep the best of each item."""
    best: dict[str, float] = {}
    for row, score in zip(shop.rows, shop.vectors @ query, strict=True):
        if keep(row) and not row["deleted"]:
            best[row["item"]] = max(best.get(row["item"], -9.0), float(score))
    return sorted(best, key=lambda item: -best[item])[:k]


def queries_for(shop: SimpleNamespace, count: int = 12) -> np.ndarray:
    random = np.random.default_rng(7)
    near = shop.vectors[random.choice(len(shop.vectors), count, replace=False)]
    noisy = near + 0.05 * random.standard_normal(near.shape)
    return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)


def test_a_small_index_answers_exactly(shop: SimpleNamespace) -> None:
    queries = queries_for(shop)
    hits = shop.index.search(queries, 10)
    scores = queries @ shop.vectors.T
    assert (hits.rows == np.argsort(-scores, axis=1, kind="stable")[:, :10]).all()
    assert np.allclose(hits.scores, -np.sort(-scores, axis=1)[:, :10], atol=1e-5)


@pytest.mark.parametrize("k", [1, 3, 10, 100, 1000])
def test_items_are_ranked_by_their_best_picture(shop: SimpleNamespace, k: int) -> None:
    query = queries_for(shop)[0]
    assert [hit.id for hit in shop.index.search_items(query, k)] == naive_items(shop, query, k)


def test_a_hit_names_the_picture_that_matched(shop: SimpleNamespace) -> None:
    row = 17
    best = shop.index.search_items(shop.vectors[row], 1)[0]
    assert best.id == shop.rows[row]["item"]
    assert best.picture == shop.rows[row]["picture"].hex()
    assert best.score == pytest.approx(1, abs=1e-3)
    assert best.fields["title"] == shop.rows[row]["title"]
    assert "item_hash" not in best.fields


FILTERS: list[tuple[list[str], Callable[[dict[str, Any]], bool]]] = [
    (["category:shoes"], lambda row: row["category"] == "shoes"),
    (["category:shoes|hats"], lambda row: row["category"] in ("shoes", "hats")),
    ([r"category:toys\|games"], lambda row: row["category"] == "toys|games"),
    ([r"category:\<odd>"], lambda row: row["category"] == "<odd>"),
    (["category:nothing like it"], lambda row: False),
    (["price:<50"], lambda row: row["price"] is not None and row["price"] < 50),
    (["price:>=1400"], lambda row: row["price"] is not None and row["price"] >= 1400),
    (["price:>=100", "price:<=200"], lambda row: row["price"] is not None and 100 <= row["price"] <= 200),
    (["stock:3|5"], lambda row: row["stock"] in (3, 5)),
    (["stock:>11"], lambda row: row["stock"] > 11),
    (["vintage:true", "category:bags"], lambda row: row["vintage"] and row["category"] == "bags"),
    (["tags:t1"], lambda row: "t1" in (row["tags"] or ())),
    (["updated_at:<2026-03-01"], lambda row: row["updated_at"] is not None and row["updated_at"].isoformat() < "2026-03-01"),
    (["id:item-000007|item-000008"], lambda row: row["item"] in ("item-000007", "item-000008")),
    (
        ["status:on_sale", "price:<1000", "category:hats"],
        lambda row: row["status"] == "on_sale" and row["price"] is not None and row["price"] < 1000 and row["category"] == "hats",
    ),
]


@pytest.mark.parametrize(("texts", "keep"), FILTERS, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_filter_loses_nothing_and_lets_nothing_through(
    shop: SimpleNamespace, texts: list[str], keep: Callable[[dict[str, Any]], bool]
) -> None:
    wanted = shop.index.filter(texts)
    for query in queries_for(shop, 3):
        for k in (1, 10, 500):
            assert [hit.id for hit in shop.index.search_items(query, k, wanted)] == naive_items(shop, query, k, keep)


def test_a_large_index_finds_nearly_all_that_exact_search_finds(large: SimpleNamespace) -> None:
    assert large.index.manifest.kind == "ivf"
    queries = queries_for(large, 200)
    found = large.index.search(queries, 10).rows
    truth = large.index.search(queries, 10, exact=True).rows
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, truth, strict=True)]) >= 0.99


@pytest.mark.parametrize("texts", [["price:<5000"], ["price:<2000"], ["price:<1100"], ["price:<500", "category:shoes"], ["id:item-000003"]])
def test_a_large_index_loses_little_under_a_filter(large: SimpleNamespace, texts: list[str]) -> None:
    wanted = large.index.filter(texts)
    queries = queries_for(large, 60)
    found = large.index.search(queries, 10, wanted).rows
    truth = large.index.search(queries, 10, wanted, exact=True).rows
    overlap = [len(set(a[a >= 0]) & set(b[b >= 0])) / max(1, (b >= 0).sum()) for a, b in zip(found, truth, strict=True)]
    assert np.mean(overlap) >= 0.99


def test_as_many_items_come_back_as_match_even_where_lists_give_too_few(large: SimpleNamespace) -> None:
    query = queries_for(large)[0]
    assert len(large.index.search_items(query, 1000, tuning=ONE_LIST)) == 1000
    wanted = large.index.filter(["price:<1500", "status:on_sale"])
    matching = {row["item"] for row in large.rows if row["price"] is not None and row["price"] < 1500 and row["status"] == "on_sale"}
    found = [hit.id for hit in large.index.search_items(query, 1000, wanted, tuning=ONE_LIST)]
    assert len(found) == len(set(found)) == min(1000, len(matching))
    assert set(found) <= matching


def test_deleted_rows_are_never_found(make: Callable[..., SimpleNamespace]) -> None:
    shop = make(40, deleted=frozenset(range(10)))
    assert not shop.index.filter([])
    found = shop.index.search_items(shop.vectors[0], 40)
    assert {hit.id for hit in found} == {f"item-{i:06d}" for i in range(10, 40)}
    assert (shop.index.search(shop.vectors[:5], 100).rows >= 0).sum(axis=1).max() == sum(not row["deleted"] for row in shop.rows)


def test_an_empty_index_answers_with_nothing(make: Callable[..., SimpleNamespace]) -> None:
    shop = make(0, np.empty((0, 16), np.float32))
    assert shop.index.search_items(np.ones(16), 10) == []
    hits = shop.index.search(np.ones((2, 16)), 3)
    assert hits.rows.tolist() == [[-1] * 3] * 2
    with pytest.raises(NotFound):
        shop.index.vectors_of("item-000000")


def test_fewer_rows_than_asked_for_are_padded(make: Callable[..., SimpleNamespace]) -> None:
    shop = make(3)
    hits = shop.index.search(shop.vectors[:2], 10)
    assert hits.rows.shape == hits.scores.shape == (2, 10)
    assert (hits.rows[:, 6:] == -1).all()
    assert np.isneginf(hits.scores[:, 6:]).all()
    assert sorted(hits.rows[0, :6]) == list(range(6))


def test_the_vectors_of_an_item_are_those_of_its_pictures(shop: SimpleNamespace) -> None:
    for item in ("item-000000", "item-000001", "item-000777", "item-001499"):
        rows = [number for number, row in enumerate(shop.rows) if row["item"] == item]
        assert np.allclose(shop.index.vectors_of(item), shop.vectors[rows])
    for item in ("item-", "item-0007771", "zzz", ""):
        with pytest.raises(NotFound, match="no item"):
            shop.index.vectors_of(item)


def test_rows_say_what_is_known_of_them(shop: SimpleNamespace) -> None:
    first, last = shop.index.rows([0, 2999])
    assert first["id"] == "item-000000"
    assert last["picture"] == shop.rows[2999]["picture"].hex()
    assert last["price"] == 1499
    assert last["updated_at"].endswith("Z")
    with pytest.raises(Invalid, match="no row 3000"):
        shop.index.rows([0, 3000])


BAD_VECTORS = {
    "nan": np.full(32, np.nan),
    "infinity": np.r_[np.inf, np.ones(31)],
    "zero": np.zeros(32),
    "too short": np.ones(31),
    "too deep": np.ones((2, 2, 32)),
    "text": ["a"] * 32,
    "ragged": [[1.0], [1.0, 2.0]],
    "overflow": np.full(32, 1e300),
    "empty": [],
}


@pytest.mark.parametrize("vector", BAD_VECTORS.values(), ids=BAD_VECTORS)
def test_a_vector_that_cannot_be_searched_is_refused_with_a_sentence(shop: SimpleNamespace, vector: Any) -> None:
    for search in (shop.index.search, shop.index.search_items):
        with pytest.raises(Invalid) as refused:
            search(vector, 10)
        assert refused.value.problems[0].remedy


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1.0, 1e20, 3e38])
def test_the_length_of_a_vector_does_not_matter(shop: SimpleNamespace, scale: float) -> None:
    plain = shop.index.search(shop.vectors[5], 10)
    scaled = shop.index.search(shop.vectors[5] / np.abs(shop.vectors[5]).max() * np.float32(scale), 10)
    if scale > 1e-30:
        assert (scaled.rows == plain.rows).all()
    assert np.allclose(scaled.scores, plain.scores, atol=1e-3)


@pytest.mark.parametrize("k", [0, -1, 1001, 10**9])
def test_k_is_between_1_and_1000_items(shop: SimpleNamespace, k: int) -> None:
    with pytest.raises(Invalid, match=f"k is {k}"):
        shop.index.search_items(shop.vectors[0], k)


def test_threads_may_search_at_once(large: SimpleNamespace) -> None:
    queries = queries_for(large, 16)
    expected = [large.index.search(query, 10).rows[0].tolist() for query in queries]
    wanted = large.index.filter(["price:<5500"])
    wrong: list[int] = []

    def ask() -> None:
        for number, query in enumerate(queries):
            if large.index.search(query, 10).rows[0].tolist() != expected[number]:
                wrong.append(number)
            large.index.search(query, 5, wanted)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
