"""The gateway: HTTP comes in on one port, and goes by prefix and weight to the workers that are ready now, over Unix sockets.

It follows the table of routes, a file that is replaced as a whole. A request is never tied to the table that it came in under: where
its worker has vanished it goes to another one, if it was not sent yet or does nothing but read.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from yarl import URL

from lykeion.servers.bounds import LARGEST_BODY
from lykeion.servers.gateway_routes import Route, candidates, match, parse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PIECE = 128 << 10  # bytes that are written at once
KEPT_BODY = 8 << 20  # bytes of a request that are held, so that it can be sent again
WHOLE_ANSWER = 1 << 20  # answers up to this many bytes are read before they are passed on: a worker's death in between stays unseen
PATIENCE = 3.0  # seconds for the table to name another worker after one vanished
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
NOT_SENT = HOP_BY_HOP | {b"expect"}  # who sent it has had his "100 Continue" from us
NOT_RETURNED = HOP_BY_HOP | {b"server", b"date"}


class Vanished(Exception):
    """The worker went away. `sent`: it may have seen the request."""

    def __init__(self, sent: bool) -> None:
        self.sent = sent


class TooLarge(Exception):
    """The request's body is larger than anything behind the gateway takes."""


class CallerGone(Exception):
    """Nobody waits for the answer any more."""


@dataclass(slots=True)
class Table:
    """The table of routes as it is on disk now. A file that cannot be read leaves the last good one in force."""

    path: Path
    routes: tuple[Route, ...] = ()
    seen: tuple[int, int, int] = (0, 0, 0)

    def current(self) -> tuple[Route, ...]:
        try:
            found = self.path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp != self.seen:
                self.routes, self.seen = parse(json.loads(self.path.read_bytes())), stamp
        except (OSError, ValueError):
            return self.routes
        return self.routes


class Numbers:
    """What the gateway counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("lykeion_gateway_requests", "Requests answered.", ["route", "code"], registry=self.registry)
        self.seconds = Histogram("lykeion_gateway_request_seconds", "From head to last byte.", ["route"], registry=self.registry)
        self.retries = Counter("lykeion_gateway_retries", "Requests sent to another worker.", ["route"], registry=self.registry)
        self.active = Gauge("lykeion_gateway_active_requests", "Requests under way.", registry=self.registry)

    @contextmanager
    def watching(self, route: str) -> Iterator[None]:
        started = time.perf_counter()
        self.active.inc()
        try:
            yield
        finally:
            self.active.dec()
            self.seconds.labels(route).observe(time.perf_counter() - started)


class Body:
    """A request's body: the first bytes are held and can be sent again, the rest passes through once."""

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.held = b""
        self.more = False
        self.begun = False  # what cannot be held has begun to pass
        self.fault: TooLarge | CallerGone | None = None  # why it ended early

    async def read(self) -> None:
        """Hold it all, or as much as may be held."""
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= KEPT_BODY:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise CallerGone
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
        self.held, self.more = b"".join(parts), more

    @property
    def again(self) -> bool:
        return not self.begun

    def data(self) -> bytes | AsyncIterator[bytes | memoryview]:
        if self.more:
            return self.stream()
        return self.held if len(self.held) <= PIECE else self.pieces()

    async def pieces(self) -> AsyncIterator[memoryview]:
        """What is held, in pieces that a socket takes at once."""
        view = memoryview(self.held)
        for start in range(0, len(view), PIECE):
            yield view[start : start + PIECE]

    async def stream(self) -> AsyncIterator[bytes]:
        self.begun = True
        size, more = len(self.held), True
        yield self.held
        while more:
            message = await self.receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
            if message["type"] == "http.disconnect":
                self.fault = CallerGone()
            elif size > LARGEST_BODY:
                self.fault = TooLarge()
            if self.fault is not None:
                raise self.fault
            yield message.get("body", b"")


