"""The description of everything that this port answers: the platform's own API, and what the services behind it say of themselves."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lykeion import __version__
from lykeion.core.models.names import LABEL, LONGEST
from lykeion.core.resources import API_VERSION, KINDS
from lykeion.core.resources.metadata import LONGEST_NAME
from lykeion.dashboard.api import V1, state
from lykeion.dashboard.models import Move
from lykeion.dashboard.pictures import SIZES
from lykeion.dashboard.routing import PLURALS
from lykeion.dashboard.security import is_open
from lykeion.servers.openapi import PROBLEM as PROBLEM_SCHEMA

PROBLEM = {
    "description": "A problem (RFC 9457): what is wrong, why, what to do",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
Schema = Mapping[str, Any]
JSON, TEXT = "application/json", "text/plain"


def label(longest: int) -> Schema:
    return {"type": "string", "pattern": f"^{LABEL.pattern}$", "maxLength": longest}


NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**9 - 1}
NAME = label(LONGEST_NAME)
PATH_SCHEMAS: Mapping[str, Schema] = {
    "plural": {"type": "string", "enum": list(PLURALS)},
    "name": NAME,
    "step": NAME,
    "model": label(LONGEST),
    "alias": label(LONGEST),
    "version": {**NUMBER, "minimum": 1},
    "digest": {"type": "string", "pattern": "^(sha256:)?[0-9a-f]{64}$"},
}
RESOURCE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": API_VERSION},
        "kind": {"enum": list(KINDS)},
        "metadata": {"type": "object", "required": ["name"], "properties": {"name": NAME}},
        "spec": {"type": "object"},
    },
}
RUN = {"type": "object", "properties": {"parameters": {"type": "object"}}, "additionalProperties": False}
WRITTEN: Mapping[str, Schema] = {JSON: RESOURCE, "application/yaml": {"type": "string"}}


def operation(
    tag: str,
    summary: str,
    *,
    query: Mapping[str, tuple[str, Schema]] | None = None,
    body: tuple[str, Mapping[str, Schema]] | None = None,
    code: int = 200,
    answer: str = JSON,
) -> dict[str, Any]:
    """query: name -> what it is, and its schema. body: what it is, and its schemas by media type. answer: its media type; "" for none."""
    good: dict[str, Any] = {"description": "Done"} | ({"content": {answer: {}}} if answer else {})
    said: dict[str, Any] = {"tags": [tag], "summary": summary, "responses": {str(code): good, "default": PROBLEM}}
    if query:
        said["parameters"] = [{"name": name, "in": "query", "description": what, "schema": one} for name, (what, one) in query.items()]
    if body:
        said["requestBody"] = {"description": body[0], "content": {kind: {"schema": one} for kind, one in body[1].items()}}
    return said


READY = {
    "responses": {code: {"description": what, "content": {JSON: {}}} for code, what in (("200", "Ready"), ("503", "What is waited for"))}
    | {"default": PROBLEM}
}
PAGE = {"limit": ("how many, 100 unless told, 500 at most", NUMBER), "offset": ("how many to pass over", NUMBER)}
TAIL = ("bytes of its end, 65536 unless told", NUMBER)
ONE, SOME = ("The resource", WRITTEN), ("One resource or, in YAML, several; what is wrong in it is told as in a file", WRITTEN)
PATHS: dict[str, dict[str, Any]] = {
    f"{V1}/pictures": {
        "get": operation("search", "Addresses of some pictures of the catalogue", query={"count": ("how many, 8 unless told", NUMBER)})
    },
    "/v1/search/": {"get": operation("search", "The families that can be searched")},
    "/v1/pictures/{digest}": {
        "get": operation(
            "search",
            "A picture, as a WebP thumbnail",
            query={"size": ("its longer side in pixels", {**NUMBER, "minimum": SIZES[0], "maximum": SIZES[-1]})},
            answer="image/webp",
        )
    },
    f"{V1}/{{plural}}": {
        "get": operation(
            "resources",
            "Pipelines, trainings (of those under way `driven`: somebody runs it, or `whyNotDriven`) or servings, newest first",
            query=PAGE,
        ),
        "post": operation("resources", "Create", body=SOME, code=201),
        "put": operation("resources", "Create or replace the spec", body=SOME, code=201),
    },
    f"{V1}/{{plural}}/{{name}}": {
        "get": operation("resources", "One resource"),
        "put": operation("resources", "Create or replace its spec", body=ONE),
        "delete": operation("resources", "Delete", code=204, answer=""),
    },
    f"{V1}/pipelines/{{name}}:run": {
        "post": operation("trainings", "Run a pipeline", body=('{"parameters": {name: value}}', {JSON: RUN}), code=201)
    },
    f"{V1}/trainings/{{name}}:cancel": {"post": operation("trainings", "Cancel; nothing of it runs on")},
    f"{V1}/trainings/{{name}}:rerun": {"post": operation("trainings", "The same once more, as <name>-rN", code=201)},
    f"{V1}/trainings/{{name}}/steps": {
        "get": operation("trainings", "Its steps, with what each depends on; while it is under way `driven` and `whyNotDriven`")
    },
    f"{V1}/trainings/{{name}}/logs/{{step}}": {
        "get": operation(
            "trainings",
            "A step's log",
            query={"follow": ("1: stay until the step ends", {"enum": ["0", "1", "false", "true"]}), "tail": TAIL},
            answer=TEXT,
        )
    },
    f"{V1}/trainings/{{name}}/quarantine": {
        "get": operation("trainings", "The rows and pictures that its steps set aside, and why; how many for which reason", query=PAGE)
    },
    f"{V1}/image-builder/log": {"get": operation("models", "What the image builder printed", query={"tail": TAIL}, answer=TEXT)},
    f"{V1}/models": {"get": operation("models", "The models of the repository")},
    f"{V1}/models/{{model}}": {"get": operation("models", "A model: versions, metrics, lineage, aliases and their history")},
    f"{V1}/models/{{model}}/versions/{{version}}": {"get": operation("models", "One version, with its files and their digests")},
    f"{V1}/models/{{model}}/aliases/{{alias}}": {
        "put": operation(
            "models",
            "Move an alias",
            body=('{"version": N} or {"rollback": true}, with "reason" and "expected"', {JSON: Move.model_json_schema()}),
        )
    },
    f"{V1}/events": {
        "get": operation(
            "platform",
            "What happened, newest first",
            query={
                "limit": PAGE["limit"],
                "kind": ("with `name`: of one resource", {"enum": list(KINDS)}),
                "name": ("with `kind`", {"type": "string"}),
            },
        )
    },
    f"{V1}/watch": {"get": operation("platform", "Server-sent events: every resource, then every change", answer="text/event-stream")},
    "/healthz": {"get": operation("platform", "The process answers")},
    "/readyz": {"get": operation("platform", "200 once every Serving is Ready, or Failed with its reason") | READY},
    "/metrics": {"get": operation("platform", "Prometheus metrics of the gateway and of every replica", answer=TEXT)},
}


def with_path_parameters(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Every {name} of a path as a parameter of all its operations, and the token where they need it."""
    done: dict[str, Any] = {}
    for path, methods in paths.items():
        names = [part.partition("}")[0] for part in path.split("{")[1:]]
        given = [{"name": name, "in": "path", "required": True, "schema": PATH_SCHEMAS[name]} for name in names]
        guarded = {
            method: said if is_open(method.upper(), path) else {**said, "security": [{"token": []}]} for method, said in methods.items()
        }
        done[path] = {**guarded, "parameters": given} if given else guarded
    return done


