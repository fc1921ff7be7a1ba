"""The process behind the platform's port: one per home, started again when it ends, gone with its keeper."""

import os
import signal
import socket
import sys
import urllib.request
from contextlib import closing

import pytest

from lykeion.adapters.local.front import Front, running_at
from lykeion.adapters.local.home import Home
from lykeion.errors import Invalid, Unavailable

ANSWERING = """
import os, signal, socket, sys
listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    taken, _ = listener.accept()
    with taken:
        taken.recv(65536)
        body = str(os.getpid()).encode()
        taken.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
"""


@pytest.fixture
def place(tmp_path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def front(place):
    made = Front(place, 0, [sys.executable, "-c", ANSWERING])
    yield made
    made.close()


def answer(front: Front) -> int:
    """The process id of who answers."""
    with urllib.request.urlopen(front.url, timeout=20) as response:
        return int(response.read())


def test_the_port_is_open_from_the_first_moment_and_requests_wait_for_the_process(front):
    front.keep()
    assert answer(front) > 0


def test_others_learn_where_it_is_from_the_lock_while_it_is_held(front, place):
    assert running_at(place) == front.url
    front.close()
    assert running_at(place) is None


def test_a_home_is_up_once(front, place):
    with pytest.raises(Unavailable, match=f"is up already, at {front.url}"):
        Front(place, 0, ["true"])


def test_who_comes_too_late_for_the_lock_leaves_no_port_open(front, place, monkeypatch):
    monkeypatch.setattr("lykeion.adapters.local.front.running_at", lambda home: None)  # both looked before either took it
    opened = []
    create = socket.create_server
    monkeypatch.setattr(socket, "create_server", lambda *given, **how: opened.append(create(*given, **how)) or opened[-1])
    with pytest.raises(Unavailable):
        Front(place, 0, ["true"])
    assert [one.fileno() for one in opened] == [-1]


def test_a_port_that_is_taken_is_said_with_the_way_out_and_leaves_the_home_free(place):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, pytest.raises(Unavailable, match="choose another with --port"):
        Front(place, taken.getsockname()[1], ["true"])
    assert running_at(place) is None


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_what_is_no_port_is_a_mistake(place, port):
    with pytest.raises(Invalid, match="65535"):
        Front(place, port, ["true"])


def test_a_process_that_ends_is_started_again_behind_the_same_port(front, until):
    front.keep()
    first = answer(front)
    os.kill(first, signal.SIGKILL)
    until(lambda: front.kept.process is None or front.kept.process.poll() is not None)
    until(lambda: (front.keep(), front.kept.process is not None and front.kept.process.poll() is None)[1])
    assert answer(front) != first


def test_a_process_that_ends_again_and_again_is_started_ever_more_seldom(place, until):
    front = Front(place, 0, [sys.executable, "-c", "raise SystemExit(3)"])
    try:
        pauses = []
        for _ in range(3):
            until(lambda: (front.keep(), front.kept.process)[1] is not None)
            until(lambda: front.kept.process.poll() is not None)
            front.keep()
            assert front.kept.process is None
            pauses.append(front.kept.crashes.pause)
        assert pauses == [0.2, 0.4, 0.8]
        assert front.kept.crashes.reason == "CrashLoopBackOff"
    finally:
        front.close()


def test_what_it_prints_is_kept_as_a_log(place, until):
    front = Front(place, 0, [sys.executable, "-c", "print('I am here', flush=True)"])
    try:
        front.keep()
        until(lambda: "I am here" in (place.logs / "services" / "gateway-0.log").read_text())
    finally:
        front.close()


def test_closing_ends_the_process_and_frees_the_port(front):
    front.keep()
    answer(front)
    port = front.listener.getsockname()[1]
    process = front.kept.process
    front.close()
    assert process.poll() is not None
    socket.create_server(("127.0.0.1", port)).close()


def test_no_room_for_its_log_delays_its_start(front, place, until):
    place.logs.rmdir()
    place.logs.write_text("a file in the way")
    front.keep()
    assert front.kept.process is None
    place.logs.unlink()
    until(lambda: (front.keep(), front.kept.process is not None)[1])
    assert answer(front) > 0
