"""What was asked for, where a proxy stands before the port: by which name, below which prefix, by whom.

X-Forwarded-… is believed of proxies that were named, and of nobody else: it is taken away, so that what is behind can rely on it.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import quote, unquote

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from lykeion.dashboard.addresses import Outside, below, root_path_of

FORWARDED = b"x-forwarded-"
PREFIX = b"x-forwarded-prefix"


class Proxied:
    """Gives `app` the Host that the browser asked for, the path without the prefix, and the prefix as `root_path`."""

    def __init__(self, app: ASGIApp, outside: Outside) -> None:
        # X-Forwarded-For and -Proto, which it believes by the same rule
        self.app: ASGIApp = ProxyHeadersMiddleware(app, [str(one) for one in outside.proxies])  # type: ignore[arg-type, assignment]
        self.root_path, self.proxies = outside.root_path, outside.proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(self.seen(scope) if scope["type"] == "http" else scope, receive, send)

    def seen(self, scope: Scope) -> Scope:
        headers = dict(scope["headers"])
        is_believed = self.believes(scope)
        root = prefix_of(headers, self.root_path) if is_believed else self.root_path
        host = last(headers, b"x-forwarded-host") if is_believed else b""
        passed = {b"x-forwarded-for", b"x-forwarded-proto"} if is_believed else set()
        kept = [
            (name, host if name == b"host" and host else value)
            for name, value in scope["headers"]
            if name in passed or not (name.startswith(FORWARDED) or name == b"forwarded")
        ]
        path = below(scope["path"], root)
        return {
            **scope,
            "root_path": root,
            "path": path,
            "raw_path": raw_below(scope.get("raw_path") or quote(scope["path"]).encode(), path, root),
            "headers": [*kept, *([(PREFIX, root.encode())] if root else [])],
        }

    def believes(self, scope: Scope) -> bool:
        address = ip_address(scope["client"][0]) if self.proxies and scope.get("client") else None
        return address is not None and any(address in network for network in self.proxies)


def raw_below(raw: bytes, path: str, root: str) -> bytes:
    """As it was written, where the prefix was written plainly: "%2F" in a name is no "/"."""
    if below(raw.decode("latin-1"), root) != raw.decode("latin-1"):
        return below(raw.decode("latin-1"), root).encode("latin-1")
    return raw if unquote(raw) == path else quote(path).encode()


def last(headers: Mapping[bytes, bytes], name: bytes) -> bytes:
    """What the nearest proxy said: those before it may have been anybody."""
    return headers.get(name, b"").rpartition(b",")[2].strip()


def prefix_of(headers: Mapping[bytes, bytes], otherwise: str) -> str:
    return root_path_of(last(headers, PREFIX).decode("latin-1")) or otherwise
