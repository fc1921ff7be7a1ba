"""Asks a process on its Unix socket whether it is ready, without ever waiting: one GET at a time, moved on by a selector."""

import json
import socket
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any

REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LONGEST_ANSWER = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process says of itself. `asked`: whether it answered at all."""

    ready: bool = False
    reason: str = ""
    addresses: tuple[str, ...] = ()
    acknowledged: dict[str, str] = field(default_factory=dict)
    asked: bool = False


class Canned:
    """What http.client reads a response from, once the bytes are there."""

    def __init__(self, received: bytes) -> None:
        self.received = received

    def makefile(self, *_: Any) -> BytesIO:
        return BytesIO(self.received)


class Probe:
    """One request. `advance` when the socket may be read or written, until it gives an answer."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.path = path
        self.unsent = REQUEST
        self.received = b""

    def begin(self) -> Answer | None:
        """Connect and send; an answer already where nobody listens."""
        try:
            self.socket.connect(str(self.path))
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except OSError as wrong:  # a Unix socket connects at once, or not: its queue may be full
            return Answer(reason=f"does not listen: {wrong.strerror}")
        return None

    def advance(self) -> Answer | None:
        """Read what there is; the answer when it is whole."""
        try:
            while piece := self.socket.recv(65536):
                self.received += piece
                if len(self.received) > LONGEST_ANSWER:
                    return Answer(reason="answers /readyz with more than 4 MiB")
                if is_whole(self.received):
                    break
        except BlockingIOError:
            return None
        except OSError as wrong:
            return Answer(reason=f"broke off: {wrong.strerror}")
        return parse(self.received)

    def close(self) -> None:
        self.socket.close()


def is_whole(received: bytes) -> bool:
    """Whether a response that says its length is all there (others end with the connection)."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False


def parse(received: bytes) -> Answer:
    """The bytes of an HTTP response -> the answer: ready is status 200 and no `"ready": false`."""
    try:
        response = HTTPResponse(Canned(received))  # type: ignore[arg-type]  # it only calls makefile
        response.begin()
        body = response.read()
    except (HTTPException, ValueError, OSError) as wrong:
        return Answer(reason=f"answers /readyz with no HTTP: {type(wrong).__name__}")
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    ready = response.status == 200 and said.get("ready", True) is True
    addresses = said.get("addresses")
    acknowledged = said.get("acknowledged")
    return Answer(
        ready=ready,
        reason=str(said.get("reason") or ("" if ready else f"answers /readyz with {response.status}")),
        addresses=tuple(map(str, addresses)) if isinstance(addresses, list) else (),
        acknowledged={str(name): str(digest) for name, digest in acknowledged.items()} if isinstance(acknowledged, dict) else {},
        asked=True,
    )
