"""What became of the images of a model's versions, as a page shows it; and what the image builder says."""

import asyncio
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lykeion.core.images.records import ImageRecord
from lykeion.core.images.wanted import asks_for_image
from lykeion.core.models.manifest import Manifest
from lykeion.dashboard import logs
from lykeion.dashboard.api import V1, state
from lykeion.repository import Repository

BUILDER_LOG = "logs/services/image-builder-0.log"


def images(models: Repository, name: str, versions: Iterable[Manifest]) -> dict[int, dict[str, Any]]:
    """Version -> its image, of those that have one or ask for one. `versions`: oldest first."""
    log, found = models.images(name), {}
    known: frozenset[str] = frozenset()  # layers of the versions before
    with_records = set(log.versions())
    for manifest in versions:
        record = log.last(manifest.version) if manifest.version in with_records else None
        if record is not None:
            found[manifest.version] = image_json(record, known)
            known |= {layer.digest for layer in record.layers}
        elif asks_for_image(manifest.deploy):
            found[manifest.version] = {"state": "waiting"}
    return found


def image_json(record: ImageRecord, known: frozenset[str]) -> dict[str, Any]:
    """A record with what follows from it: its size, when it is tried again, and which layers are new: no earlier version has them, and
    no other image of the registry had."""
    told = record.to_json()
    told["size"] = record.size
    told["nextTry"] = record.next_try.isoformat() if record.state == "failed" else None
    told["layers"] = [{**layer, "new": layer["digest"] not in known and layer["how"] != "mounted"} for layer in told["layers"]]
    return told


async def builder_log(request: Request) -> Response:
    """The end of what the image builder of this home printed; nothing where none ran."""
    path = state(request).context.home / BUILDER_LOG
    piece = await asyncio.to_thread(logs.last, path, logs.tail_size(request.query_params.get("tail")))
    return Response(piece.data, media_type="text/plain; charset=utf-8", headers={"cache-control": "no-store"})


ROUTES = [Route(f"{V1}/image-builder/log", builder_log)]
