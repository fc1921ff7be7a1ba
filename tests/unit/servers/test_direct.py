"""A search without servers answers what the proxy answers: the same items, the same refusals in the same words."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from search_servers import cover_of, index_server, within

from lykeion.errors import Invalid, LykeionError, NotFound
from lykeion.servers.direct import search

SAID_ANEW = ("request_id", "took_ms", "embedding")


@pytest.fixture(scope="module")
def both(shops, tmp_path_factory):
    """`both(question, k, filters)`: (items or refusal) of the proxy, and of the search without it."""
    folder = tmp_path_factory.mktemp("documents")
    version = shops.first.index

    def mounted(selector):
        found = shops.first.space if selector.startswith("photos-space@sha256:") else version
        return found, shops.volume / found.path

    def asked(body, is_json, k, filters):
        async def story(photos):
            photos.write(cover_of(shops.first, [(version, [address])]))
            await photos.covers.follow()
            kind = "application/json" if is_json else "image/png"
            query = "&".join([f"k={k}", *(f"filter={one}" for one in filters)])
            return await photos.request("POST", query=query, parts=[body], headers={"content-type": kind})

        answer = within(folder, shops.volume, story)
        served = answer.json if answer.status == 200 else (answer.status, answer.json["detail"])
        try:
            direct = search(mounted, "photos", body, is_json=is_json, k=k, filters=filters)
        except LykeionError as error:
            direct = ({Invalid: 400, NotFound: 404}.get(type(error), 500), str(error))
        return [
            {name: value for name, value in one.items() if name not in SAID_ANEW} if isinstance(one, dict) else one
            for one in (served, direct)
        ]

    with index_server(shops.volume, tmp_path_factory.mktemp("s") / "i", version) as address:
        yield asked


VECTORS = st.lists(st.floats(-10, 10, width=32), min_size=24, max_size=24)
QUESTIONS = st.one_of(
    VECTORS.map(lambda numbers: {"vector": numbers}),
    st.integers(0, 13).map(lambda number: {"item": f"item-{number:05d}"}),
    st.just({}),
    st.just({"vector": [1.0]}),
)
FILTERS = st.lists(st.sampled_from(["price:<700", "price:>=300", "category:shoes|hats", "status:on_sale", "category:none"]), max_size=2)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=QUESTIONS, k=st.integers(1, 20), filters=FILTERS)
def test_whatever_is_asked_both_give_the_same_answer_or_refuse_it_alike(both, question, k, filters):
    served, direct = both(json.dumps(question).encode(), True, k, filters)
    if isinstance(served, dict):
        assert direct == served
    else:
        assert direct[0] == served[0]


@pytest.mark.parametrize(
    ("question", "k", "filters", "status", "says"),
    [
        ({"vector": [1.0]}, 5, [], 400, "the vector has 1 numbers, this family's have 24"),
        ({"vector": [0.0] * 24}, 5, [], 400, "nothing is like nothing"),
        ({"vector": [1e300] * 24}, 5, [], 400, "too large for 32 bits"),
        ({"item": "nobody"}, 5, [], 404, "nobody"),
        ({}, 5, [], 400, "say either"),
        ({"item": "item-00001"}, 0, [], 400, "k is 0"),
        ({"item": "item-00001"}, 1001, [], 400, "k is 1001"),
        ({"item": "item-00001"}, 5, ["colour:red"], 400, "there is no field 'colour'"),
        ({"item": "item-00001"}, 5, ["price:cheap"], 400, "is a number"),
    ],
    ids=str,
)
def test_both_refuse_in_the_same_words(both, question, k, filters, status, says):
    for told in both(json.dumps(question).encode(), True, k, filters):
        assert told[0] == status
        assert says in told[1]


def test_both_find_a_photo_of_an_item(both, shops):
    served, direct = both(shops.first.pictures["item-00005"], False, 3, [])
    assert served["items"][0]["id"] == "item-00005"
    assert direct == served


@pytest.mark.parametrize("body", [b"", b"hello", b"<svg/>", b"\x89PNG\r\n\x1a\n"], ids=repr)
def test_both_say_what_is_wrong_with_a_picture(both, body):
    served, direct = both(body, False, 3, [])
    assert served[0] in (400, 415, 422)
    assert direct[1] in served[1]