@dataclass(slots=True)
class Peer:
    """Kept connections to one worker, and how many requests it has."""

    session: aiohttp.ClientSession
    busy: int = 0

    @asynccontextmanager
    async def request(self, method: str, url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        self.busy += 1
        try:
            async with self.session.request(method, URL(url, encoded=True), **options) as answer:
                yield answer
        finally:
            self.busy -= 1


def connect(address: str) -> aiohttp.ClientSession:
    """Idle connections are kept for less time than servers keep them, so that we are the first to close one."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path=address.removeprefix("unix:"), limit=0, keepalive_timeout=3.0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=2.0, sock_read=60.0),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


class Gateway:
    """An ASGI application over the table of routes at `table`.

    reads: prefixes under which every method only reads, so that a request may be sent twice (a search is a POST).
    """

    def __init__(self, table: Path, reads: tuple[str, ...] = ("/v1/search/",), patience: float = PATIENCE) -> None:
        self.table = Table(table)
        self.reads = reads
        self.patience = patience
        self.numbers = Numbers()
        self.turns: dict[str, int] = {}
        self.peers: dict[str, Peer] = {}
        self.closing: set[asyncio.Task[None]] = set()

    def route(self, path: str) -> Route | None:
        return match(self.table.current(), path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; 404 where no route takes it, 503 where no worker is ready, 502 and 504 as their names say."""
        route = self.route(scope["path"])
        if route is None:
            await refuse(send, 404, "Not found", f"Nothing answers at {scope['path']}.")
            return
        with self.numbers.watching(route.name):
            code = await self.forward(route, scope, receive, send)
        self.numbers.requests.labels(route.name, code).inc()

    async def forward(self, route: Route, scope: Scope, receive: Receive, send: Send) -> int:
        body = Body(receive)
        safe = scope["method"] in SAFE_METHODS or scope["path"].startswith(self.reads)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > LARGEST_BODY:
            return await too_large(send)
        try:
            await body.read()
            async for address in self.addresses(route):
                try:
                    return await self.attempt(address, scope, body, send)
                except Vanished as vanished:
                    if not body.again or (vanished.sent and not safe):
                        return await refuse(
                            send, 502, "Worker lost", "The worker ended while it had this request; it may have acted on it."
                        )
                    self.numbers.retries.labels(route.name).inc()
        except TooLarge:
            return await too_large(send)
        except CallerGone:
            return 499
        except TimeoutError:
            return await refuse(send, 504, "No answer in time", f"{route.name} took too long to answer.")
        detail = f"What answers at {route.prefix} is starting or being replaced; try again."
        return await refuse(send, 503, "Not ready", detail, (b"retry-after", b"1"))

    async def addresses(self, route: Route) -> AsyncIterator[str]:
        """Where to try, one after the other. When all have vanished the table is stale: what it names next is waited for."""
        turn = self.turns.get(route.name, 0)
        self.turns[route.name] = turn + 1
        tried: set[str] = set()
        until = time.monotonic() + self.patience
        current: Route | None = route
        while current is not None and current.ready:
            fresh = [address for address in candidates(current, turn) if address not in tried]
            for address in fresh:
                tried.add(address)
                yield address
            if time.monotonic() >= until:
                return
            if not fresh:
                await asyncio.sleep(0.05)
                tried.clear()  # a worker may have come back at the same address
            current = match(self.table.current(), route.prefix)

    async def attempt(self, address: str, scope: Scope, body: Body, send: Send) -> int:
        """One worker, one try. Once the first byte went to the client there is no other try."""
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        url = f"http://localhost{path.decode('latin-1')}" + (f"?{query.decode('latin-1')}" if query else "")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in NOT_SENT]
        if body.more:
            headers = [(name, value) for name, value in headers if name != "content-length"]
        begun = False
        try:
            async with self.peer(address).request(
                scope["method"], url, headers=headers, data=body.data() or None, allow_redirects=False
            ) as answer:
                kept = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in NOT_RETURNED]
                start = {"type": "http.response.start", "status": answer.status, "headers": kept}
                if (answer.content_length or WHOLE_ANSWER + 1) <= WHOLE_ANSWER or scope["method"] == "HEAD":
                    whole = await answer.read()
                    begun = True
                    await send(start)
                    await send({"type": "http.response.body", "body": whole})
                else:
                    begun = True
                    await send(start)
                    await pass_on(answer, body, send)
                return answer.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as gone:
            raise Vanished(sent=False) from gone
        except aiohttp.ServerTimeoutError as slow:
            raise TimeoutError from slow
        except aiohttp.ClientError as gone:
            if body.fault is not None and not begun:  # the client library says only that it could not send
                raise body.fault from gone
            if begun:  # the connection is ended instead of an answer that looks whole
                raise
            raise Vanished(sent=True) from gone

    def peer(self, address: str) -> "Peer":
        """The worker at an address. Those that the table forgot are let go when a new one is met."""
        found = self.peers.get(address)
        if found is None:
            self.let_go()
            found = self.peers[address] = Peer(connect(address))
        return found

    def let_go(self) -> None:
        named = {address for route in self.table.current() for target in route.targets for address in target.addresses}
        for address in [address for address, peer in self.peers.items() if address not in named and not peer.busy]:
            task = asyncio.ensure_future(self.peers.pop(address).session.close())
            self.closing.add(task)
            task.add_done_callback(self.closing.discard)

    async def fetch(self, address: str, path: str, seconds: float = 2.0) -> bytes | None:
        """A small GET of our own (a description, metrics) to a worker; None where it does not answer 200 in time."""
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.peer(address).request("GET", f"http://localhost{path}", timeout=aiohttp.ClientTimeout(total=seconds)) as answer:
                return await answer.read() if answer.status == 200 else None
        return None

    async def close(self) -> None:
        for peer in self.peers.values():
            await peer.session.close()
        self.peers.clear()
        await asyncio.gather(*self.closing)


async def pass_on(answer: aiohttp.ClientResponse, body: Body, send: Send) -> None:
    """The answer piece by piece, until it ends or the client is gone."""
    gone = asyncio.ensure_future(body.receive()) if not body.begun else None
    try:
        async for chunk in answer.content.iter_any():
            if gone is not None and gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        if gone is not None:
            gone.cancel()


async def refuse(send: Send, status: int, title: str, detail: str, *headers: tuple[bytes, bytes]) -> int:
    """Answer with a problem (RFC 9457)."""
    text = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
    kind = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(text)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": text})
    return status


async def too_large(send: Send) -> int:
    return await refuse(send, 413, "Too large", f"A request may have {LARGEST_BODY >> 20} MiB at most.", (b"connection", b"close"))
