"""A small HTTP server on a Unix socket that does what its arguments say, and a platform that keeps it up."""

import json
import socket
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lykeion.adapters.local.children import LocalChildren
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.services import Services
from lykeion.core.values import Child, ModelVersion, Ref, Service
from lykeion.testing.clock import FakeClock
from lykeion.testing.servers import until

SERVER = textwrap.dedent(
    """
    import hashlib, http.server, json, os, pathlib, signal, socketserver, sys, threading, time
    path, documents, *options = sys.argv[1:]
    options = dict(option.split("=") for option in options)
    born = time.monotonic()
    if "crash" in options:
        print("cannot go on: " + options["crash"], file=sys.stderr)
        sys.exit(3)

    if "eat" in options:
        eaten = bytearray(int(options["eat"]))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def address_string(self): return "-"
        def log_message(self, *_): pass
        def do_GET(self):
            if self.path == "/slow":
                time.sleep(0.5)
            ready = time.monotonic() - born >= float(options.get("after", 0))
            said = {p.stem: "sha256:" + hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(documents).glob("*.json")}
            body = json.dumps({"ready": ready, "reason": "" if ready else "warming up", "addresses": ["unix:" + path],
                               "acknowledged": said, "pid": os.getpid(), "version": options.get("version")}).encode()
            self.send_response(200 if ready else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = False
        request_queue_size = 64
        def get_request(self):
            request, _ = super().get_request()
            return request, ("unix", 0)

    server = Server(path, Handler)
    def stop(*_):
        if "deaf" not in options:
            threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    if "child" in options and os.fork() == 0:
        os.setsid() if options["child"] == "escapes" else None
        time.sleep(600)
    server.serve_forever(0.02)
    server.server_close()
    """
)
OWNER = Ref("Serving", "photos")


class Platform:
    """A home with its services, and the loop that drives them."""

    owner = OWNER

    def __init__(self, folder: Path, mount: Callable[[ModelVersion], None] = lambda model: None) -> None:
        self.home = Home.at(folder / "home")
        self.script = folder / "server.py"
        self.script.write_text(SERVER)
        self.services = Services(self.home, FakeClock(), mount)
        self.children = LocalChildren(self.home, None, self.services, mount=mount)

    def service(self, *options: str, name: str = "photos", **fields: Any) -> Service:
        return Service(name, OWNER, ("python", str(self.script), "{socket}", "{documents}", *options), **fields)

    def child(self, name: str = "photos") -> Child:
        return self.children.observe(OWNER)[name]

    def until(self, holds: Callable[[], object], seconds: float = 15.0) -> None:
        until(holds, seconds, rest=self.children.wait, every=0.1, seen=lambda: self.children.observe(OWNER))

    def up(self, *options: str, **fields: Any) -> Child:
        self.children.apply(self.service(*options, **fields))
        self.until(lambda: self.child().ready == fields.get("replicas", 1))
        return self.child()

    def processes(self) -> list[int]:
        return [replica.process.pid for kept in self.services.kept.values() for replica in kept.all if replica.process]

    @staticmethod
    def ask(address: str, path: str = "/readyz") -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(address.removeprefix("unix:"))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            received = b"".join(iter(lambda: client.recv(65536), b""))
        return json.loads(received.partition(b"\r\n\r\n")[2])

    @staticmethod
    def alive(process: int) -> bool:
        return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def platform_of() -> Callable[..., Platform]:
    """Platforms that the test closes itself."""
    return Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    made = Platform(tmp_path)
    yield made
    made.children.close()
