"""Whatever is asked is answered: with what was asked for, or with a problem (RFC 9457) that says what is wrong. Nothing is a bug."""

import json
from typing import Any

import pytest
from dashboard_calls import PIPELINE, Answer, Platform
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lykeion.errors import Conflict, Corrupt, Invalid, LykeionError, NotFound, Unavailable

V1 = "/api/v1"
STRANGER = {"host": "evil.test"}
OTHER_PAGE = {"origin": "http://evil.test"}
NO_PAGE = {"origin": "", "x-lykeion-token": ""}


def is_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= answer.json.keys()
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["detail"]
    assert "Traceback" not in answer.body.decode()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "says"),
    [
        ("GET", "/nowhere", {}, 404, ""),
        ("GET", f"{V1}/trainings/none", {}, 404, "none"),
        ("GET", f"{V1}/hats", {}, 404, "there are no hats; there are pipelines"),
        ("GET", f"{V1}/models/hats", {}, 404, "hats"),
        ("GET", f"{V1}/models/hats/versions/1", {}, 404, "hats"),
        ("GET", f"{V1}/trainings?limit=many", {}, 422, "no whole number"),
        ("GET", f"{V1}/trainings/p-1/logs/three", {}, 404, "it has one, two"),
        ("GET", f"{V1}/trainings/p-1/logs/one?tail=much", {}, 422, "no number of bytes"),
        ("GET", "/v1/pictures/xyz", {}, 422, ""),
        ("GET", "/v1/search/hats", {}, 404, "no family 'hats' is served here"),
        ("POST", "/v1/search/hats", {}, 404, "no family 'hats' is served here"),
        ("POST", f"{V1}/pipelines", {}, 422, ""),
        ("POST", f"{V1}/pipelines/none:run", {}, 404, "none"),
        ("POST", f"{V1}/trainings/p-2:cancel", {}, 409, "Succeeded"),
        ("PUT", f"{V1}/models/hats/aliases/stable", {}, 422, "say which version"),
        ("PATCH", f"{V1}/pipelines/p", {}, 405, ""),
        ("DELETE", f"{V1}/models", {}, 405, ""),
        ("GET", "/", STRANGER, 421, "evil.test"),
        ("DELETE", f"{V1}/pipelines/p", OTHER_PAGE, 403, "may not send requests here"),
        ("DELETE", f"{V1}/pipelines/p", NO_PAGE, 401, "Authorization: Bearer"),
        ("DELETE", f"{V1}/pipelines/p", {**NO_PAGE, "authorization": "Bearer guessed"}, 401, "This is not the token"),
    ],
)
def test_every_refusal_is_a_problem_with_its_status(
    platform: Platform, method: str, path: str, headers: dict[str, str], status: int, says: str
) -> None:
    platform.pipeline()
    platform.training("p-1")
    platform.training("p-2", phase="Succeeded")
    answer = platform.ask(path, method, headers=headers or None)
    is_problem(answer, status)
    assert says in answer.json["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 405:
        assert "GET" in answer.headers["allow"]
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", f"{V1}/pipelines", {"GET", "HEAD", "POST", "PUT"}),
        ("PATCH", f"{V1}/trainings/p-1", {"GET", "HEAD", "PUT", "DELETE"}),
        ("POST", f"{V1}/events", {"GET", "HEAD"}),
        ("PUT", f"{V1}/watch", {"GET", "HEAD"}),
        ("POST", f"{V1}/pictures", {"GET", "HEAD"}),
        ("DELETE", f"{V1}/models", {"GET", "HEAD"}),
        ("POST", f"{V1}/models/m/aliases/stable", {"PUT"}),
        ("GET", f"{V1}/pipelines/p:run", {"POST"}),
        ("PUT", f"{V1}/trainings/p-1:cancel", {"POST"}),
        ("POST", "/v1/search/", {"GET", "HEAD"}),
        ("DELETE", "/v1/search/hats", {"GET", "HEAD", "POST"}),
    ],
)
def test_a_method_that_is_not_answered_is_told_every_one_that_is(platform: Platform, method: str, path: str, allowed: set[str]) -> None:
    platform.pipeline()
    platform.training("p-1")
    answer = platform.ask(path, method)
    is_problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", f"{V1}/pipelines/p:run", {"parameters": {"size": 3}, "parameter": {}}, "parameter: there is no such field"),
        ("GET", f"{V1}/trainings/p-1/logs/one?follow=maybe", b"", "follow: 'maybe' is neither 1 nor 0"),
        ("GET", f"{V1}/events?kind=Hat", b"", "kind: there is no kind 'Hat' (the kinds are: Pipeline, Training, Serving)"),
        ("GET", f"{V1}/pictures?count=some", b"", "count: 'some' is no whole number"),
        ("PUT", f"{V1}/models/m/aliases/stable", {"version": 1, "rollback": True}, "say which version the alias shall name"),
        ("PUT", f"{V1}/models/m/aliases/stable", {"version": 1, "expected": "3"}, "expected: Input should be a valid integer"),
        ("PUT", f"{V1}/models/m/aliases/stable", {"version": 1, "expects": 3}, "expects: Extra inputs are not permitted"),
        ("PUT", f"{V1}/models/m/aliases/stable", {"version": 0, "reason": 3}, "reason: Input should be a valid string"),
        ("PUT", f"{V1}/models/m/aliases/stable", {"version": 0, "reason": 3}, "version: Input should be greater than or equal to 1"),
    ],
)
def test_what_is_asked_and_cannot_be_meant_is_refused_and_not_passed_over(
    platform: Platform, method: str, path: str, body: Any, says: str
) -> None:
    platform.pipeline()
    platform.training("p-1")
    answer = platform.ask(path, method, body)
    is_problem(answer, 422)
    assert says in answer.json["detail"]


