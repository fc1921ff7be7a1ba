"""Who one is at a registry comes from where `docker login` leaves it; the secret is told to that registry alone, and never to a person."""

import base64
import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import load_pem_x509_certificate

from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.http import Http
from lykeion.adapters.registry.logins import Login, login_for
from lykeion.adapters.registry.push import push
from lykeion.core.content import digest_of
from lykeion.core.images.oci import TAR, Layer, Settings, image
from lykeion.core.images.references import parse_reference
from lykeion.errors import Invalid, LykeionError, Unavailable
from lykeion.testing.registries import CNCF, DEBIAN, PASSWORD, USER, RealRegistry, line_to, registry_program

ANY = digest_of(b"any")


@pytest.fixture(autouse=True)
def no_logins(tmp_path, monkeypatch):
    """Nobody has logged in anywhere."""
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    (tmp_path / "docker").mkdir()


def log_in(tmp_path: Path, config: dict[str, object]) -> None:
    (tmp_path / "docker" / "config.json").write_text(json.dumps(config))


def entry(user: str, secret: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


# where logins are ---------------------------------------------------------------------------------------------------------------


def test_nobody_logged_in_is_no_login():
    assert login_for("registry.example") is None


@pytest.mark.parametrize("name", ["registry.example:5000", "https://registry.example:5000/v1/", "http://registry.example:5000"])
def test_a_login_is_found_by_its_host_however_it_was_written(tmp_path, name):
    log_in(tmp_path, {"auths": {"other": entry("x", "y"), name: entry("me", "se:cret")}})
    found = login_for("registry.example:5000")
    assert (found.user, found.secret) == ("me", "se:cret")
    assert found.source.endswith("config.json")
    assert "se:cret" not in repr(found)


def test_an_identity_token_and_a_plain_user_are_read_too(tmp_path):
    log_in(tmp_path, {"auths": {"a.example": {"identitytoken": "T"}, "b.example": {"username": "u", "password": "p"}, "c.example": {}}})
    assert login_for("a.example").token == "T"
    assert (login_for("b.example").user, login_for("b.example").secret) == ("u", "p")
    assert login_for("c.example") is None


def test_podmans_file_counts_before_dockers(tmp_path, monkeypatch):
    log_in(tmp_path, {"auths": {"r.example": entry("docker", "x")}})
    (tmp_path / "auth.json").write_text(json.dumps({"auths": {"r.example": entry("podman", "x")}}))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    assert login_for("r.example").user == "podman"


def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def test_a_credential_helper_is_asked(tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, 'read host; printf \'{"ServerURL": "%s", "Username": "me", "Secret": "from-the-helper"}\' "$host"')
    log_in(tmp_path, {"credHelpers": {"r.example": "test"}})
    assert login_for("r.example").secret == "from-the-helper"
    assert login_for("other.example") is None


def test_a_helper_that_keeps_a_token_says_so(tmp_path, monkeypatch):
    helper(tmp_path, monkeypatch, 'printf \'{"Username": "<token>", "Secret": "T"}\'')
    log_in(tmp_path, {"credsStore": "test"})
    assert (login_for("r.example").token, login_for("r.example").user) == ("T", "")


@pytest.mark.parametrize("script", ["exit 1", "echo no JSON", "echo '[]'"])
def test_a_helper_that_has_nothing_leaves_the_file_to_say_it(tmp_path, monkeypatch, script):
    helper(tmp_path, monkeypatch, script)
    log_in(tmp_path, {"credsStore": "test", "auths": {"r.example": entry("file", "x")}})
    assert login_for("r.example").user == "file"


def test_what_cannot_be_read_is_said_with_the_file(tmp_path):
    log_in(tmp_path, {"credsStore": "is-not-installed"})
    with pytest.raises(Invalid, match="docker-credential-is-not-installed, which keeps the logins, cannot be run"):
        login_for("r.example")
    log_in(tmp_path, {"auths": {"r.example": {"auth": "%%%"}}})
    with pytest.raises(Invalid, match="log in again"):
        login_for("r.example")
    (tmp_path / "docker" / "config.json").write_text("{")
    with pytest.raises(Invalid, match=r"config\.json: logins cannot be read"):
        login_for("r.example")


# what they open -----------------------------------------------------------------------------------------------------------------


def pushed(store, registry: Registry, host: str, name: str) -> str:
    blob = store.add([name.encode()], TAR)
    made = image([Layer(blob, blob.digest)], Settings())
    return push(store, made, registry, parse_reference(f"{host}/{name}:1")).reference.digest


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, certificate):
    """A registry that asks for a user and a password, over TLS."""
    if registry_program() is None:
        pytest.skip(f"{DEBIAN} is not installed (scripts/registry installs it)")
    with RealRegistry(tmp_path_factory.mktemp("guarded"), auth="basic", tls=certificate) as server:
        yield server


