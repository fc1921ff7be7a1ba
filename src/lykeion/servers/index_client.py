"""Asking index servers: one call per server and query, another worker where one is gone, and never longer than the deadline."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
import grpc.aio

from lykeion.servers.index_pb2 import DescribeReply, DescribeRequest, SearchReply, SearchRequest, VectorsReply, VectorsRequest
from lykeion.servers.index_service import LARGEST_MESSAGE, NOT_HELD, SERVICE

Reply = TypeVar("Reply")

OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
]
TRY_ANOTHER = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}
)
PAUSE = 0.05  # seconds until the workers of a server are tried again
HOPE = 2.0  # seconds that a server may be gone until a query no longer waits for its return


class Unanswered(Exception):
    """A server gave no answer in time; the text says why."""


class BadRequest(Exception):
    """The request is wrong; the text says how."""


class Peer:
    """One worker of an index server."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self.search: Callable[..., Any] = self.channel.unary_unary(
            f"/{SERVICE}/Search", request_serializer=SearchRequest.SerializeToString, response_deserializer=SearchReply.FromString
        )
        self.vectors: Callable[..., Any] = self.channel.unary_unary(
            f"/{SERVICE}/Vectors", request_serializer=VectorsRequest.SerializeToString, response_deserializer=VectorsReply.FromString
        )
        self.describe: Callable[..., Any] = self.channel.unary_unary(
            f"/{SERVICE}/Describe", request_serializer=DescribeRequest.SerializeToString, response_deserializer=DescribeReply.FromString
        )


@dataclass(slots=True)
class IndexClient:
    """One index server: the workers that answer for it, and the indexes that are asked of it. Make it in a running loop."""

    addresses: Sequence[str]
    indexes: Sequence[str]  # digests
    peers: list[Peer] = field(default_factory=list)
    turn: int = 0
    lost_since: float | None = None

    async def search(
        self, vectors: bytes, dimension: int, k: int, filters: Iterable[str], deadline: float, *, with_vectors: bool = False
    ) -> SearchReply:
        """deadline: of time.monotonic. Raises Unanswered and BadRequest."""
        request = SearchRequest(vectors=vectors, dimension=dimension, k=k, filters=filters, indexes=self.indexes, with_vectors=with_vectors)
        reply: SearchReply = await self.ask(lambda peer: peer.search, request, deadline, holds_all)
        return reply

    async def vectors(self, item: str, deadline: float) -> VectorsReply:
        request = VectorsRequest(item=item, indexes=self.indexes)
        reply: VectorsReply = await self.ask(lambda peer: peer.vectors, request, deadline, lambda _: True)
        return reply

    async def describe(self, deadline: float) -> DescribeReply:
        """Raises Unanswered."""
        request = DescribeRequest(indexes=self.indexes)
        whole = len(self.indexes)
        reply: DescribeReply = await self.ask(lambda peer: peer.describe, request, deadline, lambda one: len(one.indexes) == whole)
        return reply

    async def ask(self, call: Callable[[Peer], Callable[..., Any]], request: Any, deadline: float, whole: Callable[[Any], bool]) -> Any:
        """Of the workers in turn; the first answer that is whole, else the last one that came."""
        if not self.addresses:
            raise Unanswered("no index server is known")
        if not self.peers:
            self.peers = [Peer(address) for address in self.addresses]
        self.turn += 1
        reply, problem = None, ""
        while True:
            for place in range(len(self.peers)):
                peer = self.peers[(self.turn + place) % len(self.peers)]
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                try:
                    reply = await call(peer)(request, timeout=left)
                except grpc.aio.AioRpcError as error:
                    if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                        raise BadRequest(error.details()) from error
                    problem = f"{error.code().name.lower()}: {error.details()}"
                    if error.code() not in TRY_ANOTHER:
                        break
                    continue
                self.lost_since = None
                if whole(reply):
                    return reply
            if reply is not None:
                return reply
            now = time.monotonic()
            self.lost_since = self.lost_since or now
            if now + PAUSE >= deadline or now - self.lost_since > HOPE:
                raise Unanswered(problem or "no answer in time")
            await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        for peer in self.peers:
            await peer.channel.close()


def holds_all(reply: SearchReply) -> bool:
    return all(one.problem != NOT_HELD for one in reply.indexes)
