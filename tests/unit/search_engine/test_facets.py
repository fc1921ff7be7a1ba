"""What is told of the values in an index, and in several together: as a plain loop over their items would."""

import math
from collections import Counter
from functools import reduce
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lykeion.search.facets
from lykeion.core.search.facets import ALWAYS, EDGES, LONGEST_VALUE, MOST_DISTINCT, MOST_VALUES, Facet, counted, range_of, together, told
from lykeion.core.search.filters import parse_filters
from lykeion.search.facets import facets_of, firsts
from lykeion.search.rows import ROW_SCHEMA, RowTable

from .conftest import catalogue

Item = dict[str, Any]
WORDS = st.sampled_from(["red", "blue", "", " padded ", "a|b", "<c", "back\\slash", "x" * (LONGEST_VALUE + 1), "ä"])
ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "pictures": st.integers(1, 3),
            "deleted": st.booleans(),
            "word": st.none() | WORDS,
            "words": st.none() | st.lists(st.none() | WORDS, max_size=4),
            "flag": st.none() | st.booleans(),
            "size": st.none() | st.floats(width=32) | st.sampled_from([-5.0, -1.0, 0.0, 1.0, 2.0, 5e7, -5e7]),
        }
    ),
    max_size=30,
)
TYPES = {"word": pa.string(), "words": pa.list_(pa.string()), "flag": pa.bool_(), "size": pa.float64()}


def table(items: list[Item], prefix: str = "i") -> pa.Table:
    rows = [
        {
            "item": f"{prefix}{place:04d}",
            "item_hash": hash((prefix, place)) % 2**64,
            "number": number,
            "picture": bytes(32),
            "updated_at": None,
            "deleted": item["deleted"],
            **{name: item.get(name) for name in TYPES},
        }
        for place, item in enumerate(items)
        for number in range(item["pictures"])
    ]
    return pa.Table.from_pylist(rows, pa.schema([*ROW_SCHEMA, *TYPES.items()]))


def of_words(items: list[str]) -> list[Item]:
    return [{"pictures": 1, "deleted": False, "word": word} for word in items]


def named(facets: Any, name: str) -> Facet:
    (found,) = (facet for facet in facets if facet.name == name)
    return found


@given(ITEMS, st.integers(1, 7))
def test_counts_are_those_of_a_plain_loop_in_blocks_of_any_size(items: list[Item], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lykeion.search.facets, "BLOCK", size)
        facets = facets_of(table(items))
    live = [item for item in items if not item["deleted"]]
    given_values = {
        "word": [[item["word"]] for item in live],
        "words": [set(item["words"] or []) for item in live],
        "flag": [[None if item["flag"] is None else str(item["flag"]).lower()] for item in live],
    }
    for name, lists in given_values.items():
        counts = Counter(value for values in lists for value in values if value is not None)
        good = {value: many for value, many in counts.items() if value and value == value.strip() and len(value) <= LONGEST_VALUE}
        assert named(facets, name).values == good
        assert named(facets, name).other == counts.total() - sum(good.values())
    numbers = [item["size"] for item in live if item["size"] is not None and not math.isnan(item["size"])]
    finite = [number for number in numbers if math.isfinite(number)]
    found = named(facets, "size")
    assert found.ranges == Counter(max([edge for edge in EDGES if edge <= number], default=EDGES[0]) for number in numbers)
    assert found.ranges == Counter(map(range_of, numbers))
    assert (found.least, found.most) == (min(finite, default=None), max(finite, default=None))


@given(st.lists(ITEMS, max_size=4))
def test_several_indexes_are_told_as_one_of_all_their_items_would_be(parts: list[list[Item]]) -> None:
    tables = [table([]), *(table(items, prefix=f"p{place}-") for place, items in enumerate(parts))]
    apart, whole = together(facets_of(one) for one in tables), list(facets_of(pa.concat_tables(tables)))
    assert apart == whole
    assert told(apart) == told(whole)


FACETS = st.lists(
    st.builds(
        counted, st.sampled_from("ab"), st.just("text"), st.dictionaries(st.sampled_from("xyz"), st.integers(1, 9)), st.integers(0, 3)
    )
    | st.builds(Facet, name=st.just("c"), kind=st.just("text"))
    | st.builds(
        Facet, name=st.just("d"), kind=st.just("number"), ranges=st.just({1.0: 2}), least=st.integers(1, 3), most=st.integers(4, 9)
    ),
    max_size=3,
    unique_by=lambda facet: facet.name,
)


@given(st.lists(FACETS, max_size=3), st.lists(FACETS, max_size=3))
def test_it_does_not_matter_who_adds_up_first(some: list[list[Facet]], others: list[list[Facet]]) -> None:
    assert together([together(some), together(others)]) == together([*some, *others])


