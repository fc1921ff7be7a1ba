"""What search requests ask, and how bad ones are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.search.merge import next_token
from lykeion.servers.problems import Refused
from lykeion.servers.question import Item, Paging, Picture, Vector, paging_of, question_of


def refusal(call, *arguments):
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return caught.value


def form(*parts, boundary="xyz", end=True):
    body = b""
    for disposition, data in parts:
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: image/png\r\n\r\n".encode() + data + b"\r\n"
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


FORM = "multipart/form-data; boundary=xyz"


def test_nothing_in_the_url_means_the_first_ten():
    assert paging_of(b"") == Paging(10, 0, ())


def test_k_filters_and_the_next_page_are_read_from_the_url():
    query = f"k=3&filter=category:shoes&filter=price:%3C5000&next={next_token(20)}".encode()
    assert paging_of(query) == Paging(3, 20, ("category:shoes", "price:<5000"))
    assert paging_of(b"collapse=0.98") == Paging(collapse=0.98)
    assert paging_of("filter=colour:röt".encode()) == paging_of(b"filter=colour:r%C3%B6t") == Paging(filters=("colour:röt",))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (b"k=0", "at least one"),
        (b"k=-1", "at least one"),
        (b"k=1000000", "at most 1000"),
        (b"k=99999999999999999999", "write a whole number"),
        (b"k=ten", "write a whole number"),
        (b"k=", "write a whole number"),
        (b"k=\xd9\xa3", "write a whole number"),
        (b"filter=colour:r\xf6t", "filter is not UTF-8"),
        (b"filter=colour:r%F6t", "filter is not UTF-8"),
        (b"next=%F0%28%8C", "next is not UTF-8"),
        (b"f\xf6lter=a:b", "did you mean 'filter'?"),
        (b"k=%D9%A3", "write a whole number"),
        (b"filtre=a:b", "did you mean 'filter'?"),
        (b"page=2", "use k, filter, next, collapse"),
        (b"collapse=0.4", "a cosine from 0.5 to 1"),
        (b"collapse=1.01", "a cosine from 0.5 to 1"),
        (b"collapse=nan", "a cosine from 0.5 to 1"),
        (b"collapse=", "a cosine from 0.5 to 1"),
        (b"next=zzz", "send `next` as the last answer gave it"),
        (b"k", "cannot be read"),
        (b"&".join([b"filter=a:b"] * 100), "cannot be read"),
    ],
)
def test_a_bad_url_is_refused_with_a_sentence(query, says):
    problem = refusal(paging_of, query)
    assert problem.status == 400
    assert says in problem.detail


def test_bytes_of_any_picture_type_are_a_picture():
    for kind in ("image/jpeg", "IMAGE/PNG; q=1", "application/octet-stream", "", "application/x-www-form-urlencoded"):
        assert question_of(kind, b"bytes") == Picture(b"bytes")


def test_json_asks_by_item_or_by_vector():
    assert question_of("application/json; charset=utf-8", b'{"item": "a/1"}') == Item("a/1")
    assert question_of("application/json", b'{"vector": [1, 2.5]}') == Vector([1.0, 2.5])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "cannot be used"),
        (b"{", "cannot be used"),
        (b"[]", "cannot be used"),
        (b"{}", "say either"),
        (b'{"item": "a", "vector": [1]}', "say either"),
        (b'{"item": ""}', "1 to 512"),
        (b'{"item": 7}', "cannot be used"),
        (b'{"items": "a"}', "cannot be used"),
        (b'{"vector": [NaN]}', "cannot be used"),
        (b'{"vector": [1e999]}', ""),
        (b'{"vector": ["1"]}', "cannot be used"),
        (b'{"vector": "AAAA"}', "cannot be used"),
        (b"\xff\xfe", "cannot be used"),
        (b"[" * 100_000, "cannot be used"),
    ],
)
def test_bad_json_is_refused_with_a_sentence(body, says):
    problem = refusal(question_of, "application/json", body)
    assert problem.status == 400
    assert says in problem.detail


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "text/csv", "application/pdf", "video/mp4"])
def test_what_is_no_picture_is_refused_by_its_type(kind):
    assert refusal(question_of, kind, b"<svg/>").status == 415


@given(st.binary(max_size=3000))
def test_a_form_gives_back_the_bytes_of_its_image(data):
    body = form(('form-data; name="note"', b"hello"), ('form-data; name="image"; filename="a.png"', data))
    if b"\r\n--xyz" not in data:
        assert question_of(FORM, body) == Picture(data)


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("multipart/form-data", form(('form-data; name="image"', b"x")), "no boundary"),
        (FORM, form(('form-data; name="photo"', b"x")), "no part named `image`"),
        (FORM, form(('form-data; name="image"', b"x"), end=False), "ends too early"),
        (FORM, b"", "ends too early"),
        (FORM, b"--abc\r\n\r\n", "cannot be read"),
    ],
)
def test_a_bad_form_is_refused_with_a_sentence(kind, body, says):
    problem = refusal(question_of, kind, body)
    assert problem.status == 400
    assert says in problem.detail


def status_of(call, *arguments):
    try:
        call(*arguments)
    except Refused as refused:
        return refused.status
    return 200


@given(st.text(max_size=60), st.binary(max_size=200))
def test_whatever_is_sent_is_a_question_or_a_refusal(kind, body):
    assert status_of(question_of, kind, body) in (200, 400, 415)


@given(st.text(max_size=60), st.binary(max_size=200))
def test_whatever_form_is_sent_is_a_picture_or_a_refusal(disposition, body):
    whole = b"--xyz\r\ncontent-disposition: " + disposition.encode() + b"\r\n\r\n" + body
    assert status_of(question_of, FORM, whole) in (200, 400)


@given(st.binary(max_size=200))
def test_whatever_stands_in_the_url_is_read_or_refused(query):
    assert status_of(paging_of, query) in (200, 400)


def test_a_problem_is_json_with_title_status_and_detail():
    said = json.loads(Refused(413, "too much").to_json("r1"))
    assert said == {"type": "about:blank", "title": said["title"], "status": 413, "detail": "too much", "request_id": "r1"}
