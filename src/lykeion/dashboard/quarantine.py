"""What the steps of a Training set aside, page by page, with thumbnails where the picture is in the cache."""

import asyncio
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lykeion.components import quarantine
from lykeion.components.quarantine import Entry, Steps
from lykeion.dashboard.answers import Json
from lykeion.dashboard.api import LIST_LIMIT, V1, number, state, training_of


async def list_set_aside(request: Request) -> Response:
    """`limit` of them, from the `offset`-th on; `total` and `reasons` are of all."""
    training = await training_of(request)
    offset, limit = number(request, "offset", 0, 10**9), number(request, "limit", 100, LIST_LIMIT)
    return Json(await asyncio.to_thread(page, state(request).context.home, training.status.kept, offset, limit))


def page(home: Path, steps: Steps, offset: int, limit: int) -> dict[str, Any]:
    outputs = home / "outputs"
    reasons = quarantine.reasons(outputs, steps)
    items = [entry_json(home, each) for each in quarantine.entries(outputs, steps, offset, limit)]
    total = sum(each.total for each in reasons)
    return {
        "metadata": {"remainingItemCount": max(0, total - offset - len(items))},
        "total": total,
        "reasons": [each._asdict() for each in reasons],
        "gone": quarantine.gone(outputs, steps),
        "items": items,
    }


def entry_json(home: Path, entry: Entry) -> dict[str, Any]:
    """`picture`: where its thumbnail is, if the picture was taken in before it was set aside."""
    is_there = entry.digest and (home / "cache" / "pictures" / entry.digest[:2] / entry.digest).is_file()
    picture = f"/v1/pictures/{entry.digest}" if is_there else None
    return {"step": entry.step, "item": entry.item, "what": entry.what, "reason": entry.reason, "picture": picture}


ROUTES = [Route(f"{V1}/trainings/{{name}}/quarantine", list_set_aside)]