@given(ITEMS)
def test_every_value_and_range_that_is_told_finds_as_many_items_as_it_says(items: list[Item]) -> None:
    rows = table(items)
    opened, first = RowTable(rows), firsts(rows)

    def found(*filters: str) -> int:
        bits = opened.matching(parse_filters(filters, opened.fields))
        return sum(bool(bits[row // 8] >> row % 8 & 1) and bool(is_first) for row, is_first in enumerate(first))

    for field in told(facets_of(rows)):
        for one in field.get("values", ()):
            said = reduce(lambda text, sign: text.replace(sign, f"\\{sign}"), "\\|<>", one["value"])
            assert found(f"{field['name']}:{said}") == one["items"]
        for one in field.get("ranges", ()):
            bounds = [f"{field['name']}:{sign}{one[end]}" for end, sign in (("from", ">="), ("under", "<")) if one[end] is not None]
            assert found(*bounds) == one["items"]


def test_a_shops_category_status_and_price_come_first_and_titles_have_no_values() -> None:
    fields = told(facets_of(catalogue(300, deleted=frozenset({0, 5, 7}))))
    assert [field["name"] for field in fields][:4] == ["category", "status", "price", "updated_at"]
    by_name = {field["name"]: field for field in fields}
    expected = Counter(["shoes", "hats", "bags", "toys|games", "<odd>"][i % 5] for i in range(300) if i not in (0, 5, 7))
    assert {one["value"]: one["items"] for one in by_name["category"]["values"]} == expected
    assert by_name["category"]["values"][-1]["value"] == "shoes", "the two of three that were deleted"
    assert by_name["price"]["ranges"][:2] == [{"from": 1.0, "under": 2.0, "items": 1}, {"from": 2.0, "under": 5.0, "items": 3}]
    assert by_name["title"] == {"name": "title", "kind": "text"}
    assert by_name["vintage"]["values"] == [{"value": "false", "items": 198}, {"value": "true", "items": 99}]


def test_numbers_and_times_say_from_where_to_where() -> None:
    facets = facets_of(catalogue(100))
    assert (named(facets, "price").least, named(facets, "price").most) == (1.0, 98.0)
    assert (named(facets, "updated_at").least, named(facets, "updated_at").most) == ("2026-01-02T00:00:00Z", "2026-04-10T00:00:00Z")


def test_an_index_without_rows_has_fields_and_no_values() -> None:
    facets = facets_of(catalogue(0))
    assert named(facets, "category").values == {}
    assert named(facets, "price").least is None


def test_a_field_of_which_no_value_can_be_named_in_a_filter_is_named_alone() -> None:
    assert told([counted("description", "text", {"": 5, "prose " * 50: 2})]) == [{"name": "description", "kind": "text"}]


def test_few_values_are_told_whatever_they_are() -> None:
    values = {f"{place}": 1 for place in range(ALWAYS)}
    assert "values" in told([counted("title", "text", values)])[0]
    assert "values" not in told([counted("title", "text", {**values, "one more": 1})])[0]
    assert "values" in told([counted("category", "text", {**values, "one more": 1})])[0], "a category is always one to choose"


@given(st.dictionaries(st.text("abc", min_size=1, max_size=6), st.integers(1, 1000), max_size=120), st.integers(0, 5))
def test_the_most_frequent_are_told_and_all_are_counted(values: dict[str, int], other: int) -> None:
    (field,) = told([counted("category", "text", {"a": 1, **values}, other)])
    values = {"a": 1, **values}
    ranked = sorted(values.items(), key=lambda one: (-one[1], one[0]))
    assert [(one["value"], one["items"]) for one in field["values"]] == ranked[:MOST_VALUES]
    assert sum(one["items"] for one in field["values"]) + field["other"] == sum(values.values()) + other


@pytest.mark.parametrize(("different", "is_counted"), [(MOST_DISTINCT, True), (MOST_DISTINCT + 1, False)])
def test_a_field_of_too_many_values_is_named_without_them(different: int, is_counted: bool) -> None:
    words = [str(place % different) for place in range(2 * different)]
    halves = [table(of_words(words[:different]), "a"), table(of_words(words[different:]), "b")]
    for facets in (facets_of(pa.concat_tables(halves)), together(facets_of(half) for half in halves)):
        assert (named(facets, "word").values is not None) is is_counted


def test_two_halves_that_are_few_can_be_too_many_together() -> None:
    halves = [[counted("brand", "text", {f"{side}{place}": 2 for place in range(600)})] for side in "ab"]
    assert together(halves) == [Facet(name="brand", kind="text")]


def test_a_small_index_of_the_last_hour_does_not_take_a_large_ones_values_away() -> None:
    large = counted("brand", "text", {f"brand {place}": 100 for place in range(40)})
    small = counted("brand", "text", {f"brand {place}": 1 for place in range(30)})
    assert "values" not in told([small])[0]
    assert told(together([[large], [small]]))[0]["values"][0] == {"value": "brand 0", "items": 101}


@pytest.mark.parametrize("other", [Facet(name="f", kind="number", least=1, most=2), Facet(name="f", kind="text")])
def test_where_one_index_cannot_say_its_values_or_has_another_kind_none_are_told(other: Facet) -> None:
    assert together([[counted("f", "text", {"a": 1})], [other]]) == [Facet(name="f", kind="text")]


def test_a_field_that_only_one_index_has_is_told_as_it_is() -> None:
    one, other = counted("a", "text", {"x": 1}), counted("b", "flag", {"true": 2})
    assert together([[one], [other]]) == [one, other]
