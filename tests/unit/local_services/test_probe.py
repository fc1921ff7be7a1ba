"""What is read from an answer to /readyz, whatever was sent."""

import json
import socket
import threading
from pathlib import Path
from select import select
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.local.probe import Answer, Probe, is_whole, parse


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def said(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_ready_with_addresses_and_documents() -> None:
    answer = parse(response(said(ready=True, addresses=["unix:/a", "unix:/b"], acknowledged={"cover": "sha256:1"})))
    assert answer == Answer(True, "", ("unix:/a", "unix:/b"), {"cover": "sha256:1"}, asked=True)


def test_503_is_unready_with_its_reason() -> None:
    assert parse(response(said(ready=False, reason="loading"), "503 Service Unavailable")) == Answer(False, "loading", asked=True)


def test_200_that_says_it_is_not_ready_is_unready() -> None:
    assert not parse(response(said(ready=False))).ready


def test_an_empty_200_is_ready() -> None:
    assert parse(response(b"")).ready


def test_a_chunked_answer_is_read() -> None:
    body = said(ready=True, addresses=["unix:/x"])
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + f"{len(body):x}".encode() + b"\r\n" + body + b"\r\n0\r\n\r\n"
    assert parse(chunked).addresses == ("unix:/x",)


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b'{"addresses": 3, "acknowledged": []}', b"\xff\xfe"])
def test_a_body_that_says_nothing_is_no_error(body: bytes) -> None:
    answer = parse(response(body))
    assert (answer.ready, answer.addresses, answer.acknowledged) == (True, (), {})


@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise(received: bytes) -> None:
    parse(received)
    is_whole(received)


@given(st.integers(0, 200))
def test_an_answer_is_whole_when_its_last_byte_is_there(missing: int) -> None:
    whole = response(said(ready=True, reason="x" * 40), "200 OK", "X-Other: 1")
    received = whole[: max(0, len(whole) - missing)]
    assert is_whole(received) == (len(received) == len(whole))


def test_nobody_listens(tmp_path: Path) -> None:
    probe = Probe(tmp_path / "s")
    answer = probe.begin()
    probe.close()
    assert answer is not None
    assert (answer.ready, answer.asked) == (False, False)
    assert "No such file" in answer.reason


def test_an_answer_in_pieces_from_a_server_that_keeps_the_connection(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    text = response(said(ready=True, addresses=["unix:/x"]))
    read = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(text[:50])
        read.wait(5)
        client.sendall(text[50:])
        client.recv(1)
        client.close()

    server = threading.Thread(target=serve)
    server.start()
    probe = Probe(tmp_path / "s")
    assert probe.begin() is None
    assert probe.advance() is None or probe.received
    answer = None
    while answer is None:
        assert select([probe.socket], [], [], 5)[0]
        answer = probe.advance()
        read.set()
    probe.close()
    server.join()
    listener.close()
    assert answer.addresses == ("unix:/x",)
