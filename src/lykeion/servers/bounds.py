"""What a connection may take of a server: how large and how slow a request may be, and how many connections there are.

uvicorn's parser bounds neither the size of a head nor its time, so every server that uvicorn runs speaks through `Bounded`. What goes
too far is answered by a problem where an answer can still be given, and is not read on. Where connections run out, the one that has
kept us waiting longest gives way: who opens many and says nothing keeps nobody else out.

Two things about requests are decided here as well, being the same for all servers: bytes beyond ASCII in a URL mean UTF-8, as browsers
write it, and a body in a coding is refused, so that none is ever unpacked.
"""

import asyncio
import re
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lykeion.servers.problems import MEDIA_TYPE, Refused

LARGEST_BODY = 64 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sizes in bytes, times in seconds.

    head_time: from its first byte to its last. body_pause: between two pieces of a body. answer_pause: that an answer lies unread.
    queued: requests that are sent before the one before them is answered. passed_over, farewell: what is still read of a refused request,
    since a caller that cannot go on sending would not hear why.
    """

    url: int = 64 << 10
    head: int = 32 << 10
    headers: int = 100
    body: int = LARGEST_BODY
    head_time: float = 10.0
    body_pause: float = 20.0
    body_time: float = 300.0
    answer_pause: float = 60.0
    requests: int = 10_000
    queued: int = 16
    connections: int = 400
    passed_over: int = 1 << 20
    farewell: float = 2.0
    tick: float = 1.0


class Phase(Enum):
    """What the connection waits for: a request, the rest of its head, of its body; our answer; its end."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    END = auto()


