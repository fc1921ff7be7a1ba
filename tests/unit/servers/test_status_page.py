"""The small HTTP of a supervisor."""

import selectors
import socket
import threading
from contextlib import ExitStack

import pytest

from lykeion.servers import status_page
from lykeion.servers.status_page import MOST_CONNECTIONS, StatusPage, respond
from lykeion.testing.servers import ask, until

LARGE = b"x" * 4_000_000


def answer(path):
    if path == "/large":
        return 200, "text/plain", LARGE
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
            made.forget_the_silent()

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


def test_a_head_without_end_is_not_read_to_its_end(page):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(page.path))
        client.settimeout(5)
        client.sendall(b"GET /" + b"a" * 20_000)
        assert client.recv(4096).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert ask(page.path, "/healthz").status == 200


def test_many_that_begin_and_say_no_more_keep_nobody_else_out(page):
    with ExitStack() as stack:
        for place in range(3 * MOST_CONNECTIONS):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(page.path))
            client.sendall([b"", b"GET /heal"][place % 2])
        assert ask(page.path, "/healthz").status == 200
        until(lambda: len(page.connections) <= MOST_CONNECTIONS)


def test_who_does_not_take_his_answer_keeps_nobody_else_waiting(page):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(page.path))
        client.settimeout(5)
        client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        assert client.recv(8) == b"HTTP/1.1"
        assert ask(page.path, "/healthz").status == 200
        heard = b""
        while piece := client.recv(1 << 16):
            heard += piece
        assert heard.endswith(LARGE)


def test_who_begins_and_says_no_more_is_told_and_let_go(page, monkeypatch):
    monkeypatch.setattr(status_page, "LONGEST_WAIT", 0.1)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(page.path))
        client.settimeout(5)
        client.sendall(b"GET /heal")
        assert client.recv(4096).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert client.recv(4096) == b""


def test_a_method_that_is_not_answered_is_told_which_are_and_a_head_has_no_body(page):
    assert ask(page.path, "/healthz", "POST").headers["allow"] == "GET, HEAD"
    head = ask(page.path, "/healthz", "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "8")


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
