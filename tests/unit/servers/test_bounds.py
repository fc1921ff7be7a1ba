"""What a connection may take of a server, over real sockets: the servers that uvicorn runs all speak through `Bounded`."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.servers.bounds import Bounded, Bounds, escaped
from lykeion.testing.servers import until

BOUNDS = Bounds(url=2000, head=4000, headers=20, body=100_000, head_time=0.4, body_pause=0.4, body_time=1.2, tick=0.05, connections=20)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\n"


async def echo(scope, receive, send):
    """Says what arrived; at `/early` before the body has, at `/never` not at all."""
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message.get("more_body", False)
    if scope["path"] == "/never":
        await receive()
        return
    said = {"path": scope["path"], "query": scope["query_string"].decode(), "size": size}
    text = b"x" * 30_000_000 if scope["path"] == "/large" else json.dumps(said).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text})


class Server(uvicorn.Server):
    """In a thread; counts the bytes that its connections read."""

    def __init__(self, bounds: Bounds) -> None:
        self.read = 0
        server = self

        class Counted(Bounded):
            def data_received(self, data: bytes) -> None:
                server.read += len(data)
                super().data_received(data)

        Counted.bounds = bounds
        super().__init__(uvicorn.Config(echo, http=Counted, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve(sockets=[self.listener])))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)

    def ask(self, *pieces: bytes) -> tuple[int, bytes]:
        """All that one connection is told until it ends. A caller that cannot go on sending reads what it was told."""
        with self.connect() as caller:
            try:
                for piece in pieces:
                    caller.sendall(piece)
            except ConnectionError:
                pass
            return answer_of(caller)


def answer_of(caller: socket.socket) -> tuple[int, bytes]:
    """Status and body; 0 where the connection ended without a word."""
    heard = b""
    try:
        while piece := caller.recv(1 << 16):
            heard += piece
    except ConnectionError:
        pass
    head, _, body = heard.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


@contextmanager
def serving(bounds: Bounds = BOUNDS) -> Iterator[Server]:
    server = Server(bounds)
    server.address = server.listener.getsockname()
    server.thread.start()
    until(lambda: server.started, 20)
    try:
        yield server
    finally:
        server.should_exit = True
        server.thread.join(30)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
CLOSE = b"connection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "says"),
    [
        (GET + CLOSE, 200, b'"size": 0'),
        (POST + b"content-length: 3\r\nconnection: close\r\n\r\nabc", 200, b'"size": 3'),
        (GET + b"a: " + b"b" * 5000, 431, b"20 headers with 3 KiB"),
        (GET + b"a: b\r\n" * 3000, 431, b"20 headers"),
        (GET + b"a:" + b" " * 6000, 431, b"20 headers"),
        (GET + b"a: b\r\n" * 20 + b"\r\n", 431, b"20 headers"),
        (GET + b"n" * 5000 + b": v\r\n\r\n", 431, b"20 headers"),
        (b"GET /" + b"a" * 2001 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414, b"the URL has more than"),
        (b"GET /" + b"a" * 100_000, 414, b"the URL has more than"),
        (b"\r\n" * 5000, 431, b"20 headers"),
        (POST + b"content-length: 100001\r\n\r\n", 413, b"at most"),
        (CHUNKED + chunks(b"a" * 60_000, b"a" * 60_000), 413, b"at most"),
        (CHUNKED + chunks(b"a") + b"1;" + b"x" * 600_000, 431, b"20 headers"),
        (CHUNKED + chunks(b"a") + b"0\r\n" + b"a: b\r\n" * 30, 431, b"20 headers"),
        (CHUNKED + chunks(b"a") + b"0\r\na: " + b"b" * 600_000, 431, b"20 headers"),
        (POST + b"content-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", 415, b"the content coding 'gzip' is not unpacked here"),
        (POST + b"content-encoding: br, gzip\r\ncontent-length: 1\r\n\r\nx", 415, b"'br, gzip'"),
        (POST + b"content-encoding: Identity\r\ncontent-length: 1\r\n" + CLOSE + b"x", 200, b'"size": 1'),
        (POST + b"transfer-encoding: gzip, chunked\r\n\r\n", 501, b"'gzip, chunked'"),
        (GET + b"upgrade: websocket\r\nconnection: upgrade\r\n\r\n", 200, b'"size": 0'),
        (b"nonsense\r\n\r\n", 400, b"this is not HTTP"),
        (POST + b"content-length: x\r\n\r\n", 400, b"this is not HTTP"),
        ("GÄT / HTTP/1.1\r\n\r\n".encode(), 400, b"this is not HTTP"),
    ],
)
def test_what_is_too_large_or_not_understood_is_told_as_such(server: Server, request_bytes: bytes, status: int, says: bytes) -> None:
    told, body = server.ask(request_bytes)
    assert (told, says in body) == (status, True), body
    if status != 200:
        assert json.loads(body)["status"] == status
        assert server.ask(*(request_bytes[at : at + 7] for at in range(0, len(request_bytes), 7)))[0] == status, "in pieces as at once"


def test_of_a_header_without_end_only_the_beginning_is_read(server: Server) -> None:
    before = server.read
    status, _ = server.ask(GET + b"a: ", *[b"b" * 100_000] * 2000)
    assert status in (431, 0), "0: the answer was lost since the caller went on sending"
    assert server.read - before < 4_000_000


@pytest.mark.parametrize(
    ("begun", "status", "says"),
    [
        (b"", 0, b""),
        (b"G", 408, b"the head of the request was not whole"),
        (GET, 408, b"the head of the request was not whole"),
        (b"\r\n", 0, b""),
        (POST + b"content-length: 5\r\n\r\nab", 408, b"nothing of the body came"),
        (CHUNKED + chunks(b"a"), 408, b"nothing of the body came"),
        (CHUNKED, 408, b"nothing of the body came"),
    ],
)
def test_who_begins_and_says_no_more_is_told_and_let_go(server: Server, begun: bytes, status: int, says: bytes) -> None:
    told, body = server.ask(begun)
    assert (told, says in body) == (status, True), body


@pytest.mark.parametrize(
    ("begun", "drop", "says"), [(GET, b"a", b"the head"), (b"", b"\r\n", b""), (CHUNKED, chunks(b"a"), b"the body was not whole")]
)
def test_drops_now_and_then_do_not_keep_a_connection(server: Server, begun: bytes, drop: bytes, says: bytes) -> None:
    with server.connect() as caller:
        caller.sendall(begun)
        caller.settimeout(0.1)
        heard = b""
        for _ in range(200):
            try:
                caller.sendall(drop)
                piece = caller.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            heard += piece
            if not piece:
                break
        else:
            pytest.fail("it was kept")
        assert says in heard


def test_a_kept_connection_is_let_go_when_it_is_idle_and_when_it_has_asked_often() -> None:
    with serving(Bounds(requests=3, tick=0.05)) as server:
        status, told = server.ask((GET + b"\r\n") * 5)
        assert (status, told.count(b'"size"')) == (200, 3)
        assert server.ask(GET + b"\r\n")[0] == 200, "and then it ends, being idle"


def test_many_that_begin_and_say_no_more_keep_nobody_else_out(server: Server) -> None:
    with ExitStack() as stack:
        half = [stack.enter_context(server.connect()) for _ in range(200)]
        for place, caller in enumerate(half):
            try:
                caller.sendall([b"", GET, POST + b"content-length: 9\r\n\r\n"][place % 3])
            except ConnectionError:
                continue
            if place % 20 == 19:
                assert server.ask(GET + CLOSE)[0] == 200
    assert server.ask(GET + CLOSE)[0] == 200


def test_where_all_are_busy_the_next_is_told_to_come_again() -> None:
    with serving(Bounds(connections=3, answer_pause=60, tick=0.05)) as server, ExitStack() as stack:
        busy = [stack.enter_context(server.connect()) for _ in range(3)]
        for caller in busy:
            caller.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert caller.recv(1)
        status, body = server.ask(GET + CLOSE)
        assert (status, b"all 3 connections are busy" in body) == (503, True)


def test_who_does_not_take_his_answer_is_let_go() -> None:
    with serving(Bounds(answer_pause=0.2, tick=0.05)) as server, server.connect() as caller:
        caller.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        assert caller.recv(1)
        until(lambda: not server.server_state.connections, 20, "the end of the connection")


def test_requests_sent_ahead_are_answered_in_order_and_not_without_end(server: Server) -> None:
    ahead = b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(10))
    _, told = server.ask(ahead + GET + CLOSE)
    assert [told.find(b'"/%d"' % number) for number in range(10)] == sorted(told.find(b'"/%d"' % number) for number in range(10))
    assert b'"/9"' in told
    before = server.read
    server.ask(*[b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 1000] * 100)
    assert server.read - before < 2_700_000
    assert server.ask(GET + CLOSE)[0] == 200


def test_a_bad_head_behind_a_request_that_is_not_answered_yet_cannot_be_told_and_ends_both(server: Server) -> None:
    assert server.ask(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n", GET + b"a: " + b"b" * 5000 + b"\r\n\r\n") == (0, b"")


def test_an_answer_that_came_before_the_body_does_not_keep_the_connection(server: Server) -> None:
    with server.connect() as caller:
        caller.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\nab")
        assert answer_of(caller)[0] == 200


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(min_codepoint=33, exclude_characters="#\x7f", exclude_categories=["Cs", "Cc"]), max_size=20), st.integers(1, 40)
)
def test_a_url_beyond_ascii_is_read_as_utf_8_however_it_is_cut(server: Server, text: str, cut: int) -> None:
    line = f"GET /v1/ö?filter={text} HTTP/1.1\r\nhost: x\r\nx-note: ".encode() + "naïve\r\n".encode() + CLOSE
    status, body = server.ask(line[:cut], line[cut:])
    assert status == 200
    assert json.loads(body) == {"path": "/v1/ö", "query": escaped(f"filter={text}".encode()).decode(), "size": 0}