def test_a_password_opens_a_registry_behind_tls(store, guarded, certificate, name, opened):
    registry = opened(guarded.host, Login(USER, PASSWORD), plain=False, ca=certificate[0])
    digest = pushed(store, registry, guarded.host, name)
    assert registry.digest(name, "1") == digest


@pytest.mark.parametrize(
    ("login", "told"),
    [
        (None, r"who asks as nobody is not let in \(401\).*log in: docker login"),
        (Login("lykeion", "wrong-secret", source="/home/me/config.json"), r"as lykeion, from /home/me/config.json is not let in"),
    ],
)
def test_who_is_not_let_in_is_told_which_login_was_used_but_not_its_secret(guarded, certificate, login, told, opened):
    with pytest.raises(Invalid, match=told) as refusal:
        opened(guarded.host, login, plain=False, ca=certificate[0]).has_blob("a", ANY)
    assert "wrong-secret" not in str(refusal.value)


def test_a_certificate_that_nobody_signed_is_refused_with_the_way_out(guarded, opened):
    with pytest.raises(Unavailable, match=r"no secure connection.*certs\.d"):
        opened(guarded.host, plain=False, pause=lambda _: None).has_blob("a", ANY)


def test_a_file_that_holds_no_certificates_is_said(tmp_path):
    (tmp_path / "ca.crt").write_text("nothing")
    with pytest.raises(Invalid, match=r"ca\.crt: no certificates can be read"):
        Http("r.example", ca=tmp_path / "ca.crt")


def test_plain_http_where_tls_is_spoken_is_no_registry(guarded, opened):
    with pytest.raises(LykeionError, match=r"refused \(400\)|is .* one"):
        opened(guarded.host, plain=True, pause=lambda _: None).tags("a")


def test_nobody_there_is_said_at_once_in_a_sentence(opened):
    with pytest.raises(Unavailable, match=r"nobody answers there .*is the registry running"):
        opened("127.0.0.1:1", pause=lambda _: None).tags("a")


