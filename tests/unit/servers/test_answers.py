"""From index servers' answers to one."""

from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.search.merge import ItemHit
from lykeion.core.values import ModelVersion
from lykeion.servers.answers import Gathered, indexes_of, item, items_of
from lykeion.servers.index_service import packed, unpacked
from lykeion.servers.question import Paging

PICTURE = "ab" * 32
texts = st.text(st.characters(codec="utf-8"), max_size=12)
hits = st.builds(
    ItemHit,
    id=texts,
    score=st.floats(-1, 1, width=32),
    picture=st.binary(min_size=32, max_size=32).map(bytes.hex),
    fields=st.dictionaries(texts, st.none() | texts | st.integers(-(2**53), 2**53) | st.booleans(), max_size=4),
)


@given(st.lists(hits, max_size=6))
def test_hits_come_out_of_a_message_as_they_went_in(given_hits):
    assert unpacked(packed(given_hits)) == given_hits


def test_an_item_always_has_the_promised_keys_and_no_column_takes_their_place():
    assert item(ItemHit("a", 1.0, PICTURE, {}), "/lykeion")["picture"] == f"/lykeion/v1/pictures/{PICTURE}"
    shown = item(ItemHit("a", 1.0002, PICTURE, {"colour": "red", "score": 7, "id": "b", "picture": "x"}))
    assert list(shown) == ["id", "score", "title", "category", "price", "status", "picture", "colour"]
    assert (shown["id"], shown["score"], shown["picture"], shown["title"]) == ("a", 1.0, f"/v1/pictures/{PICTURE}", None)


def test_several_indexes_give_each_item_once_with_its_best_picture():
    gathered = Gathered([[ItemHit("a", 0.9), ItemHit("b", 0.5)], [ItemHit("b", 0.8), ItemHit("c", 0.7)]])
    items, following = items_of(gathered, Paging(2))
    assert [(one["id"], one["score"]) for one in items] == [("a", 0.9), ("b", 0.8)]
    assert items_of(gathered, Paging(2, offset=2))[0][0]["id"] == "c"
    assert following is not None


def test_the_item_that_was_asked_with_is_left_out_before_the_pages_are_counted():
    gathered = Gathered([[ItemHit("me", 1.0), ItemHit("a", 0.9), ItemHit("b", 0.5)]])
    items, following = items_of(gathered, Paging(2), without="me")
    assert ([one["id"] for one in items], following) == (["a", "b"], None)


def test_an_index_that_did_not_answer_is_named_with_the_reason():
    one, other = ModelVersion("photos", 1, "sha256:1"), ModelVersion("photos", 2, "sha256:2")
    assert indexes_of([one, other], {"sha256:2": "no answer in time"}) == [
        {"model": "photos", "version": 1, "digest": "sha256:1", "answered": True},
        {"model": "photos", "version": 2, "digest": "sha256:2", "answered": False, "reason": "no answer in time"},
    ]
