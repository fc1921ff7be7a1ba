"""Asking a registry: who one is, what is tried again, and what an answer that is no good means, in a sentence.

Source: OCI distribution specification 1.1 (https://github.com/opencontainers/distribution-spec).
"""

import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ProtocolError, SSLError

from lykeion.adapters.registry.logins import Login
from lykeion.core.content import read_json
from lykeion.core.images.auth import challenges, token_url
from lykeion.errors import Conflict, Invalid, LykeionError, NotFound, Problem, Unavailable

TRIES = 5
FIRST_PAUSE = 0.25  # seconds; doubled each time
LONGEST_PAUSE = 30.0
SECONDS = urllib3.Timeout(connect=10.0, read=300.0)
LARGEST_REST = 1 << 16  # bytes of an answer that are read to be thrown away
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
Body = Callable[[], Iterable[bytes]]  # asked for anew at each try
Answer = urllib3.BaseHTTPResponse


def is_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name in ("localhost", "[::1]") or name.startswith("127.")


class Http:
    """One registry. `plain`: over http; None: where it is on loopback. `ca`: a file of certificates that are trusted besides."""

    def __init__(
        self,
        host: str,
        login: Login | None = None,
        plain: bool | None = None,
        ca: Path | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.host, self.login, self.pause = host, login, pause
        is_plain = is_loopback(host) if plain is None else plain
        self.root = f"{'http' if is_plain else 'https'}://{host}"
        trusted = None if is_plain else trusting(host, ca)  # reading the system's certificates takes 50 ms
        self.pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=SECONDS, ssl_context=trusted)
        self.authorizations: dict[str, str] = {}  # by scope

    def ask(
        self,
        method: str,
        place: str,
        *,
        scope: str,
        good: Collection[int],
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        once: bool = False,
    ) -> Answer:
        """The answer whose status is in `good`; its body is still to be read. `place`: a path, or a URL that the registry gave.

        What may go better is tried again, unless `once`. Raises the error that fits the status, with what to do.
        """
        number = 0
        while True:
            number += 1
            wanted = FIRST_PAUSE * 2.0 ** (number - 1)  # seconds before the next try
            try:
                answer = self.authorized(method, self.at(f"{self.root}/", place), scope, dict(headers or {}), body)
            except HTTPError as error:
                failed: LykeionError = unreachable(self.host, error)
            else:
                if answer.status in good:
                    return answer
                failed = self.refusal(answer, method, place)
                if answer.status not in AGAIN:
                    raise failed
                if (after := answer.headers.get("Retry-After", "")).isdecimal():
                    wanted = float(after)
            if once or number == TRIES:
                raise failed
            self.pause(min(wanted, LONGEST_PAUSE))

    def close(self) -> None:
        self.pool.clear()

    def at(self, base: str, place: str) -> str:
        """The URL of a place that the registry names. Raises Unavailable where that is none."""
        try:
            return urljoin(base, place)
        except ValueError as error:
            raise Unavailable(f"{self.host} sends us to {place[:100]!r}, which is no place; is it a registry?") from error

    def authorized(self, method: str, url: str, scope: str, headers: dict[str, str], body: Body | None) -> Answer:
        """Ask; where the registry wants to know who we are, say so and ask again. Redirects are followed."""
        answer = self.send(method, url, scope, headers, body)
        if answer.status == 401:
            try:
                known = self.say_who(answer.headers.get("WWW-Authenticate", ""), scope)
            except LykeionError:
                discard(answer)
                raise
            if known:
                discard(answer)
                answer = self.send(method, url, scope, headers, body)
        for _ in range(5):
            if answer.status not in REDIRECTS or method not in ("GET", "HEAD") or "Location" not in answer.headers:
                break
            discard(answer)
            url = self.at(url, answer.headers["Location"])
            answer = self.send(method, url, scope, headers, body)
        return answer

    def send(self, method: str, url: str, scope: str, headers: dict[str, str], body: Body | None) -> Answer:
        mine = urlsplit(url).netloc == self.host  # another host is not told who we are
        said = {"Authorization": self.authorizations[scope]} if mine and scope in self.authorizations else {}
        return self.pool.request(
            method,
            url,
            headers={"User-Agent": "lykeion", **headers, **said},
            body=body() if body else None,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )

    def say_who(self, header: str, scope: str) -> bool:
        """Find out how to be let in; whether there is a way that was not tried."""
        before = self.authorizations.get(scope)
        for challenge in challenges(header):
            if challenge.scheme == "basic" and self.login and self.login.user:
                self.authorizations[scope] = basic(self.login)
            elif challenge.scheme == "bearer" and (url := token_url(challenge, scope)):
                self.authorizations[scope] = f"Bearer {self.token(url)}"
            else:
                continue
            return self.authorizations[scope] != before
        return False

    def token(self, url: str) -> str:
        """Raises Invalid where the token server does not know us, Unavailable where it fails."""
        headers = {"Authorization": basic(self.login)} if self.login and self.login.user else {}
        if self.login and self.login.token:
            asked = dict(parse_qsl(urlsplit(url).query))
            fields = {"grant_type": "refresh_token", "refresh_token": self.login.token, "client_id": "lykeion", **asked}
            answer = self.pool.request("POST", url.partition("?")[0], fields=fields, encode_multipart=False)
        else:
            answer = self.pool.request("GET", url, headers=headers)
        if answer.status in AGAIN:
            raise Unavailable(f"{self.host}: its token server at {urlsplit(url).netloc} answers {answer.status}; try again later")
        if answer.status != 200:
            raise self.not_let_in(answer.status, f": its token server at {urlsplit(url).netloc} answers {answer.status}")
        try:
            told = read_json(answer.data)
            return str(told.get("token") or told["access_token"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable(f"{self.host}: its token server at {urlsplit(url).netloc} gives no token; is it a registry?") from error

    def refusal(self, answer: Answer, method: str, place: str) -> LykeionError:
        told = reason(answer)
        what = f"{self.host}: {method} {urlsplit(place).path}"
        if answer.status in (401, 403):
            return self.not_let_in(answer.status, told)
        if answer.status == 404:
            return NotFound(f"{what}: there is no such thing there{told}")
        if answer.status == 429:
            return Unavailable(f"{what}: it asks for fewer requests (429){told}; try again later, or log in for a higher limit")
        if answer.status >= 500:
            return Unavailable(f"{what}: the registry failed ({answer.status}){told}; try again later")
        if answer.status in (400, 405, 409, 413, 416):
            return Conflict(f"{what}: it is refused ({answer.status}){told}")
        return Unavailable(f"{what}: an answer that no registry gives ({answer.status}){told}; is {self.host} one?")

    def not_let_in(self, status: int, told: str) -> Invalid:
        who = f"{self.login.user or 'the owner of a token'}, from {self.login.source or 'the caller'}" if self.login else "nobody"
        remedy = f"{'log in with one that may' if self.login else 'log in'}: docker login {self.host}"
        what = "may not do this" if status == 403 else "is not let in"
        return Invalid([Problem(f"{self.host}: who asks as {who} {what} ({status}){told}", remedy=remedy)])


def basic(login: Login) -> str:
    return f"Basic {b64encode(f'{login.user}:{login.secret}'.encode()).decode()}"


def reason(answer: Answer) -> str:
    """What the registry says itself, shortened: ": DENIED: …"; "" where it says nothing that can be read."""
    try:
        first = read_json(answer.read(LARGEST_REST))["errors"][0]
        return f": {first.get('code', '')} {first.get('message', '')}".rstrip()[:200]
    except (HTTPError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return ""
    finally:
        discard(answer)


def discard(answer: Answer) -> None:
    """Read the rest of an answer that nobody wants, so that its connection can be used again; where much follows, the connection goes."""
    with suppress(HTTPError):
        if len(answer.read(LARGEST_REST)) < LARGEST_REST:
            return
    answer.close()


def unreachable(host: str, error: HTTPError) -> Unavailable:
    cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(cause, SSLError):
        remedy = f"put its CA into /etc/docker/certs.d/{host}/ca.crt or SSL_CERT_FILE, or say that it is plain http"
        return Unavailable(f"{host}: no secure connection: {cause}; {remedy}")
    if isinstance(cause, NewConnectionError):
        return Unavailable(f"{host}: nobody answers there ({str(cause).rpartition(': ')[2]}); is the registry running, and the name right?")
    if isinstance(cause, ProtocolError):
        return Unavailable(f"{host}: the connection was cut; try again")
    return Unavailable(f"{host}: {cause}; try again")


def trusting(host: str, ca: Path | None) -> ssl.SSLContext:
    """Raises Invalid where a file of certificates cannot be read."""
    context = ssl.create_default_context()
    beside = Path("/etc/docker/certs.d") / host / "ca.crt"
    for path in [*([ca] if ca else []), *([beside] if beside.exists() else [])]:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise Invalid([Problem(f"no certificates can be read: {error}", file=str(path))]) from error
    return context
