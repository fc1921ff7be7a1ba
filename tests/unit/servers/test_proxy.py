"""The proxy: what it makes of several servers' answers, of servers that fail, of requests that cannot be answered."""

import asyncio
import threading
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from search_servers import cover_of, index_server, within

from lykeion.servers import proxy as proxy_module
from lykeion.servers.index_service import IndexService

NOBODY = "unix:/nowhere/at/all"


def vector(seed):
    return np.random.default_rng(seed).standard_normal(24).tolist()


def naive(families, asked, k, cheaper_than=None):
    """Every item of every index scored, each once with its best score, best first."""
    best = {}
    for family in families:
        scores = family.vectors.astype(np.float16).astype(np.float32) @ (np.asarray(asked, "f4") / np.linalg.norm(asked))
        for place, (item, score) in enumerate(zip(family.ids, scores, strict=True)):
            if cheaper_than is None or 100 * place < cheaper_than:
                best[item] = max(best.get(item, -9.0), float(score))
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:k]


@pytest.fixture(scope="module")
def servers(shops):
    """Two index servers: one holds the first version, the other the second and the third."""
    with TemporaryDirectory(prefix="lk") as folder, ExitStack() as stack:
        first, second, third = (family.index for family in shops.families)
        one = stack.enter_context(index_server(shops.volume, Path(folder) / "a", first))
        other = stack.enter_context(index_server(shops.volume, Path(folder) / "b", second, third))
        yield [(first, [one]), (second, [other]), (third, [other])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 25),
    chosen=st.sets(st.integers(0, 2), min_size=1),
    cheaper=st.none() | st.integers(0, 2000),
)
def test_the_answer_of_several_servers_is_that_of_a_naive_search_through_all(shops, servers, tmp_path, seed, k, chosen, cheaper):
    asked = vector(seed)
    families = [shops.families[number] for number in sorted(chosen)]

    async def story(photos):
        photos.write(cover_of(shops.first, [servers[number] for number in sorted(chosen)]))
        await photos.covers.follow()
        return await photos.post({"vector": asked}, f"k={k}" + ("" if cheaper is None else f"&filter=price:<{cheaper}"))

    answer = within(tmp_path, shops.volume, story).json
    expected = naive(families, asked, k, cheaper)
    assert np.allclose([one["score"] for one in answer["items"]], [score for _, score in expected], atol=1e-5)
    assert [one["id"] for one in answer["items"]] == [item for item, _ in expected]
    assert [(one["version"], one["answered"]) for one in answer["indexes"]] == [(number + 1, True) for number in sorted(chosen)]


def test_pictures_are_told_below_the_prefix_that_the_gateway_names(shops, servers, tmp_path):
    async def story(photos):
        photos.write(cover_of(shops.first, servers))
        await photos.covers.follow()
        return await photos.post({"vector": vector(1)}, "k=2", **{"x-forwarded-prefix": "/lykeion"})

    pictures = [one["picture"] for one in within(tmp_path, shops.volume, story).json["items"]]
    assert len(pictures) == 2
    assert all(one.startswith("/lykeion/v1/pictures/") for one in pictures)


def test_pages_over_several_servers_show_every_item_once(shops, servers, tmp_path):
    async def story(photos):
        photos.write(cover_of(shops.first, servers))
        await photos.covers.follow()
        seen, token = [], ""
        while token is not None:
            answer = (await photos.post({"item": "item-00003"}, f"k=6&next={token}")).json
            seen += [one["id"] for one in answer["items"]]
            token = answer["next"]
        return seen

    seen = within(tmp_path, shops.volume, story)
    assert sorted(seen) == [item for item in shops.families[2].ids if item != "item-00003"]


def test_what_a_server_that_is_gone_held_is_missing_from_the_answer_and_named(shops, servers, tmp_path):
    (first, there), (second, _), _ = servers

    async def story(photos):
        photos.write(cover_of(shops.first, [(first, there), (second, [NOBODY])]))
        await photos.covers.follow()
        answer = await photos.post({"vector": vector(1)}, "k=3")
        return answer, await photos.request("GET"), photos.registry.get_sample_value("lykeion_search_partial_total", {"family": "photos"})

    answer, served, partial = within(tmp_path, shops.volume, story, deadline=0.4)
    assert (answer.status, answer.json["partial"], partial) == (200, True, 1)
    assert [one["id"] for one in answer.json["items"]] == [item for item, _ in naive([shops.first], vector(1), 3)]
    lost = answer.json["indexes"][1]
    assert (lost["version"], lost["answered"]) == (2, False)
    assert lost["reason"].startswith("unavailable: ")
    assert served.status == 200
    assert "items" not in served.json, "a count that lacks an index would be wrong"