def own() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lykeion", "version": __version__, "description": "Trainings, models, servings, and search by photo."},
        "paths": with_path_parameters(PATHS),
        "components": {"schemas": {"Problem": PROBLEM_SCHEMA}, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def merged(first: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One description of all. Of two that describe the same path or component, the first is kept."""
    paths = dict(first.get("paths", {}))
    components = {kind: dict(named) for kind, named in first.get("components", {}).items()}
    for other in others:
        for path, methods in other.get("paths", {}).items():
            paths[path] = {**methods, **paths.get(path, {})}
        for kind, named in other.get("components", {}).items():
            components[kind] = {**named, **components.get(kind, {})}
    return {**first, "paths": paths, "components": components}


async def describe(request: Request) -> Response:
    gateway = state(request).gateway
    firsts = [ready[0].addresses[0] for route in gateway.table.current() if (ready := route.ready)]
    answers = await asyncio.gather(*(gateway.fetch(address, "/openapi.json") for address in firsts))
    servers = [{"url": request.scope["root_path"] or "/"}]
    return JSONResponse({**merged(own(), [said for said in map(read, answers) if said is not None]), "servers": servers})


def read(answer: bytes | None) -> dict[str, Any] | None:
    """A service's description, trusted only to be JSON: whatever else it is, is left out."""
    try:
        said = json.loads(answer or b"")
    except ValueError:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("paths", {}), dict):
        return None
    services_own = {"/healthz", "/readyz", "/metrics", "/openapi.json"}
    return said | {"paths": {path: methods for path, methods in said.get("paths", {}).items() if path not in services_own}}


ROUTES = [Route("/openapi.json", describe)]
