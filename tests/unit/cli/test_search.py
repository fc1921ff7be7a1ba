"""`lykeion search` asks the running platform; what it answers becomes ours, with the right exit code."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from lykeion.adapters.local.front import LOCK
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock
from lykeion.core.resources import API_VERSION, Metadata, SearchServing, Serving, ServingSpec, ServingStatus

ANSWER = {
    "request_id": "1",
    "items": [{"id": "a", "score": 0.5, "title": "[/] shoe", "category": "shoes", "price": 3.5, "status": "on_sale"}],
}


@contextmanager
def platform_that(home, answers):
    """A platform that is up, and answers each request by `answers(handler)`; yields what it was asked."""
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers["Content-Type"], body))
            answers(self)

        def log_message(self, *_) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server, Lock(Home.at(home).locks / LOCK, f"http://127.0.0.1:{server.server_port}"):
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def says(status: int, body: bytes, length: int | None = None, **headers: str):
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_a_photo_is_sent_as_it_is_and_the_answer_is_printed_as_it_came(cli, home, tmp_path):
    (tmp_path / "shoe.jpg").write_bytes(b"\xff\xd8 bytes")
    with platform_that(home, says(200, json.dumps(ANSWER).encode())) as asked:
        words = ("search", "my/photos", tmp_path / "shoe.jpg", "-k", "3", "--filter", "price:<5", "--filter", "status:a|b")
        assert cli(*words, "-o", "json").json == ANSWER
        told = cli(*words).out
    path, kind, body = asked[0]
    assert (kind, body) == ("application/octet-stream", b"\xff\xd8 bytes")
    assert urlsplit(path).path == "/v1/search/my%2Fphotos"
    assert parse_qs(urlsplit(path).query) == {"k": ["3"], "filter": ["price:<5", "status:a|b"]}
    assert "[/] shoe" in told


def test_what_shows_the_same_picture_becomes_one_where_that_is_asked_for(cli, home):
    with platform_that(home, says(200, json.dumps(ANSWER).encode())) as asked:
        cli("search", "photos", "--item", "a", "--collapse", "0.98")
        assert "a cosine from 0.5 to 1" in cli("search", "photos", "--item", "a", "--collapse", "much", code=2).err
    assert [parse_qs(urlsplit(path).query) for path, *_ in asked] == [{"k": ["10"], "collapse": ["0.98"]}]


def test_an_item_is_asked_for_in_json(cli, home):
    with platform_that(home, says(200, json.dumps({"items": []}).encode())) as asked:
        assert "nothing in this catalogue fits" in cli("search", "photos", "--item", "a").out
    assert asked[0][1:] == ("application/json", b'{"item": "a"}')


@pytest.mark.parametrize(
    ("status", "body", "code", "told"),
    [
        (404, b'{"detail": "there is no family photos"}', 3, "there is no family photos"),
        (422, b'{"detail": "k must be at least 1"}', 2, "k must be at least 1"),
        (503, b'{"detail": "no index server answers"}', 5, "no index server answers"),
        (502, b"<html>bad gateway", 5, "bad gateway"),
        (400, b'["a list"]', 2, "a list"),
        (400, b'{"title": "no detail"}', 2, "no detail"),
    ],
)
def test_problems_of_the_platform_become_sentences_and_codes(cli, home, status, body, code, told):
    with platform_that(home, says(status, body)):
        assert told in cli("search", "photos", "--item", "a", code=code).err


def test_a_family_that_is_only_starting_is_asked_again(cli, home, monkeypatch):
    monkeypatch.setattr("lykeion.cli.search.LOOK_EVERY", 0.0)
    answers = iter([says(503, b"{}", Retry_After="1")] * 2 + [says(200, json.dumps(ANSWER).encode())])
    with platform_that(home, lambda handler: next(answers)(handler)) as requests:
        assert cli("search", "photos", "--item", "a", "-o", "json").json == ANSWER
    assert len(requests) == 3


def test_a_family_that_does_not_start_in_time_is_unavailable(cli, home, monkeypatch):
    monkeypatch.setattr("lykeion.cli.search.PATIENCE", 0.0)
    with platform_that(home, says(503, b'{"detail": "it is starting"}', Retry_After="1")):
        assert "it is starting" in cli("search", "photos", "--item", "a", code=5).err


@pytest.fixture
def published(platform, tmp_path, monkeypatch):
    """A version of the model photos that is to be served, and nothing waits long for it."""
    monkeypatch.setattr("lykeion.cli.search.LOOK_EVERY", 0.0)
    (tmp_path / "index.json").write_text("{}")
    made = platform.repository.publish("photos", tmp_path, deploy={"serving": "photos", "track": "stable"})
    platform.repository.move_alias("photos", "stable", made.version)


def test_what_was_published_to_be_served_but_is_not_served_yet_is_waited_for(cli, home, published):
    answers = iter([says(404, b"{}"), says(200, json.dumps(ANSWER).encode())])
    with platform_that(home, lambda handler: next(answers)(handler)) as requests:
        assert cli("search", "photos", "--item", "a", "-o", "json").json == ANSWER
        assert len(requests) == 2


def begin_to_serve(platform):
    served = Serving(api_version=API_VERSION, metadata=Metadata(name="photos"), spec=ServingSpec(search=SearchServing(family="photos")))
    stored = platform.resources.create(served)
    platform.resources.write_status(stored.model_copy(update={"status": ServingStatus(url="/v1/search/photos")}))


def test_what_begins_to_be_served_right_after_it_was_refused_is_asked_again(cli, home, platform, published):
    def refuses_and_begins(handler):
        begin_to_serve(platform)
        says(404, b"{}")(handler)

    answers = iter([refuses_and_begins, says(200, json.dumps(ANSWER).encode())])
    with platform_that(home, lambda handler: next(answers)(handler)):
        assert cli("search", "photos", "--item", "a", "-o", "json").json == ANSWER


def test_an_item_that_a_served_family_does_not_have_is_not_waited_for(cli, home, platform, published):
    begin_to_serve(platform)
    with platform_that(home, says(404, b'{"detail": "there is no item a"}')) as requests:
        assert "there is no item a" in cli("search", "photos", "--item", "a", code=3).err
    assert len(requests) == 2


def test_one_that_has_begun_and_is_not_ready_is_not_asked_without_a_pause(cli, home, platform, published, monkeypatch):
    begin_to_serve(platform)
    pauses: list[float] = []
    monkeypatch.setattr("lykeion.cli.search.LOOK_EVERY", 0.01)
    monkeypatch.setattr("lykeion.cli.search.time.sleep", pauses.append)
    answers = iter([says(404, b"{}"), says(503, b"{}", Retry_After="1"), says(200, json.dumps(ANSWER).encode())])
    with platform_that(home, lambda handler: next(answers)(handler)):
        assert cli("search", "photos", "--item", "a", "-o", "json").json == ANSWER
    assert pauses == [0.0, 0.01]


@pytest.mark.parametrize(
    "answers",
    [
        says(200, b"no json"),
        says(200, b'{"items"', length=1000),
        lambda handler: handler.wfile.write(b"garbage\r\n\r\n"),
        lambda handler: None,
    ],
    ids=["no JSON", "cut off", "no HTTP", "nothing"],
)
def test_a_platform_that_breaks_off_is_unavailable(cli, home, answers):
    with platform_that(home, answers):
        told = cli("search", "photos", "--item", "a", code=5).err
    assert "does not answer" in told
    assert "lykeion logs photos" in told