def test_an_index_that_its_server_does_not_hold_is_named_and_the_others_answer(shops, servers, tmp_path):
    (first, there), (second, _), _ = servers

    async def story(photos):
        photos.write(cover_of(shops.first, [(first, there), (second, there)]))
        await photos.covers.follow()
        return (await photos.post({"vector": vector(2)})).json

    answer = within(tmp_path, shops.volume, story, deadline=0.4)
    assert [one.get("reason") for one in answer["indexes"]] == [None, "this server does not hold it"]
    assert len(answer["items"]) == 10


def test_of_two_workers_the_one_that_answers_is_asked(shops, servers, tmp_path):
    (first, there), *_ = servers

    async def story(photos):
        photos.write(cover_of(shops.first, [(first, [NOBODY, *there, NOBODY])]))
        await photos.covers.follow()
        return [(await photos.post({"vector": vector(3)})).json["partial"] for _ in range(4)]

    assert within(tmp_path, shops.volume, story) == [False] * 4


class Slow(IndexService):
    """Answers when the caller has given up."""

    def search(self, request, context):
        over = threading.Event()
        context.add_callback(over.set)
        over.wait(30)
        return super().search(request, context)


def test_a_server_that_is_too_slow_is_left_out_when_the_deadline_comes(shops, servers, sockets, tmp_path):
    (first, there), (second, _), _ = servers

    async def story(photos):
        photos.write(cover_of(shops.first, [(first, there), (second, [slow])]))
        await photos.covers.follow()
        return (await photos.post({"vector": vector(4)})).json

    with index_server(shops.volume, sockets / "slow", second, wrap=lambda one: Slow(one.shelf)) as slow:
        answer = within(tmp_path, shops.volume, story, deadline=0.3)
    assert [one["answered"] for one in answer["indexes"]] == [True, False]
    assert "deadline_exceeded" in answer["indexes"][1]["reason"]
    assert answer["items"]


def test_an_item_that_only_a_silent_server_might_know_is_no_404(shops, tmp_path):
    async def story(photos):
        photos.write(cover_of(shops.first, [(shops.first.index, [NOBODY])]))
        await photos.covers.follow()
        return await photos.post({"item": "item-00001"})

    answer = within(tmp_path, shops.volume, story, deadline=0.3)
    assert (answer.status, answer.json["items"], answer.json["partial"]) == (200, [], True)


