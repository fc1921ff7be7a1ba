"""A search that stands in for the proxy: the HTTP of the real one over a fixed catalogue, on a Unix socket of its own."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lykeion.core.search.facets import Facet, counted, range_of, told

Handler = Callable[[Request], Awaitable[Response]]


def passes(item: dict[str, Any], given: str) -> bool:
    field, _, wanted = given.partition(":")
    value = item.get(field)
    if wanted.startswith(">="):
        return value is not None and value >= float(wanted[2:])
    if wanted.startswith("<"):
        return value is not None and value < float(wanted[1:])
    return str(value) in wanted.split("|")


def how_it_is(mode: Path) -> str:
    return mode.read_text() if mode.exists() else ""


def problem(status: int, title: str, detail: str) -> Response:
    said = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(said, status, media_type="application/problem+json")


def fields_of(catalogue: list[dict[str, Any]]) -> list[dict[str, Any]]:
    prices = [item["price"] for item in catalogue if item["price"] is not None]
    listed = [counted(name, "text", Counter(item[name] for item in catalogue)) for name in ("category", "status")]
    ranges = Counter(map(range_of, prices))
    return told([*listed, Facet(name="price", kind="number", ranges=ranges, least=min(prices), most=max(prices))])


def make_upstream(family: str, catalogue: list[dict[str, Any]], mode: Path) -> Starlette:
    """`mode`: a file that says "partial" or "broken" while the search shall be so."""
    indexes = [{"model": family, "version": 3, "digest": "sha256:" + "1" * 64}]

    async def served(_: Request) -> Response:
        said = {"family": family, "items": len(catalogue), "fields": fields_of(catalogue), "indexes": indexes}
        return JSONResponse({**said, "embedding": "sha256:" + "2" * 64, "dimension": 512})

    async def search(request: Request) -> Response:
        body, how = await request.body(), how_it_is(mode)
        if how == "broken":
            return problem(503, "Not ready", "The index is being loaded; try again.")
        if request.headers.get("content-type", "").startswith("application/json"):
            asked = json.loads(body)["item"]
            if all(item["id"] != asked for item in catalogue):
                return problem(404, "No such item", f"No item {asked!r} is in the family {family!r}.")
            chosen = next(item["category"] for item in catalogue if item["id"] == asked)
            found = sorted(catalogue, key=lambda item: (item["id"] != asked, item["category"] != chosen, item["id"]))[1:]
        else:
            if body[:4] not in (b"\x89PNG", b"RIFF") and body[:2] != b"\xff\xd8":
                return problem(415, "This file is not a picture we can read", "Try a JPEG or PNG photo (not a picture that can be read).")
            found = sorted(catalogue, key=lambda item: sha256(body + item["id"].encode()).digest())
        found = [item for item in found if all(passes(item, one) for one in request.query_params.getlist("filter"))]
        k = int(request.query_params.get("k", "10"))
        items = [{**item, "score": round(0.97 / (1 + place * 0.035), 4)} for place, item in enumerate(found[:k])]
        answered = [{**index, "answered": how != "partial"} for index in indexes]
        more = "v1" if len(found) > k else None
        return JSONResponse(
            {
                "request_id": "r1",
                "items": items,
                "partial": how == "partial",
                "indexes": answered,
                "embedding": "sha256:" + "2" * 64,
                "took_ms": 11.4,
                "next": more,
            }
        )

    async def described(_: Request) -> Response:
        return JSONResponse({"openapi": "3.1.0", "paths": {f"/v1/search/{family}": {"post": {"summary": "Search by photo"}}}})

    path = f"/v1/search/{family}"
    return Starlette(
        routes=[Route(path, served), Route(path, search, methods=["POST"]), Route("/openapi.json", described)],
    )
