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
from pathlib import Path

LONGEST_HEAD = 8192
LONGEST_WAIT = 5.0
TITLES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Answer = tuple[int, str, bytes]  # status, media type, body


@dataclass(slots=True)
class Connection:
    socket: socket.socket
    since: float
    head: bytes = b""


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
            self.reply(connection)
        elif data and len(connection.head) <= LONGEST_HEAD:
            return
        self.forget(number)

    def reply(self, connection: Connection) -> None:
        status, kind, body = respond(connection.head, self.answer)
        head = f"HTTP/1.1 {status} {TITLES[status]}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        with suppress(OSError):  # who asked is gone
            connection.socket.settimeout(1.0)
            connection.socket.sendall(head.encode() + body)

    def forget(self, number: int) -> None:
        connection = self.connections.pop(number)
        self.selector.unregister(connection.socket)
        connection.socket.close()

    def forget_the_silent(self) -> None:
        """Connections that never asked."""
        too_old = time.monotonic() - LONGEST_WAIT
        for number in [number for number, connection in self.connections.items() if connection.since < too_old]:
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
        return 400, "text/plain", b"this is no HTTP request\n"
    if method not in (b"GET", b"HEAD"):
        return 405, "text/plain", b"only GET is answered here\n"
    return answer(target.split(b"?")[0].decode("latin-1"))


def listen(path: Path) -> socket.socket:
    """A Unix socket at `path`, in place of whatever a killed process left there."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(os.fspath(path))
    made.listen(1024)
    made.setblocking(False)
    return made
