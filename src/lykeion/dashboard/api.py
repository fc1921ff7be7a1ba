"""The JSON API over resources: list, get, create or apply, delete; run, cancel, rerun; logs, events, and what changes."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lykeion.core.content import read_json
from lykeion.core.pipelines.graph import needs
from lykeion.core.resources import API_VERSION, KINDS, Pipeline, Resource, Training
from lykeion.core.resources.metadata import check_name
from lykeion.core.resources.training import ENDED, OVER
from lykeion.core.values import Event, Ref
from lykeion.dashboard import actions, logs
from lykeion.dashboard.answers import Json
from lykeion.dashboard.context import State
from lykeion.dashboard.events import Hub, summary
from lykeion.dashboard.routing import PLURALS, route
from lykeion.errors import Invalid, NotFound, Problem

LARGEST_TEXT = 4 << 20
LIST_LIMIT = 500


def state(request: Request) -> State:
    found: State = request.app.state.platform
    return found


def kind_of(request: Request) -> str:
    return PLURALS[request.path_params["plural"]]


async def unknown_kind(request: Request) -> Response:
    raise NotFound(f"there are no {request.path_params['plural']}; there are {', '.join(PLURALS)} and models")


def number(request: Request, name: str, default: int, largest: int) -> int:
    """A whole number of the query. Raises Invalid."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise Invalid([Problem(f"{given[:20]!r} is no whole number", field=name)])
    return min(int(given), largest)


def flag(request: Request, name: str) -> bool:
    """A yes or no of the query. Raises Invalid."""
    given = request.query_params.get(name, "0")
    if given not in ("0", "1", "false", "true"):
        raise Invalid([Problem(f"{given[:20]!r} is neither 1 nor 0", field=name)])
    return given in ("1", "true")


async def body_of(request: Request) -> bytes:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_TEXT:
            raise Invalid(f"the text is larger than {LARGEST_TEXT >> 20} MiB")
    return data


async def text_of(request: Request) -> str:
    try:
        return (await body_of(request)).decode()
    except UnicodeDecodeError as wrong:
        raise Invalid(f"the text is not UTF-8: {wrong}") from wrong


async def json_of(request: Request) -> dict[str, Any]:
    """A JSON object; an empty body is an empty one. Raises Invalid."""
    data = await body_of(request)
    try:
        found = read_json(data) if data.strip() else {}
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text, though JSON can write it
    except (ValueError, RecursionError) as wrong:
        raise Invalid(f"the body is not JSON: {wrong}") from wrong
    if not isinstance(found, dict):
        raise Invalid("the body must be a JSON object")
    return found


async def list_resources(request: Request) -> Response:
    """Newest first; `limit` of them, from the `offset`-th on."""
    kind = kind_of(request)
    found = await state(request).store.list(kind)
    offset, limit = number(request, "offset", 0, 10**9), number(request, "limit", 100, LIST_LIMIT)
    newest = list(reversed(found))
    why_idle = state(request).context.why_idle
    items = [summary(resource) | driving(resource, why_idle) for resource in newest[offset : offset + limit]]
    left = max(0, len(newest) - offset - limit)
    return Json({"apiVersion": API_VERSION, "kind": f"{kind}List", "metadata": {"remainingItemCount": left}, "items": items})


def driving(resource: Resource, why_idle: Callable[[str], str]) -> dict[str, Any]:
    """Of a Training that is not over: `driven`, whether somebody runs it now, and `whyNotDriven`. Seen now, kept nowhere."""
    if not isinstance(resource, Training) or resource.status.phase in OVER:
        return {}
    idle = why_idle(resource.name)
    return {"driven": not idle, "whyNotDriven": idle}


async def get_resource(request: Request) -> Response:
    found = await state(request).store.get(kind_of(request), request.path_params["name"])
    return Json(found.to_dict())


async def create_resources(request: Request) -> Response:
    """POST creates, PUT applies. The body is YAML or JSON, of one resource or several."""
    kind = kind_of(request)
    at = state(request)
    written = at.context.check(await text_of(request), "the request")
    if not written or any(resource.kind != kind for resource in written):
        raise Invalid(
            [Problem(f"only a {kind} can be written here", field="kind", remedy=f"other kinds have their own path: {', '.join(PLURALS)}")]
        )
    keep = at.store.create if request.method == "POST" else at.store.apply
    kept = [await keep(resource) for resource in written]
    return Json(kept[0].to_dict() if len(kept) == 1 else {"items": [one.to_dict() for one in kept]}, 201)


async def put_resource(request: Request) -> Response:
    """Apply the resource that the path names."""
    at = state(request)
    written = at.context.check(await text_of(request), "the request")
    if [(one.kind, one.name) for one in written] != [(kind_of(request), request.path_params["name"])]:
        raise Invalid([Problem("the body must be the one resource that the path names", field="metadata.name")])
    return Json((await at.store.apply(written[0])).to_dict())


async def delete_resource(request: Request) -> Response:
    kind, name = kind_of(request), request.path_params["name"]
    await state(request).store.ask(lambda resources: resources.delete(kind, name))
    return Response(status_code=204)


async def training_of(request: Request) -> Training:
    found = await state(request).store.get("Training", request.path_params["name"])
    assert isinstance(found, Training)
    return found


async def names(request: Request) -> set[str]:
    return {one.name for one in await state(request).store.ask(lambda resources: resources.summaries("Training"))}


async def cancel(request: Request) -> Response:
    wanted = actions.cancelled(await training_of(request))
    return Json(summary(await state(request).store.apply(wanted)))


async def rerun(request: Request) -> Response:
    wanted = actions.rerun(await training_of(request), await names(request))
    return Json(summary(await state(request).store.create(wanted)), 201)


