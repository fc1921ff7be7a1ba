"""The search proxy, an ASGI application: REST in, one gRPC call per index server out, one merged answer back.

Plain ASGI, since a vector query costs less than a framework would. Pictures are decoded and extracted in one thread, so that
other queries are answered meanwhile.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from lykeion.core.search.facets import together, told
from lykeion.core.search.merge import MOST_ITEMS
from lykeion.search.picture import PictureError
from lykeion.servers.answers import Gathered, first_depth, indexes_of, items_of, next_depth
from lykeion.servers.cover import Contents, Cover, Covers, Eyes
from lykeion.servers.index_client import BadRequest, IndexClient, Unanswered
from lykeion.servers.index_service import FACETS, NOT_HELD, unpacked
from lykeion.servers.openapi import describe
from lykeion.servers.problems import MEDIA_TYPE, Refused
from lykeion.servers.proxy_numbers import ProxyNumbers
from lykeion.servers.question import NO_PICTURE, Item, Like, Paging, Picture, Vector, paging_of, question_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 20_000_000
PASSED_OVER = 64 << 20  # bytes of a body too large that are read before it is refused: a client that still sends sees no answer
MOST_WAITING = 64  # pictures
DEADLINE = 1.0  # seconds for the index servers
LONGEST_ID = 128
SPOILT = {  # what a picture that cannot be used is answered with: status, and for a shopper what it is and what to do
    "empty": (400, "This file is empty", "Choose the photo again"),
    "too-large": (422, "This picture is too large", "Try a smaller one; 1000 pixels a side are plenty"),
    "unsupported": (415, NO_PICTURE, "Try a JPEG or PNG photo"),
    "damaged": (422, "This picture cannot be used", "Try another photo, or save it once more as JPEG or PNG"),
}


@dataclass(slots=True)
class Asked:
    """What is asked of the index servers. without: the item that the vectors are of."""

    vectors: bytes
    without: str | None = None


class Proxy:
    def __init__(
        self, family: str, covers: Covers, numbers: ProxyNumbers, most_bytes: int = MOST_BYTES, deadline: float = DEADLINE
    ) -> None:
        self.family, self.covers, self.numbers = family, covers, numbers
        self.most_bytes, self.deadline = most_bytes, deadline
        self.path = f"/v1/search/{family}"
        self.eyes_thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = request_id_of(headers)
        try:
            status, body, kind, extra = 200, await self.answer(scope, headers, receive, request_id, started), b"application/json", []
        except Refused as refused:
            status, body, kind, extra = refused.status, refused.to_json(request_id), MEDIA_TYPE.encode(), refused.headers
        self.numbers.answered(status, time.perf_counter() - started)
        size = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), size, *extra]})
        await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})

    async def answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, request_id: str, started: float) -> bytes:
        """The answer's JSON. Raises Refused."""
        path, method = scope["path"].rstrip("/"), scope["method"]
        if path in ("/openapi.json", f"{self.path}/openapi.json"):
            return msgspec.json.encode(describe(self.family))
        if path != self.path:
            raise Refused(404, f"there is no {scope['path']!r} here; search at {self.path}")
        if method in ("GET", "HEAD"):
            return msgspec.json.encode(await self.served())
        if method != "POST":
            detail = f"{method} is not answered here: POST a picture to search, GET to see what is served"
            raise Refused(405, detail, allow="GET, HEAD, POST")
        body = await self.body_of(headers, receive)
        paging = paging_of(scope["query_string"])
        like = question_of(headers.get(b"content-type", b"").decode("latin-1"), body)
        cover = self.cover()
        with cover.used():
            root = headers.get(b"x-forwarded-prefix", b"").decode("latin-1")  # of the gateway, which lets nobody else say it
            return msgspec.json.encode(await self.search(cover, like, paging, request_id, started, root))

    async def search(self, cover: Cover, like: Like, paging: Paging, request_id: str, started: float, root: str) -> dict[str, Any]:
        gathered = Gathered()
        asked = await self.asked(cover, like, gathered)
        if asked is not None:
            until = time.monotonic() + self.deadline
            deep: int | None = first_depth(paging, asked.without)
            while deep is not None:
                gathered.hits.clear()
                await all_of([self.ask(server, asked.vectors, cover.dimension, deep, paging, until, gathered) for server in cover.servers])
                deep = next_depth(gathered, paging, asked.without, deep)
        items, following = items_of(gathered, paging, asked.without if asked else None, root)
        if gathered.problems:
            self.numbers.partial()
        return {
            "request_id": request_id,
            "items": items,
            "partial": bool(gathered.problems),
            "indexes": indexes_of(cover.indexes, gathered.problems),
            "embedding": cover.embedding,
            "took_ms": round((time.perf_counter() - started) * 1000, 3),
            "next": following,
        }

    async def asked(self, cover: Cover, like: Like, gathered: Gathered) -> Asked | None:
        """The vectors to search by. None where nobody who might know the item answers."""
        if isinstance(like, Vector):
            return Asked(checked(like.numbers, cover.dimension).tobytes())
        if isinstance(like, Picture):
            return Asked((await self.seen(cover.eyes, like.data)).tobytes())
        vectors = await self.vectors_of(cover, like, gathered)
        return None if vectors is None else Asked(vectors, like.id)

    async def ask(
        self, server: IndexClient, vectors: bytes, dimension: int, k: int, paging: Paging, until: float, gathered: Gathered
    ) -> None:
        try:
            reply = await server.search(vectors, dimension, k, paging.filters, until, with_vectors=paging.collapse is not None)
        except BadRequest as wrong:
            raise Refused(400, str(wrong)) from wrong
        except Unanswered as silent:
            gathered.problems |= dict.fromkeys(server.indexes, str(silent))
            return
        for index in reply.indexes:
            if index.problem:
                gathered.problems[index.index] = NOT_HELD
            gathered.hits.extend(unpacked(hits) for hits in index.queries)

    async def vectors_of(self, cover: Cover, item: Item, gathered: Gathered) -> bytes | None:
        until = time.monotonic() + self.deadline

        async def one(server: IndexClient) -> bytes:
            try:
                return bytes((await server.vectors(item.id, until)).vectors)
            except Unanswered as silent:
                gathered.problems |= dict.fromkeys(server.indexes, str(silent))
                return b""

        found = next(filter(None, await all_of([one(server) for server in cover.servers])), None)
        if found is None and not gathered.problems:
            raise Refused(404, f"there is no item {item.id!r} in {self.family!r}, or none of its pictures could be used")
        return found

    async def seen(self, eyes: Eyes, data: bytes) -> np.ndarray[Any, Any]:
        """A picture as a vector. Raises Refused: 415, 422, 400; 503 where too many wait."""
        if self.waiting >= MOST_WAITING:
            raise Refused(503, f"{self.waiting} pictures are waiting to be looked at; try again soon", retry_after=1)
        self.waiting += 1
        try:
            with self.numbers.looking():
                return await asyncio.get_running_loop().run_in_executor(self.eyes_thread, look, eyes, data)
        except PictureError as error:
            status, title, remedy = SPOILT[error.kind]
            raise Refused(status, f"{remedy} ({error.reason}).", title) from error
        finally:
            self.waiting -= 1

    def cover(self) -> Cover:
        if self.covers.current is None:
            raise Refused(503, f"{self.family!r} is not ready: {self.covers.problem}", retry_after=1)
        return self.covers.current

    async def served(self) -> dict[str, Any]:
        """What is served: `GET`. `items` and `fields` are left out where an index server does not answer."""
        cover = self.cover()
        with cover.used():
            contents = await self.contents_of(cover)
        known = {"items": contents.items, "fields": told(contents.facets)} if contents else {}
        return {
            "family": self.family,
            **known,
            "indexes": [{"model": one.model, "version": one.version, "digest": one.digest} for one in cover.indexes],
            "space": {"model": cover.space.model, "version": cover.space.version, "digest": cover.space.digest},
            "extractor": cover.eyes.extractor.description.name,
            "embedding": cover.embedding,
            "dimension": cover.dimension,
            "most_items": MOST_ITEMS,
            "most_bytes": self.most_bytes,
        }

    async def contents_of(self, cover: Cover) -> Contents | None:
        """What is in its indexes, asked of the servers once. None where one does not answer."""
        if cover.contents is None:
            until = time.monotonic() + self.deadline
            try:
                replies = await all_of([server.describe(until) for server in cover.servers])
            except Unanswered:
                return None
            facts = {one.index: one for reply in replies for one in reply.indexes}
            if len(facts) < len({one.digest for one in cover.indexes}):
                return None  # one that is just being loaded, or let go
            facets = together(FACETS.validate_json(one.facets) for one in facts.values())
            cover.contents = Contents(sum(one.items for one in facts.values()), facets)
        return cover.contents

    async def body_of(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        declared = headers.get(b"content-length", b"")
        too_large = declared.isdigit() and int(declared) > self.most_bytes
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= PASSED_OVER:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the request was broken off")
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            too_large = too_large or size > self.most_bytes
            if too_large:
                parts.clear()
            else:
                parts.append(part)
        if too_large:
            detail = f"the request has more than {self.most_bytes / 1e6:g} MB; send a smaller picture (1000 pixels a side are plenty)"
            raise Refused(413, detail)
        return b"".join(parts)

    def close(self) -> None:
        self.eyes_thread.shutdown(wait=False, cancel_futures=True)


async def all_of(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """Side by side; one alone is simply awaited."""
    return [await calls[0]] if len(calls) == 1 else await asyncio.gather(*calls)


def look(eyes: Eyes, data: bytes) -> np.ndarray[Any, Any]:
    vector = np.asarray(eyes.space.project(eyes.extractor.extract(data)[None]), "<f4")
    if not vector.any():
        raise PictureError("nothing can be told of this picture: it is of one colour, like the average of all", "damaged")
    return vector


def checked(numbers: Sequence[float], dimension: int) -> np.ndarray[Any, Any]:
    """Raises Refused (400)."""
    if len(numbers) != dimension:
        raise Refused(400, f"the vector has {len(numbers)} numbers, this family's have {dimension}")
    with np.errstate(over="ignore"):
        vector = np.asarray(numbers, "<f4")
    if not np.isfinite(vector).all():
        raise Refused(400, "the vector holds a number that is not finite, or too large for 32 bits")
    if not vector.any():
        raise Refused(400, "the vector is zero, and nothing is like nothing")
    return vector


def request_id_of(headers: dict[bytes, bytes]) -> str:
    """The caller's own where it is sound."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if 0 < len(given) <= LONGEST_ID and given.isascii() and given.isprintable() else secrets.token_hex(8)
