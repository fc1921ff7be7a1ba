"""The platform's one port: pages, the JSON API, and behind them the gateway, guarded as one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from lykeion.dashboard import api, images, models, openapi, pages, pictures, quarantine, standing
from lykeion.dashboard.context import Context, State, Store
from lykeion.dashboard.events import Hub
from lykeion.dashboard.problems import answer_error, answer_http, answer_unexpected
from lykeion.dashboard.proxied import Proxied
from lykeion.dashboard.security import Guard
from lykeion.errors import LykeionError
from lykeion.servers.gateway import Gateway

STATIC = Path(__file__).parent / "static"


class Files(StaticFiles):
    """Pages' own files: kept by browsers, and asked about each time, so that an upgrade shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers.setdefault("cache-control", "no-cache")
        return answer


ROUTES = [
    *pages.ROUTES,
    *api.ROUTES,
    *pictures.ROUTES,
    *models.ROUTES,
    *images.ROUTES,
    *quarantine.ROUTES,
    *api.RESOURCE_ROUTES,
    *standing.ROUTES,
    *openapi.ROUTES,
    Mount("/static", Files(directory=STATIC)),
]


class Fork:
    """To the gateway where a route takes the path, else to the platform's own pages and API."""

    def __init__(self, own: ASGIApp, gateway: Gateway) -> None:
        self.own = own
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.own(scope, receive, send)
        elif self.gateway.route(scope["path"]) is not None:
            await self.gateway(scope, receive, send)
        else:
            await self.own({**scope, "path": scope["root_path"] + scope["path"]}, receive, send)


def make_state(context: Context) -> State:
    return State(context, Store(context.resources), Gateway(context.home / "documents" / "routes.json"))


def make_app(context: Context, state: State | None = None) -> ASGIApp:
    """The app as a function of what it shows. `state`: where the caller wants to say that the process is closing."""
    at = state or make_state(context)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        at.closing.set()
        await at.gateway.close()
        at.store.close()

    handlers = {LykeionError: answer_error, HTTPException: answer_http, Exception: answer_unexpected}
    own = Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers=handlers)
    own.state.platform = at
    own.state.hub = Hub(at.store, at.closing)
    return Proxied(Guard(Fork(own, at.gateway), context.outside.hosts, context.token), context.outside)