@pytest.mark.parametrize(
    ("request_of", "status", "says"),
    [
        ({"method": "GET", "path": "/v1/search/hats"}, 404, "search at /v1/search/photos"),
        ({"method": "PUT"}, 405, "POST a picture to search, GET to see"),
        ({"method": "POST", "parts": [b"x" * 600, b"x" * 600]}, 413, "send a smaller picture"),
        ({"method": "POST", "parts": [b"x" * 2000], "headers": {"content-length": "2000"}}, 413, "more than 0.001 MB"),
        ({"method": "POST", "parts": [b"x", None]}, 400, "broken off"),
        ({"method": "POST", "parts": [b"{}"], "headers": {"content-type": "application/json"}}, 400, "say either"),
        ({"method": "POST", "parts": [b"<svg/>"], "headers": {"content-type": "image/svg+xml"}}, 415, "send JPEG, PNG"),
        ({"method": "POST", "query": "k=0", "parts": [b"x"]}, 400, "at least one"),
        ({"method": "GET"}, 503, "'photos' is not ready: waiting for the first cover"),
        ({"method": "POST", "parts": [b"x"], "headers": {"content-type": "image/png"}}, 503, "'photos' is not ready"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_answered_is_a_problem_that_says_what_to_do(shops, tmp_path, request_of, status, says):
    answer = within(tmp_path, shops.volume, lambda photos: photos.request(**request_of), most_bytes=1000)
    assert answer.status == answer.json["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail", "request_id"}
    assert says in answer.json["detail"]
    assert ("retry-after" in answer.headers) == (status == 503)
    assert answer.headers.get("allow") == ("GET, HEAD, POST" if status == 405 else None)


def test_no_more_of_a_body_that_is_too_large_is_read_than_a_client_needs_to_see_the_answer(shops, tmp_path, monkeypatch):
    monkeypatch.setattr(proxy_module, "PASSED_OVER", 5000)
    given = [b"x" * 1000] * 100

    async def story(photos):
        return await photos.request("POST", parts=given)

    assert within(tmp_path, shops.volume, story, most_bytes=1000).status == 413


def test_a_head_has_the_length_of_the_answer_and_no_body(shops, servers, tmp_path):
    async def story(photos):
        photos.write(cover_of(shops.first, servers))
        await photos.covers.follow()
        return await photos.request("GET"), await photos.request("HEAD")

    whole, head = within(tmp_path, shops.volume, story)
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)


@pytest.mark.parametrize(
    ("given_id", "kept"), [("mine-1", True), ("x" * 128, True), ("x" * 129, False), ("", False), ("a\tb", False), ("ü", False)]
)
def test_a_request_id_is_kept_where_a_log_can_hold_it(shops, tmp_path, given_id, kept):
    async def story(photos):
        return (await photos.request("GET", "/none", headers={"x-request-id": given_id})).json["request_id"]

    told = within(tmp_path, shops.volume, story)
    assert told
    assert (told == given_id) == kept


def test_more_pictures_than_can_be_looked_at_are_sent_away_and_nothing_is_left_counted(shops, servers, tmp_path, monkeypatch):
    monkeypatch.setattr(proxy_module, "MOST_WAITING", 2)
    picture = shops.first.pictures["item-00004"]

    async def story(photos):
        photos.write(cover_of(shops.first, servers[:1]))
        await photos.covers.follow()
        post = [photos.request("POST", parts=[picture], headers={"content-type": "image/png"}) for _ in range(5)]
        answers = await asyncio.gather(*post)
        return answers, photos.proxy.waiting, photos.covers.current.under_way

    answers, waiting, under_way = within(tmp_path, shops.volume, story)
    assert sorted(answer.status for answer in answers) == [200, 200, 503, 503, 503]
    assert "try again soon" in answers[-1].json["detail"]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[0].json["items"][0]["id"] == "item-00004"
    assert (waiting, under_way) == (0, 0)


def test_a_picture_of_which_nothing_can_be_told_is_refused(shops, servers, tmp_path, monkeypatch):
    """The mean of all pictures is at no distance in no direction."""

    async def story(photos):
        photos.write(cover_of(shops.first, servers[:1]))
        await photos.covers.follow()
        eyes = photos.covers.current.eyes
        monkeypatch.setattr(type(eyes.space), "project", lambda self, raw: np.zeros((1, 24), "f4"))
        return await photos.request("POST", parts=[shops.first.pictures["item-00001"]], headers={"content-type": "image/png"})

    answer = within(tmp_path, shops.volume, story)
    assert (answer.status, "of one colour" in answer.json["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("data", "status", "title", "remedy"),
    [
        (b"hello", 415, "This file is not a picture we can read", "Try a JPEG or PNG photo (not a picture"),
        (b"<!doctype html>", 415, "This file is not a picture we can read", "Try a JPEG or PNG photo (an HTML page"),
        (b"<svg/>", 415, "This file is not a picture we can read", "Try a JPEG or PNG photo (an SVG drawing"),
        (b"", 400, "This file is empty", "Choose the photo again ("),
        (b"BM" + b"\0" * 200, 422, "This picture cannot be used", "Try another photo"),
    ],
)
def test_a_shopper_whose_file_is_no_picture_is_told_so_and_what_to_try(shops, servers, tmp_path, data, status, title, remedy):
    async def story(photos):
        photos.write(cover_of(shops.first, servers[:1]))
        await photos.covers.follow()
        return await photos.request("POST", parts=[data], headers={"content-type": "image/jpeg"})

    answer = within(tmp_path, shops.volume, story)
    assert (answer.status, answer.json["title"]) == (status, title), answer.json
    assert answer.json["detail"].startswith(remedy)


def test_answers_are_counted_by_their_status(shops, servers, tmp_path):
    async def story(photos):
        photos.write(cover_of(shops.first, servers))
        await photos.covers.follow()
        for question in ({"item": "item-00001"}, {"item": "nobody"}, {}):
            await photos.post(question)
        return [
            photos.registry.get_sample_value("lykeion_search_requests_total", {"family": "photos", "code": code})
            for code in ("200", "404", "400")
        ]

    assert within(tmp_path, shops.volume, story) == [1, 1, 1]


def test_anything_but_http_is_left_alone(shops, tmp_path):
    async def story(photos):
        await photos.proxy({"type": "lifespan"}, None, None)

    within(tmp_path, shops.volume, story)