async def run_pipeline(request: Request) -> Response:
    """Body: {"parameters": {name: value}}."""
    at = state(request)
    pipeline = await at.store.get("Pipeline", request.path_params["name"])
    assert isinstance(pipeline, Pipeline)
    wanted = await json_of(request)
    parameters = wanted.get("parameters", {})
    wrong = [
        Problem("there is no such field", field=name, remedy="only `parameters` can be given") for name in wanted if name != "parameters"
    ]
    if not isinstance(parameters, dict):
        wrong.append(Problem("it must be an object of names and values", field="parameters"))
    if wrong:
        raise Invalid(wrong)
    training = actions.run(pipeline, parameters, await names(request))
    return Json(summary(await at.store.create(training)), 201)


async def steps(request: Request) -> Response:
    """A training's steps, each with what it depends on."""
    training = await training_of(request)
    waits = depends_on(training)
    items = [step.model_dump(mode="json", by_alias=True) | {"dependsOn": waits.get(step.name, [])} for step in training.status.steps]
    return Json({"items": items, **driving(training, state(request).context.why_idle)})


def depends_on(training: Training) -> dict[str, list[str]]:
    """step -> the steps whose outputs it reads, as planned."""
    planned = training.status.pipeline or training.spec.pipeline
    return {step: sorted(before) for step, before in needs(planned).items()} if planned else {}


async def log(request: Request) -> Response:
    """The end of a step's log (`tail` bytes of it), then, with `follow=1`, what is added until the step ends."""
    training, step, at = await training_of(request), request.path_params["step"], state(request)
    known = {one.name for one in training.status.steps}
    if step not in known:
        raise NotFound(f"training {training.name} has no step {step}; it has {', '.join(sorted(known)) or 'none yet'}")
    path = at.context.home / "logs" / check_name(training.name) / f"{check_name(step)}.log"
    piece = logs.last(path, logs.tail_size(request.query_params.get("tail")))
    headers = {"lykeion-log-offset": str(piece.start), "cache-control": "no-store"}
    kind = "text/plain; charset=utf-8"
    if not flag(request, "follow"):
        return Response(piece.data, media_type=kind, headers=headers)

    async def ended() -> bool:
        try:
            found = await at.store.get("Training", training.name)
        except NotFound:
            return True
        assert isinstance(found, Training)
        done = found.status.phase in OVER
        return done or any(one.name == step and one.phase in ENDED for one in found.status.steps)

    return StreamingResponse(logs.follow(path, piece.start, ended, at.closing), media_type=kind, headers=headers)


async def list_events(request: Request) -> Response:
    """Newest first; with `kind` and `name`, those of one resource."""
    kind, name = request.query_params.get("kind"), request.query_params.get("name")
    if kind is not None and kind not in KINDS:
        raise Invalid([Problem(f"there is no kind {kind[:40]!r}", field="kind", remedy=f"the kinds are: {', '.join(KINDS)}")])
    regarding = Ref(kind, name) if kind and name else None
    found: Sequence[tuple[datetime, int, Event]] = await state(request).store.ask(lambda resources: resources.events(regarding))
    limit = number(request, "limit", 100, LIST_LIMIT)
    return Json({"items": [event_json(*one) for one in list(reversed(found))[:limit]]})


def event_json(seen: datetime, count: int, event: Event) -> dict[str, Any]:
    regarding = {"kind": event.regarding.kind, "name": event.regarding.name}
    return {
        "lastSeen": seen.isoformat(),
        "count": count,
        "regarding": regarding,
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
    }


async def watch(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    return StreamingResponse(hub.listen(), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})


async def families(request: Request) -> Response:
    """What can be searched: every family that has a search Serving, ready or not."""
    found: Sequence[Resource] = await state(request).store.list("Serving")
    items = [family_json(request, one) for one in found if one.spec.search is not None]
    return Json({"families": items})


def family_json(request: Request, serving: Resource) -> dict[str, Any]:
    path = f"/v1/search/{serving.spec.family}"
    route = state(request).gateway.route(path)
    url = request.scope["root_path"] + path
    return {"family": serving.spec.family, "serving": serving.name, "url": url, "ready": route is not None and bool(route.ready)}


async def unknown_family(request: Request) -> Response:
    """Reached where no route takes the family. Raises NotFound with what there is."""
    known = sorted({one.spec.family for one in await state(request).store.list("Serving") if one.spec.search is not None})
    raise NotFound(f"no family {request.path_params['family']!r} is served here; there is {', '.join(known) or 'none yet'}")


V1 = "/api/v1"
ROUTES = [
    route(f"{V1}/watch", get=watch),
    route(f"{V1}/events", get=list_events),
    route(f"{V1}/trainings/{{name:name}}:cancel", post=cancel),
    route(f"{V1}/trainings/{{name:name}}:rerun", post=rerun),
    route(f"{V1}/trainings/{{name:name}}/steps", get=steps),
    route(f"{V1}/trainings/{{name:name}}/logs/{{step}}", get=log),
    route(f"{V1}/pipelines/{{name:name}}:run", post=run_pipeline),
    route("/v1/search", get=families),
    route("/v1/search/", get=families),
    route("/v1/search/{family}", get=unknown_family, post=unknown_family),
]
# Behind the routes of models, whose paths the last of these would take.
RESOURCE_ROUTES = [
    route(f"{V1}/{{plural:plural}}", get=list_resources, post=create_resources, put=create_resources),
    route(f"{V1}/{{plural:plural}}/{{name:name}}", get=get_resource, put=put_resource, delete=delete_resource),
    route(f"{V1}/{{plural}}", get=unknown_kind),
]
