"""The calls of index.proto over a shelf of indexes. A bad request is INVALID_ARGUMENT with every problem, never the end of the server."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import grpc
import msgspec
import numpy as np
from google.protobuf.message import Message
from pydantic import TypeAdapter

from lykeion.core.search.facets import Facet
from lykeion.core.search.merge import MOST_ITEMS, ItemHit
from lykeion.errors import Invalid, NotFound
from lykeion.search.index import Index
from lykeion.servers.index_pb2 import (
    DescribeReply,
    DescribeRequest,
    Hits,
    IndexFacts,
    IndexHits,
    SearchReply,
    SearchRequest,
    VectorsReply,
    VectorsRequest,
)
from lykeion.servers.shelf import Shelf

SERVICE = "lykeion.index.v1.Index"
MOST_VECTORS = 64
LARGEST_MESSAGE = 16 << 20
NOT_HELD = "this server does not hold it"
FACETS = TypeAdapter(list[Facet])


class IndexService:
    """Thread-safe: indexes are only read."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def search(self, request: SearchRequest, context: grpc.ServicerContext) -> SearchReply:
        vectors = vectors_of(request, context)
        reply = SearchReply()
        for digest in request.indexes:
            if not context.is_active() or (context.time_remaining() or 1.0) <= 0:
                context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the time that was given is over")
            index = self.shelf.find(digest)
            if index is None:
                reply.indexes.append(IndexHits(index=digest, problem=NOT_HELD))
            elif index.dimension != vectors.shape[1]:
                reason = f"a vector has {vectors.shape[1]} numbers, the index {index.dimension}"
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
            else:
                reply.indexes.append(IndexHits(index=digest, queries=searched(index, vectors, request, context)))
        return reply

    def vectors(self, request: VectorsRequest, _: grpc.ServicerContext) -> VectorsReply:
        for digest in request.indexes:
            index = self.shelf.find(digest)
            if index is None:
                continue
            with suppress(NotFound):
                found = index.vectors_of(request.item)[:MOST_VECTORS]
                return VectorsReply(index=digest, vectors=np.asarray(found, "<f4").tobytes(), dimension=index.dimension)
        return VectorsReply()

    def describe(self, request: DescribeRequest, _: grpc.ServicerContext) -> DescribeReply:
        held = [(digest, index.manifest) for digest in request.indexes if (index := self.shelf.find(digest))]
        return DescribeReply(
            indexes=[IndexFacts(index=digest, items=one.items, facets=FACETS.dump_json(list(one.facets))) for digest, one in held]
        )

    def handler(self) -> grpc.GenericRpcHandler:
        methods = {
            "Search": method(self.search, SearchRequest),
            "Vectors": method(self.vectors, VectorsRequest),
            "Describe": method(self.describe, DescribeRequest),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)


def method(call: Callable[[Any, grpc.ServicerContext], Message], request: type[Message]) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        call, request_deserializer=request.FromString, response_serializer=lambda reply: reply.SerializeToString()
    )


def vectors_of(request: SearchRequest, context: grpc.ServicerContext) -> np.ndarray[Any, Any]:
    """float32 [n, dimension]."""
    problem = ""
    size, row = len(request.vectors), 4 * request.dimension
    if not 1 <= request.k <= MOST_ITEMS:
        problem = f"k is {request.k}: ask for 1 to {MOST_ITEMS}"
    elif not row or not size or size % row:
        problem = f"{size} bytes are no rows of {request.dimension} float32 numbers"
    elif size // row > MOST_VECTORS:
        problem = f"{size // row} vectors in one call: send {MOST_VECTORS} at most"
    elif not np.isfinite(np.frombuffer(request.vectors, "<f4")).all():
        problem = "a vector holds a number that is not finite"
    if problem:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
    return np.frombuffer(request.vectors, "<f4").reshape(-1, request.dimension)


def searched(index: Index, vectors: np.ndarray[Any, Any], request: SearchRequest, context: grpc.ServicerContext) -> list[Hits]:
    try:
        wanted = index.filter(request.filters)
        found = [index.search_items(vector, request.k, wanted, with_vectors=request.with_vectors) for vector in vectors]
    except Invalid as wrong:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(wrong))
        raise AssertionError from wrong  # abort raises
    return [packed(hits) for hits in found]


def packed(hits: Sequence[ItemHit]) -> Hits:
    return Hits(
        items=[hit.id for hit in hits],
        scores=np.array([hit.score for hit in hits], "<f4").tobytes(),
        pictures=b"".join(bytes.fromhex(hit.picture) for hit in hits),
        fields=msgspec.json.encode([hit.fields for hit in hits]),
        vectors=b"".join(hit.vector for hit in hits),
    )


def unpacked(hits: Hits) -> list[ItemHit]:
    """The inverse of `packed`."""
    scores = np.frombuffer(hits.scores, "<f4").tolist()
    pictures = hits.pictures.hex()
    fields = msgspec.json.decode(hits.fields) if hits.fields else []
    size = len(hits.vectors) // max(1, len(scores))
    return [
        ItemHit(item, score, pictures[64 * place : 64 * place + 64], fields[place], hits.vectors[size * place : size * (place + 1)])
        for place, (item, score) in enumerate(zip(hits.items, scores, strict=True))
    ]
