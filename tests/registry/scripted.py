"""A registry in memory that tells the truth but for what a test has it say instead."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from lykeion.core.content import digest_of
from lykeion.core.images.oci import MANIFEST, Image


@dataclass
class Said:
    """An answer. A body that is no bytes is sent piece by piece, without a length, until the other side has enough."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """`instead` is asked before the truth is told: (method, path below the repository, "tags/list" for instance) -> answer or None."""

    host: str = ""
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    instead: Callable[[str, str], Said | None] = lambda _method, _path: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0  # bytes of bodies
    told: bytes = b""  # the body of what was asked last

    def holds(self, image: Image, *blobs: bytes, tag: str = "1") -> None:
        self.manifests |= dict.fromkeys((tag, image.digest), (MANIFEST, image.manifest))
        self.blobs |= {digest_of(blob): blob for blob in (image.config, *blobs)}

    def says(self, said: Said, *, method: str = "", path: str = "") -> None:
        """Give this answer wherever method and path begin so."""
        self.instead = lambda asked, where: said if asked.startswith(method) and where.startswith(path) else None

    def answer(self, method: str, path: str) -> Said:
        kind, _, rest = path.partition("/")
        if said := self.instead(method, path):
            return said
        if method == "POST":
            return Said(202, headers={"Location": "/v2/team/it/blobs/uploads/1"})
        if method in ("PUT", "PATCH", "DELETE"):
            return Said(201 if method == "PUT" else 202, headers={"Location": "/v2/team/it/blobs/uploads/1"})
        if kind == "manifests" and rest in self.manifests:
            media_type, data = self.manifests[rest]
            return Said(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(data)})
        if kind == "blobs" and rest in self.blobs:
            return Said(200, self.blobs[rest])
        return Said(404)


@contextmanager
def scripted() -> Iterator[Scripted]:
    """It has one repository, "team/it"."""
    registry = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            registry.told = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.removeprefix("/v2/team/it/").partition("?")[0]
            registry.asked.append((self.command, path))
            said = registry.answer(self.command, path)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if isinstance(said.body, bytes):
                self.send_header("Content-Length", str(len(said.body)))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            with suppress(OSError):  # the other side hung up
                for piece in () if self.command == "HEAD" else [said.body] if isinstance(said.body, bytes) else said.body:
                    self.wfile.write(piece)
                    registry.sent += len(piece)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    registry.host = f"127.0.0.1:{server.server_port}"
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
