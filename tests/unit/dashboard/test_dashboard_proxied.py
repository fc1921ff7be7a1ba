"""The port behind a proxy: below a prefix, by a public name, believing only the proxies that were named."""

import asyncio
from typing import Any
from urllib.parse import unquote

import pytest
from dashboard_calls import TOKEN, Platform
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from lykeion.dashboard.addresses import below, outside, root_path_of
from lykeion.dashboard.proxied import Proxied
from lykeion.errors import Invalid

PUBLIC = {
    "x-forwarded-host": "lab.example",
    "x-forwarded-proto": "https",
    "x-forwarded-prefix": "/lykeion",
    "x-forwarded-for": "203.0.113.9",
}
segments = st.lists(st.text("abcxyz019.-_~", min_size=1, max_size=6).filter(lambda one: one not in (".", "..")), max_size=3)


def seen(
    headers: dict[str, str], client: str = "127.0.0.1", path: str = "/x", root: str = "", proxies: tuple[str, ...] = (), raw: str = ""
) -> Scope:
    """What is behind is asked, when this was asked of the port."""
    asked: list[Any] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope)

    sent = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1:8470", **headers}.items()]
    scope = {
        "type": "http",
        "scheme": "http",
        "path": path,
        "raw_path": (raw or path).encode(),
        "headers": sent,
        "client": (client, 5),
        "root_path": "",
    }
    asyncio.run(Proxied(behind, outside((), root, proxies))(scope, None, None))  # type: ignore[arg-type]
    (found,) = asked
    return {**found, "headers": {name.decode(): value.decode() for name, value in found["headers"]}}


@pytest.mark.parametrize("proxies", [("127.0.0.1",), ("127.0.0.0/8",), ("10.0.0.1", "127.0.0.1")])
def test_a_named_proxy_is_believed(proxies: tuple[str, ...]) -> None:
    found = seen(PUBLIC, path="/lykeion/x", proxies=proxies)
    assert (found["headers"]["host"], found["scheme"], found["root_path"], found["path"]) == ("lab.example", "https", "/lykeion", "/x")
    assert found["client"][0] == "203.0.113.9"
    assert found["headers"]["x-forwarded-prefix"] == "/lykeion"


@pytest.mark.parametrize(("client", "proxies"), [("127.0.0.1", ()), ("127.0.0.1", ("10.0.0.1",)), ("::1", ("127.0.0.1",))])
def test_nobody_else_is_not_even_loopback(client: str, proxies: tuple[str, ...]) -> None:
    found = seen({**PUBLIC, "forwarded": "host=lab.example"}, client=client, proxies=proxies)
    assert found["headers"] == {"host": "127.0.0.1:8470"}
    assert (found["scheme"], found["root_path"], found["client"][0]) == ("http", "", client)


def test_of_several_proxies_the_nearest_is_believed() -> None:
    assert seen({"x-forwarded-host": "evil.test, lab.example"}, proxies=("127.0.0.1",))["headers"]["host"] == "lab.example"


@pytest.mark.parametrize("prefix", ["/a b", "/../x", "/<script>", "/ü", "javascript:x", "/a//b"])
def test_a_prefix_that_is_none_is_passed_over(prefix: str) -> None:
    assert seen({"x-forwarded-prefix": prefix}, proxies=("127.0.0.1",), root="/r")["root_path"] == "/r"
    assert seen({"x-forwarded-prefix": "//evil.test"}, proxies=("127.0.0.1",))["root_path"] == "/evil.test"  # not another host


@given(segments, segments)
def test_the_prefix_is_taken_away_once_wherever_it_was_left(prefix: list[str], rest: list[str]) -> None:
    root, path = root_path_of("/".join(prefix)), "/" + "/".join(rest)
    assert root is not None
    assert below(root + path, root) == path
    assert root_path_of(root + "/") == root
    found = seen({}, path=root + path, root=root)
    assert (found["path"], found["raw_path"].decode(), found["root_path"]) == (path, path, root)


@pytest.mark.parametrize(
    ("raw", "below_it"),
    [("/lykeion/my%2Fx", "/my%2Fx"), ("/my%2Fx", "/my%2Fx"), ("/l%79keion/x", "/x"), ("/lykeion", "/"), ("/lykeions", "/lykeions")],
)
def test_what_is_escaped_in_a_path_stays_so(raw: str, below_it: str) -> None:
    assert seen({}, path=unquote(raw), raw=raw, root="/lykeion")["raw_path"].decode() == below_it


@pytest.mark.parametrize("text", ["/a b", "https://x/y", "/a//b", "/../x", "/%61", "/a?b"])
def test_what_is_no_prefix_is_a_mistake(text: str) -> None:
    assert root_path_of(text) is None
    with pytest.raises(Invalid, match="--root-path"):
        outside((), text, ())


@pytest.mark.parametrize("name", ["https://lab.example", "lab.example/", "", "a b", "x:port", "*"])
def test_what_is_no_name_is_a_mistake(name: str) -> None:
    with pytest.raises(Invalid, match="--host"):
        outside((name,), "", ())


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Invalid) as wrong:
        outside(("lab.example", "a/b"), "/a b", ("127.0.0.1", "nginx", "10.0.0.1/8"))
    assert [one.value for one in wrong.value.problems] == ["a/b", "/a b", "nginx", "10.0.0.1/8"]


@pytest.mark.parametrize("path", ["/lykeion/", "/"])
@pytest.mark.parametrize("told", ["option", "header"])
def test_the_api_names_paths_below_the_prefix(platform: Platform, path: str, told: str) -> None:
    platform.hosts = frozenset({"lab.example"})
    headers = PUBLIC if told == "header" else {"host": "lab.example"}
    platform.root_path, platform.proxies = ("/lykeion", ()) if told == "option" else ("", ("127.0.0.1",))
    digest = "ab" * 32
    kept = platform.home / "cache" / "pictures" / "ab" / digest
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert platform.ask(f"{path}api/v1/pictures", headers=headers).json == {"pictures": [f"/lykeion/v1/pictures/{digest}"]}
    assert platform.ask(f"{path}openapi.json", headers=headers).json["servers"] == [{"url": "/lykeion"}]
    assert platform.ask(f"{path}static/lykeion.css", headers=headers).status == 200
    moved = platform.ask(f"{path}trainings/", headers=headers)
    assert (moved.status, moved.headers["location"].partition("://")[2]) == (307, "lab.example/lykeion/trainings")


def test_a_prefix_is_no_way_past_the_token(platform: Platform) -> None:
    platform.root_path = "/lykeion"
    for path in ("/lykeion/api/v1/trainings", "/api/v1/trainings", "/lykeion/metrics"):
        assert platform.ask(path, headers={"x-lykeion-token": ""}).status == 401
        assert platform.ask(path, headers={"x-lykeion-token": TOKEN}).status == 200


def test_a_name_that_a_proxy_says_must_have_been_given(platform: Platform) -> None:
    platform.proxies = ("127.0.0.1",)
    assert platform.ask("/healthz", headers={"x-forwarded-host": "evil.test"}).status == 421
