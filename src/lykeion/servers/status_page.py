"""The few small GETs that a supervisor answers on its Unix socket, in its own thread and without blocking it.

A supervisor forks, so it has one thread and no event loop that a child would inherit; this is all the HTTP it needs.
"""

import os
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

LONGEST_HEAD = 8192
LONGEST_WAIT = 5.0  # seconds for a request to come and for its answer to be taken
MOST_CONNECTIONS = 64  # then the one that has waited longest gives way
TEXT = "text/plain"

Answer = tuple[int, str, bytes]  # status, media type, body


@dataclass(slots=True)
class Connection:
    """`answer`: what is still to be written of it; None until the request is whole."""

    socket: socket.socket
    since: float
    head: bytes = b""
    answer: bytes | None = None


class StatusPage:
    """Listens at `path`; `answer` is asked for each path. Call `close` in forked children, `step` when `selector` says readable."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, answer: Callable[[str], Answer]) -> None:
        self.path, self.selector, self.answer = path, selector, answer
        self.connections: dict[int, Connection] = {}
        self.listener = listen(path)
        selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def accept(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            made, _ = self.listener.accept()
            made.setblocking(False)
            self.connections[made.fileno()] = Connection(made, time.monotonic())
            self.selector.register(made, selectors.EVENT_READ, lambda: self.read(made.fileno()))

    def read(self, number: int) -> None:
        connection = self.connections[number]
        try:
            data = connection.socket.recv(LONGEST_HEAD)
        except (BlockingIOError, ConnectionError):
            data = b""
        connection.head += data
        if b"\r\n\r\n" in connection.head:
            self.reply(number, respond(connection.head, self.answer))
        elif len(connection.head) > LONGEST_HEAD:
            self.reply(number, (431, TEXT, b"the head of a request has %d bytes at most here\n" % LONGEST_HEAD))
        elif not data:
            self.forget(number)

    def reply(self, number: int, answer: Answer) -> None:
        """Begin to write it; the rest follows when the socket takes more."""
        connection = self.connections[number]
        connection.answer = written(answer, has_body=not connection.head.startswith(b"HEAD "))
        self.selector.modify(connection.socket, selectors.EVENT_WRITE, lambda: self.write(number))
        self.write(number)

    def write(self, number: int) -> None:
        connection = self.connections[number]
        assert connection.answer is not None
        try:
            connection.answer = connection.answer[connection.socket.send(connection.answer) :]
        except BlockingIOError:
            return
        except OSError:  # who asked is gone
            connection.answer = b""
        if not connection.answer:
            self.forget(number)

    def forget(self, number: int) -> None:
        connection = self.connections.pop(number)
        self.selector.unregister(connection.socket)
        connection.socket.close()

    def forget_the_silent(self) -> None:
        """Connections that never asked or do not take their answer, and the oldest where there are too many. Not between two events."""
        too_old = time.monotonic() - LONGEST_WAIT
        too_many = len(self.connections) - MOST_CONNECTIONS
        for place, (number, connection) in enumerate(list(self.connections.items())):
            if place >= too_many and connection.since >= too_old:
                return  # oldest first
            if connection.head and connection.answer is None:
                with suppress(OSError):
                    connection.socket.send(written((408, TEXT, b"the head of the request did not come in time\n")))
            self.forget(number)

    def close(self) -> None:
        """The sockets, not the file: a child closes what it inherited."""
        for number in list(self.connections):
            self.forget(number)
        self.selector.unregister(self.listener)
        self.listener.close()


def respond(head: bytes, answer: Callable[[str], Answer]) -> Answer:
    method, _, rest = head.split(b"\r\n", 1)[0].partition(b" ")
    target, _, version = rest.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        return 400, TEXT, b"this is no HTTP request\n"
    if method not in (b"GET", b"HEAD"):
        return 405, TEXT, b"only GET is answered here\n"
    return answer(target.split(b"?")[0].decode("latin-1"))


def written(answer: Answer, has_body: bool = True) -> bytes:
    status, kind, body = answer
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        *(["allow: GET, HEAD"] if status == 405 else []),
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (body if has_body else b"")


def listen(path: Path) -> socket.socket:
    """A Unix socket at `path`, in place of whatever a killed process left there."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(os.fspath(path))
    made.listen(1024)
    made.setblocking(False)
    return made