@pytest.mark.parametrize("version", ["0", "-1", "9" * 5000])
def test_a_version_that_no_model_can_have_is_not_found(platform: Platform, version: str) -> None:
    is_problem(platform.ask(f"{V1}/models/m/versions/{version}"), 404)


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(("path", "root"), [("/nope", "./"), ("/nope/deeper", "../"), ("/trainings/a/b", "../../")])
def test_where_nothing_is_a_browser_is_shown_a_page_with_a_way_back_and_a_program_a_problem(
    platform: Platform, path: str, root: str
) -> None:
    page = platform.ask(path, headers=BROWSER)
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in page.body.decode()
    assert f'href="{root}"' in page.body.decode().partition("<main")[2]
    for accept in ("*/*", "application/json", ""):
        told = platform.ask(path, headers={"accept": accept})
        is_problem(told, 404)
        assert f"Nothing answers at {path}" in told.json["detail"]
        assert told.headers["vary"] == page.headers["vary"] == "accept"


def test_what_the_api_does_not_have_is_a_problem_in_a_browser_too(platform: Platform) -> None:
    is_problem(platform.ask(f"{V1}/trainings/none", headers=BROWSER), 404)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid("it is wrong"), 422),
        (NotFound("it is not there"), 404),
        (Conflict("somebody was first"), 409),
        (Unavailable("the disk is full"), 503),
        (Corrupt("the bytes are others"), 500),
        (LykeionError("it failed"), 500),
    ],
)
def test_our_errors_have_a_status_each_and_their_own_words(
    platform: Platform, error: LykeionError, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> Any:
        raise error

    monkeypatch.setattr(platform.resources, "list", fails)
    answer = platform.ask(f"{V1}/trainings")
    is_problem(answer, status)
    assert str(error) in answer.json["detail"]
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


DEEP = "[" * 100_000
ODD_TEXT = st.text(max_size=8) | st.sampled_from(["p", "p-1", "p:run", "..", "%00", "\ud800", "models", "a/b", "-1", "1e9", "𝟙"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | ODD_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(ODD_TEXT | st.sampled_from(["parameters", "size", "version"]), inner, max_size=4)
    ),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [
        f"{V1}/pipelines",
        f"{V1}/pipelines/p",
        f"{V1}/pipelines/p:run",
        f"{V1}/trainings/p-1",
        f"{V1}/trainings/p-1:rerun",
        f"{V1}/trainings/p-1/steps",
        f"{V1}/trainings/p-1/logs/one",
        f"{V1}/servings/s",
        f"{V1}/events",
        f"{V1}/models/m",
        f"{V1}/models/m/versions/99999999999999999999",
        f"{V1}/models/m/aliases/stable",
        f"{V1}/pictures",
        "/v1/search/",
        "/openapi.json",
    ]
)
QUERIES = st.dictionaries(st.sampled_from(["limit", "offset", "tail", "kind", "name", "count", "size"]), ODD_TEXT, max_size=3)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    PATHS,
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    QUERIES,
    JSON.map(json.dumps) | st.text(max_size=40) | st.binary(max_size=40),
)
@example(f"{V1}/pipelines/p:run", "POST", {}, DEEP)
@example(f"{V1}/pipelines", "POST", {}, DEEP)
@example(f"{V1}/models/m/aliases/stable", "PUT", {}, DEEP)
@example(f"{V1}/pipelines", "POST", {}, PIPELINE.replace("{name: p}", "{name: q}").replace("default: x", r'default: "\ud800"'))
@example(f"{V1}/pipelines", "POST", {}, PIPELINE.replace("{name: p}", "{name: q}").replace("default: x", r'default: "\0"'))
@example(f"{V1}/pipelines/p:run", "POST", {}, r'{"parameters": {"size": 3, "name": "\ud800"}}')
@example(f"{V1}/pipelines/p:run", "POST", {}, '{"parameters": {"size": ' + "9" * 5000 + "}}")
@example(f"{V1}/pipelines/p:run", "POST", {}, '{"parameters": {"size": 1e400}}')
@example(f"{V1}/pipelines/p:run", "POST", {}, '{"parameters": {"size": NaN}}')
def test_nothing_that_is_sent_is_answered_by_a_bug(
    platform: Platform, path: str, method: str, query: dict[str, str], body: str | bytes
) -> None:
    platform.pipeline()
    if not platform.resources.list("Training"):
        platform.training("p-1")
    words = "&".join(f"{name}={value}" for name, value in query.items()).encode("utf-8", "surrogatepass").decode("latin-1")
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    answer = platform.ask(
        f"{path}?{words}".encode("latin-1", "replace").decode("latin-1").encode("ascii", "replace").decode(), method, data
    )
    assert answer.status < 500, answer.body
    if answer.status >= 400 and method != "HEAD":
        is_problem(answer, answer.status)
