"""The model repository over HTTP: models, their versions with metrics and lineage, aliases with their history, and moving them."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lykeion.core.models.aliases import AliasMove
from lykeion.core.models.manifest import Manifest
from lykeion.core.pipelines.requires import metrics_of, parse
from lykeion.dashboard.api import V1, json_of, state
from lykeion.dashboard.images import images
from lykeion.errors import Invalid, NotFound, Problem
from lykeion.repository import Repository


def describe(models: Repository, name: str) -> dict[str, Any]:
    """Everything that a page shows of a model. Raises NotFound."""
    versions = manifests(models, name)
    if not versions:
        raise NotFound(f"no model {name!r}; there is {', '.join(models.models()) or 'none yet'}")
    aliases = dict(models.aliases(name))
    made = images(models, name, versions)
    history = {alias: [move_json(move) for move in reversed(models.history(name, alias))] for alias in aliases}
    return {
        "name": name,
        "aliases": aliases,
        "gate": gate(versions),
        "history": history,
        "versions": [version_json(one, aliases) | {"image": made.get(one.version)} for one in reversed(versions)],
    }


def manifests(models: Repository, name: str) -> list[Manifest]:
    """Oldest first. One that was removed since it was listed is passed over."""
    found: list[Manifest] = []
    for version in models.versions(name):
        with suppress(NotFound):
            found.append(models.manifest(name, version))
    return found


def version_json(manifest: Manifest, aliases: dict[str, int]) -> dict[str, Any]:
    said = manifest.to_json()
    for bulky in ("files", "attached", "format"):
        said.pop(bulky)
    return said | {"aliases": sorted(name for name, number in aliases.items() if number == manifest.version)}


def gate(versions: list[Manifest]) -> dict[str, Any]:
    """What the newest version that says so was published under: the rule as it was written, and the metrics that it asks for, in order."""
    rule = next((said for one in reversed(versions) if (said := str(one.lineage.get("requires") or ""))), "")
    with suppress(Invalid):  # written by another Lykeion, which knows more
        return {"requires": rule, "metrics": list(dict.fromkeys(metrics_of(parse(rule))))} if rule else {"requires": "", "metrics": []}
    return {"requires": rule, "metrics": []}


def move_json(move: AliasMove) -> dict[str, Any]:
    return {"n": move.n, "version": move.version, "previous": move.previous, "reason": move.reason, "at": move.at, "back": move.back}


def overview(models: Repository) -> list[dict[str, Any]]:
    return [line(models, name) for name in sorted(models.models())]


def line(models: Repository, name: str) -> dict[str, Any]:
    """One model in a list: its newest version, aliases, and its metrics over all versions (oldest first)."""
    versions = manifests(models, name)
    newest = versions[-1] if versions else None
    return {
        "name": name,
        "versions": len(versions),
        "aliases": dict(models.aliases(name)),
        "newest": newest.version if newest else None,
        "created": newest.created.isoformat() if newest else None,
        "size": newest.size if newest else 0,
        "gate": gate(versions),
        "metrics": [{"version": one.version, **one.metrics} for one in versions[-50:]],
    }


def whole(given: object) -> object:
    """To JSON 2.0 is an integer."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


Whole = Annotated[int, BeforeValidator(whole)]


class Move(BaseModel):
    """Where an alias shall point: to a version, or one version back. expected: the version that it is believed to name (0: none)."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "oneOf": [
                {"required": ["version"], "properties": {"version": {"type": "integer"}, "rollback": {"const": False}}},
                {"required": ["rollback"], "properties": {"version": {"type": "null"}, "rollback": {"const": True}}},
            ]
        },
    )

    version: Whole | None = Field(None, ge=1, lt=10**9)
    rollback: bool = False
    expected: Whole | None = Field(None, ge=0, lt=10**9)
    reason: str | None = None

    @model_validator(mode="after")
    def says_where_to(self) -> Self:
        if (self.version is not None) == self.rollback:
            raise ValueError("say which version the alias shall name, or rollback: true")
        return self


def move_of(wanted: dict[str, Any]) -> Move:
    """Raises Invalid with everything that is wrong."""
    try:
        return Move.model_validate(wanted)
    except ValidationError as wrong:
        found = [
            Problem(one["msg"].removeprefix("Value error, "), field=".".join(map(str, one["loc"])) or "version", value=one["input"])
            for one in wrong.errors()
        ]
        raise Invalid(found) from wrong


def move(models: Repository, name: str, alias: str, wanted: Move) -> dict[str, Any]:
    reason = wanted.reason or "by hand"
    if wanted.version is None:
        models.rollback(name, alias, reason)
    else:
        models.move_alias(name, alias, wanted.version, reason, wanted.expected)
    return describe(models, name)


async def list_models(request: Request) -> Response:
    return JSONResponse({"items": await asyncio.to_thread(overview, state(request).context.models)})


async def get_model(request: Request) -> Response:
    return JSONResponse(await asyncio.to_thread(describe, state(request).context.models, request.path_params["model"]))


async def get_version(request: Request) -> Response:
    """One version with its files."""
    models, name, number = state(request).context.models, request.path_params["model"], request.path_params["version"]
    return JSONResponse((await asyncio.to_thread(models.manifest, name, number)).to_json())


async def move_alias(request: Request) -> Response:
    wanted = move_of(await json_of(request))
    models = state(request).context.models
    return JSONResponse(await asyncio.to_thread(move, models, request.path_params["model"], request.path_params["alias"], wanted))


ROUTES = [
    Route(f"{V1}/models", list_models),
    Route(f"{V1}/models/{{model}}", get_model),
    Route(f"{V1}/models/{{model}}/versions/{{version:number}}", get_version),
    Route(f"{V1}/models/{{model}}/aliases/{{alias}}", move_alias, methods=["PUT"]),
]
