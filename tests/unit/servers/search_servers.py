"""A proxy and its index servers inside the test's process: gRPC and ASGI are real, only the processes are left out."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from prometheus_client import CollectorRegistry

from lykeion.core.values import ModelVersion
from lykeion.servers.cover import Covers
from lykeion.servers.documents import Follower
from lykeion.servers.index_service import IndexService
from lykeion.servers.proxy import Proxy
from lykeion.servers.proxy_numbers import ProxyNumbers
from lykeion.servers.shelf import Shelf
from lykeion.testing.families import Family, entry, write_document
from lykeion.testing.servers import Answer, answer_of

COVER = "photos-cover"


@contextmanager
def index_server(
    volume: Path, socket: Path, *held: ModelVersion, wrap: Callable[[IndexService], IndexService] = lambda one: one
) -> Iterator[str]:
    """Holds these versions; yields its address."""
    shelf = Shelf(volume)
    assert shelf.hold(held), shelf.problems
    server = grpc.server(ThreadPoolExecutor(4), handlers=[wrap(IndexService(shelf)).handler()])
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield f"unix:{socket}"
    finally:
        server.stop(None).wait()


def cover_of(family: Family, places: Sequence[tuple[ModelVersion, Sequence[str]]]) -> dict[str, Any]:
    """The document by which a proxy asks for each version at its addresses."""
    indexes = [{**entry(version), "addresses": list(addresses)} for version, addresses in places]
    return {"family": "photos", "space": entry(family.space), "embedding": "e", "indexes": indexes}


class Asked:
    """A proxy with its cover, inside a running loop."""

    def __init__(self, folder: Path, volume: Path, deadline: float = 5.0, most_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.covers = Covers(Follower(folder / f"{COVER}.json"), volume)
        self.registry = CollectorRegistry()
        self.proxy = Proxy("photos", self.covers, ProxyNumbers(self.registry, "photos"), most_bytes, deadline)

    def write(self, content: Any) -> str:
        return write_document(self.folder, COVER, content)

    async def post(self, question: Any, query: str = "", **headers: str) -> Answer:
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        return await self.request("POST", query=query, parts=[body], headers={"content-type": "application/json", **headers})

    async def request(
        self,
        method: str,
        path: str = "/v1/search/photos",
        query: str = "",
        parts: Sequence[bytes | None] = (b"",),
        headers: Mapping[str, str] = {},
    ) -> Answer:
        """One HTTP request; a part that is None breaks it off."""
        messages = [
            {"type": "http.disconnect"} if part is None else {"type": "http.request", "body": part, "more_body": place + 1 < len(parts)}
            for place, part in enumerate(parts)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.proxy({"type": "http", "path": path, "method": method, "query_string": query.encode(), "headers": given}, receive, send)
        answer = answer_of(sent)
        assert int(answer.headers["content-length"]) == len(answer.body) or method == "HEAD"
        return answer

    async def close(self) -> None:
        self.proxy.close()
        if self.covers.current:
            await self.covers.leave(self.covers.current)


def within(folder: Path, volume: Path, story: Callable[[Asked], Awaitable[Any]], **options: Any) -> Any:
    """Tell a story with a proxy."""

    async def told() -> Any:
        asked = Asked(folder, volume, **options)
        try:
            return await story(asked)
        finally:
            await asked.close()

    return asyncio.run(told())
