"""Who may ask, and what needs the token."""

import asyncio

import pytest
from dashboard_calls import TOKEN, Platform, call
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from lykeion.dashboard.app import ROUTES
from lykeion.dashboard.pages import PAGES
from lykeion.dashboard.security import Guard, host_name, refusal

LOCAL = {"host": "localhost:8470"}


def status(method: str, path: str, headers: dict[str, str], hosts: tuple[str, ...] = ()) -> int:
    refused = refusal(method, path, headers, hosts=hosts, token=TOKEN)
    return refused.status if refused else 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST:80", 200),
        ("127.0.0.1:8470", 200),
        ("[::1]:8470", 200),
        ("[::1]", 200),
        ("", 421),
        ("evil.test", 421),
        ("localhost.evil.test", 421),
        ("evil.test:8470", 421),
        ("127.0.0.1.evil.test:8470", 421),
        ("127.0.0.2", 421),
        ("[::2]:1", 421),
        ("[", 421),
    ],
)
def test_a_name_that_somebody_pointed_at_this_machine_is_refused(host: str, expected: int) -> None:
    assert status("GET", "/", {"host": host}) == expected


def test_a_name_can_be_allowed() -> None:
    assert status("GET", "/", {"host": "lab.example:443"}, ("Lab.Example",)) == 200
    assert status("GET", "/", {}) == 421


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://lab.example", 200),
        ("http://Lab.example", 200),
        ("https://lab.example:9999", 403),  # another port may be another user's
        ("https://x.lab.example", 403),
        ("https://lab.example:8443", 403),
        ("https://shop.example:8443", 200),
        ("https://shop.example", 403),
        ("http://127.0.0.1:8470", 200),
    ],
)
def test_pages_may_come_from_a_name_that_was_given_at_its_own_port(origin: str, expected: int) -> None:
    headers = {"host": "127.0.0.1:8470", "origin": origin}
    assert status("POST", "/v1/search/photos", headers, ("lab.example", "shop.example:8443")) == expected


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 401),
        ({"origin": "http://localhost:8470"}, 401),
        ({"origin": "http://LOCALHOST:8470"}, 401),
        ({"x-lykeion-token": TOKEN}, 200),
        ({"x-lykeion-token": TOKEN, "origin": "http://localhost:8470"}, 200),
        ({"x-lykeion-token": TOKEN, "origin": "http://LOCALHOST:8470"}, 200),
        ({"x-lykeion-token": TOKEN, "origin": "https://localhost:8470"}, 200),
        ({"x-lykeion-token": TOKEN, "origin": "http://evil.test"}, 403),
        ({"x-lykeion-token": TOKEN[:-1]}, 401),
        ({"x-lykeion-token": TOKEN + "x"}, 401),
        ({"cookie": f"lykeion-token={TOKEN}"}, 401),
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://localhost:8470.evil.test"}, 403),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Bearer ü€"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.test"}, 403),
    ],
)
def test_writing_needs_the_token_whatever_else_is_said(method: str, headers: dict[str, str], expected: int) -> None:
    assert status(method, "/api/v1/trainings", LOCAL | headers) == expected


def test_an_empty_token_lets_nobody_in() -> None:
    for shown in ({}, {"x-lykeion-token": ""}, {"authorization": "Bearer "}):
        assert refusal("GET", "/metrics", LOCAL | shown, hosts=(), token="") is not None


