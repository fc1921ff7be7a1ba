"""The small HTTP of a supervisor."""

import selectors
import socket
import threading

import pytest

from lykeion.servers.status_page import StatusPage, respond
from lykeion.testing.servers import ask


def answer(path):
    return (200, "text/plain", path.encode()) if path == "/healthz" else (404, "text/plain", b"?")


@pytest.fixture
def page(tmp_path):
    """Answers in a thread until the test is over."""
    selector = selectors.PollSelector()
    made = StatusPage(tmp_path / "s", selector, answer)
    over = threading.Event()

    def loop():
        while not over.is_set():
            for key, _ in selector.select(0.02):
                key.data()

    thread = threading.Thread(target=loop)
    thread.start()
    yield made
    over.set()
    thread.join()
    made.close()


def test_a_get_is_answered_whatever_its_query(page):
    assert ask(page.path, "/healthz?x=1").body == b"/healthz"
    assert ask(page.path, "/nothing").status == 404


def test_a_request_in_pieces_is_put_together(page):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(page.path))
        client.settimeout(5)
        client.sendall(b"GET /heal")
        assert ask(page.path, "/healthz").status == 200  # nobody waits for the slow one
        client.sendall(b"thz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_head_without_end_is_broken_off(page):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(page.path))
        client.settimeout(5)
        client.sendall(b"GET /" + b"a" * 20_000)
        with pytest.raises((ConnectionError, AssertionError)):
            assert client.recv(10) != b""
    assert ask(page.path, "/healthz").status == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", 200),
        (b"HEAD /healthz HTTP/1.0\r\n\r\n", 200),
        (b"POST /healthz HTTP/1.1\r\n\r\n", 405),
        (b"\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET  HTTP/1.1\r\n\r\n", 404),
        (b"\xff\xfe\x00 \x80 HTTP/1.1\r\n\r\n", 405),
    ],
)
def test_each_request_has_its_status(head, status):
    assert respond(head, answer)[0] == status


def test_a_socket_that_a_killed_process_left_is_taken_over(tmp_path):
    pages = [StatusPage(tmp_path / "s", selectors.PollSelector(), answer) for _ in range(2)]
    assert (tmp_path / "s").is_socket()
    for page in pages:
        page.close()
