"""Who may ask: by the names of this machine only, search for everybody, and all else with the token of the install.

Two kinds of stranger can reach a port of loopback. A page that is open in the same browser is kept out by the Host header (a name of its
own that it points at 127.0.0.1 is refused) and by the Origin header. Another user of the machine can write any header, so that neither
proves anything of him: he does not know the token.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lykeion.dashboard.problems import problem

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
SEARCHES = "/v1/search/"  # a search is a POST that changes nothing
SAMPLES = "/api/v1/pictures"  # what the search page offers to begin with
CLOSED = ("/api/", "/metrics")  # what nobody may read without the token, samples aside
TOKEN_HEADER = "x-lykeion-token"

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


REMEDY = "`lykeion open` opens the pages with it; programs send `Authorization: Bearer` with what is in the file `token` of the home."


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    detail: str


def host_name(host: str) -> str:
    """ "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]"."""
    if host.startswith("["):
        return host[: host.find("]") + 1].lower()
    return host.rsplit(":", 1)[0].lower()


def is_open(method: str, path: str) -> bool:
    """Whether everybody who reaches the port may ask this: search with its pictures, pages (empty until they may read), health."""
    if method in READING:
        return path == SAMPLES or not path.startswith(CLOSED)
    return path.startswith(SEARCHES)


def shown_token(headers: Mapping[str, str]) -> str:
    """What a request shows as the token: pages in a header of our own, programs as `Authorization: Bearer`. "": nothing."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return headers.get(TOKEN_HEADER) or (bearer.strip() if scheme.lower() == "bearer" else "")


def refusal(method: str, path: str, headers: Mapping[str, str], *, hosts: Iterable[str], token: str) -> Refusal | None:
    """Why a request is not let in, or None. `headers` by lower-case name."""
    host = headers.get("host", "").lower()
    named = {name.lower() for name in hosts}
    if host_name(host) not in LOOPBACK | {host_name(name) for name in named}:
        asked = repr(host) if host else "a request without a Host header"
        return Refusal(421, f"This port does not answer for {asked}; ask for 127.0.0.1 or localhost, or start it with --host NAME.")
    origin = headers.get("origin")
    same = origin is None or origin.lower().removeprefix("https://").removeprefix("http://") in {host, *named}
    if method not in READING and not same:
        return Refusal(403, f"Pages of {origin} may not send requests here.")
    if is_open(method, path):
        return None
    shown = shown_token(headers)
    if not shown:
        return Refusal(401, f"This needs the token of the install. {REMEDY}")
    if not hmac.compare_digest(shown.encode("latin-1", "replace"), token.encode()):
        return Refusal(401, f"This is not the token of the install. {REMEDY}")
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
        several = sum(name == b"host" for name, _ in scope["headers"]) > 1  # whoever stands before us may have taken the other one
        refused = (
            Refusal(400, "A request has one Host header.")
            if several
            else refusal(scope["method"], scope["path"], headers, hosts=self.hosts, token=self.token)
        )
        if refused is None:
            kept = [(name, value) for name, value in scope["headers"] if name not in (TOKEN_HEADER.encode(), b"authorization")]
            await self.app({**scope, "headers": kept}, receive, send_guarded)  # what is behind the port need not know the token
        else:
            challenge = {"www-authenticate": "Bearer"} if refused.status == 401 else None
            await problem(refused.status, refused.detail, headers=challenge)(scope, receive, send_guarded)