# tokens -------------------------------------------------------------------------------------------------------------------------


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """Gives signed tokens (JWT, ES256) for whatever scope USER asks for; to others for reading only."""

    def __init__(self, certificate: tuple[Path, Path]) -> None:
        self.key = serialization.load_pem_private_key(certificate[1].read_bytes(), None)
        der = load_pem_x509_certificate(certificate[0].read_bytes()).public_bytes(serialization.Encoding.DER)
        self.header = encoded(json.dumps({"alg": "ES256", "typ": "JWT", "x5c": [base64.b64encode(der).decode()]}).encode())
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                said = self.headers.get("Authorization", "")
                known = said == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                actions = sorted(" ".join(query.get("scope", [])).rpartition(":")[2].split(","))  # a registry says them in any order
                outer.asked.append((USER if known else "", ",".join(actions)))
                if said and not known:
                    self.send_error(401)
                    return
                body = json.dumps({"token": outer.token(query, known)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()

    def token(self, query: dict[str, list[str]], known: bool) -> str:
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = [action for action in actions.split(",") if known or action == "pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {
            "iss": "test",
            "aud": "registry",
            "sub": USER,
            "iat": now,
            "nbf": now - 10,
            "exp": now + 300,
            "jti": "1",
            "access": access,
        }
        signed = f"{self.header}.{encoded(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def tokens(certificate):
    server = TokenServer(certificate)
    yield server
    server.close()


@pytest.fixture
def issued(tmp_path, certificate, tokens):
    """CNCF's registry, which takes the tokens of `tokens`."""
    if registry_program(CNCF) is None:
        pytest.skip(f"{CNCF} is not installed (scripts/registry builds it)")
    realm = f"http://127.0.0.1:{tokens.server.server_port}/token"
    auth = f"auth: {{token: {{realm: '{realm}', service: registry, issuer: test, rootcertbundle: {certificate[0]}, signingalgorithms: [ES256]}}}}"
    with RealRegistry(tmp_path / "issued", CNCF, auth=auth) as server:
        yield server


def test_tokens_are_fetched_for_what_is_done_and_used_again(store, issued, tokens, name, opened):
    registry = opened(issued.host, Login(USER, PASSWORD))
    digest = pushed(store, registry, issued.host, name)
    assert registry.digest(name, "1") == digest
    assert (USER, "pull,push") in tokens.asked
    assert len(tokens.asked) == len(set(tokens.asked)) <= 2


def test_who_may_only_read_is_not_let_write(store, issued, name, opened):
    with pytest.raises(Invalid, match=r"who asks as nobody (is not let in|may not do this)"):
        pushed(store, opened(issued.host), issued.host, name)


def test_a_token_server_that_does_not_know_the_login_is_named(issued, opened):
    with pytest.raises(Invalid, match=r"its token server at 127\.0\.0\.1") as refusal:
        opened(issued.host, Login(USER, "wrong-secret")).tags("a")
    assert "wrong-secret" not in str(refusal.value)


# other hosts --------------------------------------------------------------------------------------------------------------------


def test_another_host_that_a_registry_sends_us_to_is_not_told_who_we_are(store, guarded, certificate, name, tmp_path, opened):
    """Storage behind a registry is elsewhere: it must not get the password."""
    seen: list[dict[str, str]] = []

    class Storage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            if self.path.startswith("/v2/"):
                if "Authorization" not in self.headers:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="x"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(307)
                self.send_header("Location", f"http://localhost:{self.server.server_port}/elsewhere")  # another name: another host
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"abc")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Storage) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            with opened(f"127.0.0.1:{server.server_port}", Login(USER, PASSWORD)) as registry:
                assert b"".join(registry.blob(name, digest_of(b"abc"))) == b"abc"
        finally:
            server.shutdown()
            thread.join()
    assert ["Authorization" in headers for headers in seen] == [False, True, False]


@pytest.mark.parametrize(("status", "told"), [(429, "asks for fewer requests"), (500, "the registry failed"), (503, "the registry failed")])
def test_what_may_go_better_is_tried_again_after_the_pause_that_is_asked_for(status, told, opened):
    left = [status] * 2

    class Busy(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(left.pop() if left else 200)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            pauses: list[float] = []
            with opened(f"127.0.0.1:{server.server_port}", pause=pauses.append) as registry:
                assert registry.has_blob("a", ANY)
                assert pauses == [7.0, 7.0]
                left += [status] * 5
                with pytest.raises(Unavailable, match=told):
                    registry.has_blob("a", ANY)
        finally:
            server.shutdown()
            thread.join()


def test_a_registry_that_goes_away_and_comes_back_is_waited_for(store, tmp_path, name, opened):
    if registry_program() is None:
        pytest.skip(f"{DEBIAN} is not installed (scripts/registry installs it)")
    server = RealRegistry(tmp_path / "r")
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            server.start()

    try:
        pushed(store, opened(server.host, pause=pause), server.host, name)
    finally:
        server.stop()
    assert len(waited) == 2


def test_the_line_of_the_tests_cuts_what_it_is_told_to_cut(guarded, opened):
    with line_to(guarded.port) as line:
        line.cut_up = lambda _sent, _connection: True
        with pytest.raises(Unavailable):
            opened(line.host, plain=False, pause=lambda _: None).tags("a")