OPEN = {
    *PAGES,
    "/static",
    "/v1/search",
    "/v1/search/",
    "/v1/search/{family}",
    "/v1/pictures/{digest}",
    "/api/v1/pictures",
    "/healthz",
    "/readyz",
    "/openapi.json",
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_without_the_token_all_that_the_port_answers_is_closed_but_search_and_empty_pages(route: Route | Mount) -> None:
    """Over every route there is, so that a new one is closed, or named here. An Origin opens nothing: anybody can write one."""
    path = route.path.replace(":path", "")
    for method in getattr(route, "methods", {"GET"}):
        is_open = path in OPEN and (method in ("GET", "HEAD") or path == "/v1/search/{family}")
        for origin in ({}, {"origin": "http://localhost:8470"}):
            assert status(method, path, LOCAL | origin) == (200 if is_open else 401), (method, path)
            assert status(method, path, LOCAL | origin | {"x-lykeion-token": TOKEN}) == 200


@given(
    st.sampled_from(["/api/v1/trainings", "/api/v1/watch", "/api/v1/pictures/x", "/api/", "/metrics", "/metrics/"]), st.text(max_size=60)
)
def test_no_text_but_the_token_opens_what_is_closed(path: str, shown: str) -> None:
    assert status("GET", path, LOCAL | {"x-lykeion-token": shown}) == (200 if shown == TOKEN else 401)


def test_what_is_behind_the_port_does_not_learn_the_token() -> None:
    seen: list[bytes] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(name for name, _ in scope["headers"])
        await Response()(scope, receive, send)

    asyncio.run(call(Guard(behind, (), TOKEN), "/metrics", headers={"authorization": f"Bearer {TOKEN}", "accept": "x"}))
    assert b"accept" in seen
    assert not {b"authorization", b"x-lykeion-token"} & set(seen)


def test_a_search_changes_nothing_and_needs_neither_but_not_from_a_strangers_page() -> None:
    assert status("POST", "/v1/search/photos", LOCAL) == 200
    assert status("POST", "/v1/search/photos", LOCAL | {"origin": "http://evil.test"}) == 403
    assert status("POST", "/v1/searching", LOCAL) == 401


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=30), st.integers(1, 65535))
def test_a_ports_number_is_no_part_of_a_name(name: str, port: int) -> None:
    assert host_name(f"{name}:{port}") == host_name(f"{name}:80") == name.rsplit(":", 1)[0]


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_a_stranger_says_he_is_not_let_in(host: str, origin: str) -> None:
    assert status("GET", "/", {"host": host + ".x"}) == 421
    assert status("POST", "/api/v1/x", LOCAL | {"origin": "http://x." + origin}) == 403


def test_every_answer_tells_the_browser_what_its_page_may_do(platform: Platform) -> None:
    for path in ("/", "/trainings/x", "/api/v1/trainings", "/nowhere", "/static/lykeion.css"):
        answer = platform.ask(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert policy["frame-ancestors"] == "'none'"
    assert platform.ask("/", headers={"host": "evil.test"}).headers["content-security-policy"]


def test_a_refused_reader_is_told_how_to_open_the_page(platform: Platform) -> None:
    answer = platform.ask("/api/v1/trainings", headers={"x-lykeion-token": ""})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "lykeion open" in answer.json["detail"]
    assert platform.ask("/api/v1/trainings").status == 200


def test_a_refused_write_says_what_to_do(platform: Platform) -> None:
    answer = platform.ask("/api/v1/trainings/x:cancel", "POST", headers={"x-lykeion-token": ""})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "token" in answer.json["detail"]
    assert (
        platform.ask("/api/v1/trainings/x:cancel", "POST", headers={"x-lykeion-token": "", "authorization": f"Bearer {TOKEN}"}).status
        == 404
    )


def test_the_description_says_what_needs_the_token(platform: Platform) -> None:
    paths = platform.ask("/openapi.json").json["paths"]
    assert "security" not in paths["/v1/search/"]["get"]
    assert "security" not in paths["/api/v1/pictures"]["get"]
    assert paths["/metrics"]["get"]["security"] == paths["/api/v1/{plural}"]["post"]["security"] == [{"token": []}]


def test_a_request_with_two_hosts_is_refused():
    answers = []

    async def never(*_: object) -> None:
        raise AssertionError

    async def send(message: dict) -> None:
        answers.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/healthz", "query_string": b"",
        "headers": [(b"host", b"evil.example"), (b"host", b"127.0.0.1")],
    }  # fmt: skip
    asyncio.run(Guard(never, (), "token")(scope, never, send))
    assert answers[0]["status"] == 400
