"""Who may ask: only by the names of this machine, and to write only from our own pages or with the token.

A page of a stranger, open in the same browser, can send requests to loopback. It is kept out by the Host header (a name of its own
that it points at 127.0.0.1 is refused) and by the Origin header (a browser says truly where a writing request comes from).
"""

import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lykeion.dashboard.problems import problem

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
READING_PREFIXES = ("/v1/search/",)  # a search is a POST that changes nothing

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data: blob:",  # blob: the preview of a chosen photo
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    detail: str


def host_name(host: str) -> str:
    """ "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]"."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.rsplit(":", 1)[0].lower()


def refusal(method: str, path: str, headers: Mapping[str, str], *, hosts: Iterable[str], token: str) -> Refusal | None:
    """Why a request is not let in, or None. `headers` by lower-case name."""
    host = headers.get("host", "")
    allowed = LOOPBACK | {name.lower() for name in hosts}
    if host_name(host) not in allowed:
        return Refusal(421, f"This port does not answer for {host or 'a request without a Host header'!r}; ask for 127.0.0.1 or localhost.")
    origin = headers.get("origin")
    same = origin is not None and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
    if method in READING:
        return None
    if origin is not None and not same:
        return Refusal(403, f"Pages of {origin} may not send requests here.")
    if same or path.startswith(READING_PREFIXES):
        return None
    if "authorization" not in headers:
        return Refusal(
            401, "Writing needs a page of this platform, or the header Authorization: Bearer with the token in the home's file `token`."
        )
    shown = headers["authorization"].removeprefix("Bearer ").strip()
    if not hmac.compare_digest(shown.encode("latin-1", "replace"), token.encode()):
        return Refusal(401, "This is not the token; it is in the file `token` of the platform's home.")
    return None


class Guard:
    """Lets in what may come in, and says to the browser with every answer what its page may do."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: str) -> None:
        self.app = app
        self.hosts = frozenset(hosts)
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message.get("headers", ())}
                message["headers"] = [*message.get("headers", ()), *(pair for pair in HEADERS if pair[0] not in present)]
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = refusal(scope["method"], scope["path"], headers, hosts=self.hosts, token=self.token)
        if refused is None:
            await self.app(scope, receive, send_guarded)
        else:
            challenge = {"www-authenticate": "Bearer"} if refused.status == 401 else None
            await problem(refused.status, refused.detail, headers=challenge)(scope, receive, send_guarded)


def token_of(home: Path) -> str:
    """The token of an install, in a file that only its owner can read; made when first asked for, once though many ask at once."""
    path = home / "token"
    beside = home / f".token.{os.getpid()}"
    if not path.exists():
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    return path.read_text().strip()
