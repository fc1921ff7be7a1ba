"""Who may ask, and who may write."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dashboard_calls import TOKEN, Platform
from hypothesis import given
from hypothesis import strategies as st

from lykeion.dashboard.security import host_name, refusal, token_of

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


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 401),
        ({"origin": "http://localhost:8470"}, 200),
        ({"origin": "http://LOCALHOST:8470"}, 200),
        ({"origin": "https://localhost:8470"}, 200),
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://localhost"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://localhost:8470.evil.test"}, 403),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Bearer ü€"}, 401),
        ({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.test"}, 403),
    ],
)
def test_writing_needs_our_own_page_or_the_token(method: str, headers: dict[str, str], expected: int) -> None:
    assert status(method, "/api/v1/trainings", LOCAL | headers) == expected


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


def test_a_refused_write_says_what_to_do(platform: Platform) -> None:
    answer = platform.ask("/api/v1/trainings/x:cancel", "POST", headers={"origin": ""})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "token" in answer.json["detail"]
    assert platform.ask("/api/v1/trainings/x:cancel", "POST", headers={"origin": "", "authorization": f"Bearer {TOKEN}"}).status == 404


def test_the_token_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        found = set(pool.map(lambda _: token_of(tmp_path), range(20)))
    (token,) = found
    assert len(token) >= 32
    assert stat.S_IMODE(os.stat(tmp_path / "token").st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_token_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("mine\n")
    assert token_of(tmp_path) == "mine"