class Bounded(HttpToolsProtocol):
    """One connection. `bounds`: of all connections of the class."""

    bounds = Bounds()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the class above
        super().connection_made(transport)
        self.phase = Phase.IDLE
        self.since = self.heard = self.loop.time()  # when the phase began; when a piece of the body came
        self.patience = self.bounds.head_time  # for the next request to begin
        self.unread_since: float | None = None  # the caller does not take what we send
        self.in_line = True  # the next byte belongs to the line with the URL
        self.unused = 0  # bytes that came since one of them meant something
        self.head_size = self.body_size = self.requests = 0
        self.refused: Refused | None = None
        self.clock = self.loop.call_later(self.bounds.tick, self.look)
        if len(self.connections) > self.bounds.connections:
            self.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.unused += len(data)
        if self.phase is Phase.END:
            if self.unused > self.bounds.passed_over:
                self.transport.abort()
            return
        if self.in_line:
            data = self.with_escapes(data)
        super().data_received(data)
        if self.unused > (self.bounds.url if self.in_line else self.bounds.head):  # what was refused just now counts anew
            self.refuse(self.too_long())

    def with_escapes(self, data: bytes) -> bytes:
        """With a URL in ASCII: the parser takes nothing else."""
        end = data.find(b"\n")
        line = data if end < 0 else data[: end + 1]
        if end >= 0:
            self.in_line, self.unused = False, len(data) - len(line)
        return data if line.isascii() else escaped(line) + data[len(line) :]

    def send_400_response(self, msg: str) -> None:
        """The parser's own refusals, and ours that were raised while it parsed."""
        self.refuse(self.refused or Refused(400, f"this is not HTTP as it is answered here: {msg}"))

    # What the parser finds

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self.bounds.queued:
            self.stop(Refused(429, f"at most {self.bounds.queued} requests may wait for the answer to the one before them"))
        self.enter(Phase.HEAD)
        self.head_size = self.body_size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.bounds.url:
            self.stop(self.too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the head, and of what may follow a body in chunks."""
        super().on_header(name, value)
        self.head_size += len(name) + len(value) + 4
        if self.head_size > self.bounds.head or len(self.headers) > self.bounds.headers:
            self.stop(Refused(431, self.too_many()))

    def on_headers_complete(self) -> None:
        for name, value in self.headers:
            if name == b"content-length" and int(value) > self.bounds.body:
                self.stop(too_large(self.bounds.body))
            if name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
                self.stop(Refused(415, f"a body in the content coding {shown(value)} is not unpacked here; send it as it is"))
            if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
                self.stop(Refused(501, f"the transfer coding {shown(value)} is not understood; only `chunked` is"))
        self.enter(Phase.BODY)
        self.unused = 0
        super().on_headers_complete()
        self.requests += 1
        if self.requests >= self.bounds.requests:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self.unused = 0
        self.heard = self.loop.time()
        self.body_size += len(body)
        if self.body_size > self.bounds.body:
            self.stop(too_large(self.bounds.body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.enter(Phase.IDLE if self.cycle.response_complete else Phase.ANSWER)
        self.in_line, self.unused = True, 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.patience = self.timeout_keep_alive
        if self.phase is Phase.ANSWER:
            self.enter(Phase.IDLE)

    # How long it may take

    def enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self.heard = self.loop.time()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread_since = None

    def look(self) -> None:
        """Now and then: has it taken too long?"""
        now = self.loop.time()
        self.clock = self.loop.call_later(self.bounds.tick, self.look)
        if self.transport.is_closing() and self.unread_since is None:
            self.unread_since = now  # it closes once the rest of the answer is taken
        if self.unread_since is not None and now > self.unread_since + self.bounds.answer_pause:
            self.transport.abort()
        elif self.phase is Phase.IDLE and now > self.since + self.patience:
            self.transport.close()
        elif self.phase is Phase.END and now > self.since + self.bounds.farewell:
            self.transport.abort()
        elif self.phase is Phase.HEAD and self.is_behind:
            self.since = now
        elif self.phase is Phase.HEAD and now > self.since + self.bounds.head_time:
            self.refuse(Refused(408, f"the head of the request was not whole after {self.bounds.head_time:g} seconds"))
        elif self.phase is Phase.BODY and self.flow.read_paused:
            self.heard = now  # it is we who do not read
        elif self.phase is Phase.BODY and now > self.heard + self.bounds.body_pause:
            self.refuse(Refused(408, f"nothing of the body came for {self.bounds.body_pause:g} seconds"))
        elif self.phase is Phase.BODY and now > self.since + self.bounds.body_time:
            self.refuse(Refused(408, f"the body was not whole after {self.bounds.body_time:g} seconds"))

    @property
    def is_behind(self) -> bool:
        """An earlier request of this connection is not answered yet."""
        earlier = self.phase is Phase.HEAD and self.cycle is not None and not self.cycle.response_complete
        return earlier or bool(self.pipeline)

    @property
    def waits(self) -> bool:
        """It is the caller who has to go on."""
        return self.phase is not Phase.ANSWER and not (self.is_behind or self.flow.read_paused or self.flow.write_paused)

    def make_room(self) -> None:
        idle = [one for one in self.connections if isinstance(one, Bounded) and one.waits]
        oldest = min(idle, key=lambda one: one.since)
        if oldest is self:
            self.refuse(Refused(503, f"all {self.bounds.connections} connections are busy; try again soon", retry_after=1))
        else:
            self.connections.discard(oldest)
            oldest.transport.abort()

    # How it is told

    def stop(self, refused: Refused) -> None:
        """Ends the parser's work; `send_400_response` follows."""
        self.refused = refused
        raise refused

    def too_long(self) -> Refused:
        if self.phase is Phase.HEAD and not self.headers and len(self.url) > self.bounds.url:
            return Refused(414, f"the URL has more than {self.bounds.url >> 10} KiB; send what is long in the body")
        return Refused(431, self.too_many())

    def too_many(self) -> str:
        return f"a request may have {self.bounds.headers} headers with {self.bounds.head >> 10} KiB together; leave out what is not needed"

    def refuse(self, refused: Refused) -> None:
        """Answer in place of the application, and read no more than it takes to be heard. Cut off where an answer has begun."""
        mine = self.cycle if self.phase is Phase.BODY else None
        if self.is_behind or self.transport.is_closing() or (mine is not None and mine.response_started):
            self.transport.abort()
            return
        if mine is not None:
            mine.disconnected = True
            mine.message_event.set()
        self.enter(Phase.END)
        self.unused = 0
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self.transport.write(answer_of(refused))
        self.transport.write_eof()


def answer_of(refused: Refused) -> bytes:
    """All of an answer that ends its connection."""
    body = refused.to_json()
    lines = [
        f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "connection: close",
        *(["accept-encoding: identity"] if refused.status == 415 else []),
        *([f"retry-after: {refused.retry_after}"] if refused.retry_after else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def too_large(most: int) -> Refused:
    return Refused(413, f"A request may have {most >> 20} MiB at most.")


def escaped(line: bytes) -> bytes:
    return re.sub(rb"[\x80-\xff]", lambda one: b"%%%02X" % one[0][0], line)


def shown(value: bytes) -> str:
    """A header's value as text, not all of it."""
    return repr(value[:40].decode("latin-1"))
