"""What is told of the values in an index, and in several together."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.search.facets import ALWAYS, MOST_VALUES, Facet, counted, together
from lykeion.search.facets import facets_of

from .conftest import catalogue


def named(facets, name: str) -> Facet:
    (found,) = (facet for facet in facets if facet.name == name)
    return found


def test_each_item_counts_once_however_many_pictures_it_has() -> None:
    facets = facets_of(catalogue(100, most_pictures=3))
    assert named(facets, "category").values == dict.fromkeys(["<odd>", "bags", "hats", "shoes", "toys|games"], 20)
    assert named(facets, "status").values == {"on_sale": 50, "sold_out": 50}
    assert named(facets, "vintage").values == {"true": 34, "false": 66}
    assert [facet.name for facet in facets][:3] == ["updated_at", "title", "description"]


def test_deleted_items_and_missing_values_count_nowhere() -> None:
    facets = facets_of(catalogue(100, deleted=frozenset(range(50))))
    assert sum((named(facets, "category").values or {}).values()) == 50
    tagged = [i for i in range(50, 100) if i % 9]
    assert named(facets, "tags").values == Counter(tag for i in tagged for tag in (f"t{i % 4}", f"u{i % 6}"))


def test_numbers_and_times_say_from_where_to_where() -> None:
    facets = facets_of(catalogue(100))
    assert (named(facets, "price").least, named(facets, "price").most) == (1.0, 98.0)
    assert (named(facets, "updated_at").least, named(facets, "updated_at").most) == ("2026-01-02T00:00:00Z", "2026-04-10T00:00:00Z")


def test_what_is_no_number_is_nobodys_least() -> None:
    rows = catalogue(4)
    prices = pa.array([float("nan"), 3.0, 3.0, float("inf"), float("inf"), float("inf"), 1.0][: rows.num_rows])
    price = named(facets_of(rows.set_column(rows.column_names.index("price"), "price", prices)), "price")
    assert (price.least, price.most) == (1.0, 3.0)


def test_an_index_without_rows_has_fields_and_no_values() -> None:
    facets = facets_of(catalogue(0))
    assert named(facets, "category").values == {}
    assert named(facets, "price").least is None


def test_a_field_in_which_nearly_every_item_differs_is_named_without_values() -> None:
    assert named(facets_of(catalogue(100)), "title").values is None
    assert named(facets_of(catalogue(ALWAYS)), "title").values is not None, "few are told whatever they are"


values = st.dictionaries(st.text("abc", min_size=1, max_size=6), st.integers(1, 1000), max_size=120)


@given(values, st.integers(0, 500))
def test_the_most_frequent_are_told_and_all_are_counted(given_values: dict[str, int], items: int) -> None:
    facet = counted("f", "text", given_values.items(), items)
    if facet.values is None:
        assert len(given_values) > max(ALWAYS, items // 2)
        return
    assert list(facet.values.items()) == sorted(given_values.items(), key=lambda one: (-one[1], one[0]))[:MOST_VALUES]
    assert sum(facet.values.values()) + facet.other == sum(given_values.values())


@given(st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 100)), min_size=1, max_size=4))
def test_several_indexes_are_told_as_one_of_all_their_items_would_be(indexes: list[dict[str, int]]) -> None:
    whole: Counter[str] = Counter()
    for one in indexes:
        whole.update(one)
    (found,) = together([counted("f", "text", one.items(), 1000)] for one in indexes)
    assert found == counted("f", "text", whole.items(), 1000)


@given(st.lists(st.tuples(st.none() | st.floats(-9, 9), st.floats(0, 9)), min_size=1, max_size=4))
def test_several_ranges_become_the_widest(ranges: list[tuple[float | None, float]]) -> None:
    facets = [
        Facet(name="price", kind="number") if least is None else Facet(name="price", kind="number", least=least, most=least + more)
        for least, more in ranges
    ]
    (found,) = together([facet] for facet in facets)
    ends = [end for facet in facets for end in (facet.least, facet.most) if end is not None]
    assert (found.least, found.most) == ((min(ends), max(ends)) if ends else (None, None))


@pytest.mark.parametrize(
    "other",
    [
        Facet(name="f", kind="number", least=1, most=2),
        Facet(name="f", kind="text"),
    ],
)
def test_where_one_index_cannot_say_its_values_or_has_another_kind_none_are_told(other: Facet) -> None:
    (found,) = together([[counted("f", "text", [("a", 1)], 1)], [other]])
    assert found == Facet(name="f", kind="text")


def test_a_field_that_only_one_index_has_is_told_as_it_is() -> None:
    one, other = counted("a", "text", [("x", 1)], 1), counted("b", "flag", [("true", 2)], 2)
    assert together([[one], [other]]) == [one, other]
