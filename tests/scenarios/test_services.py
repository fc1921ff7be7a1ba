"""Services as real processes: a small HTTP server on a Unix socket that does what its arguments say."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lykeion.adapters.local.children import LocalChildren
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.services import Services
from lykeion.core.content import digest_of_value
from lykeion.core.values import Child, Document, ModelVersion, Ref, Route, Service, Target
from lykeion.errors import Unavailable
from lykeion.testing.clock import FakeClock

SERVER = textwrap.dedent(
    """
    import hashlib, http.server, json, os, pathlib, signal, socketserver, sys, threading, time
    path, documents, *options = sys.argv[1:]
    options = dict(option.split("=") for option in options)
    born = time.monotonic()
    if "crash" in options:
        print("cannot go on: " + options["crash"], file=sys.stderr)
        sys.exit(3)

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
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"did not come to pass: {self.children.observe(OWNER)}"
            self.children.wait(0.1)

    def up(self, *options: str, **fields: Any) -> Child:
        self.children.apply(self.service(*options, **fields))
        self.until(lambda: self.child().ready == fields.get("replicas", 1))
        return self.child()

    def processes(self) -> list[int]:
        return [replica.process.pid for kept in self.services.kept.values() for replica in kept.all if replica.process]


def ask(address: str, path: str = "/readyz") -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(address.removeprefix("unix:"))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = b"".join(iter(lambda: client.recv(65536), b""))
    return json.loads(received.partition(b"\r\n\r\n")[2])


def alive(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    made = Platform(tmp_path)
    yield made
    made.children.close()


def test_a_service_is_ready_when_it_says_so_and_not_before(platform: Platform) -> None:
    platform.children.apply(platform.service("after=0.6"))
    platform.until(lambda: platform.child().message == "warming up")
    assert (platform.child().phase, platform.child().addresses) == ("Pending", ())
    platform.until(lambda: platform.child().ready)
    child = platform.child()
    assert child.phase == "Running"
    assert ask(child.addresses[0])["ready"] is True


def test_applying_the_same_again_changes_nothing(platform: Platform) -> None:
    before = platform.up().addresses
    platform.children.apply(platform.service())
    platform.children.wait(0.2)
    assert platform.child().addresses == before


def test_a_killed_replica_comes_back(platform: Platform) -> None:
    first = ask(platform.up().addresses[0])["pid"]
    os.kill(first, signal.SIGKILL)
    platform.until(lambda: not platform.child().ready)
    assert (platform.child().reason, "SIGKILL" in platform.child().message) == ("Restarting", True)
    platform.until(lambda: platform.child().ready)
    assert ask(platform.child().addresses[0])["pid"] != first


def test_a_service_that_cannot_live_is_failed_with_its_last_words(platform: Platform) -> None:
    platform.children.apply(platform.service("crash=no disk"))
    platform.until(lambda: platform.child().phase == "Failed")
    child = platform.child()
    assert child.reason == "CrashLoopBackOff"
    assert "exit code 3" in child.message
    assert child.log_tail.endswith("cannot go on: no disk")


def test_a_program_that_is_not_there_is_failed_with_its_name(platform: Platform) -> None:
    platform.children.apply(Service("photos", OWNER, ("no-such-program",)))
    platform.until(lambda: platform.child().phase == "Failed")
    assert "no-such-program: cannot be started: No such file" in platform.child().log_tail


def test_a_changed_service_is_replaced_without_a_gap(platform: Platform) -> None:
    platform.children.apply(Route("r", OWNER, "/v1", (Target("photos"),)))
    platform.up("version=1")
    platform.children.apply(platform.service("version=2", "after=0.4"))
    versions: list[str] = []

    def all_moved() -> bool:
        (route,) = json.loads(platform.home.routes.read_bytes())
        versions.append(ask(route["targets"][0]["addresses"][0])["version"])
        return versions[-1] == "2" and len(platform.processes()) == 1

    platform.until(all_moved)
    assert versions == sorted(versions)
    assert set(versions) == {"1", "2"}


def test_a_new_version_that_never_becomes_ready_leaves_the_old_one_answering(platform: Platform) -> None:
    platform.up("version=1")
    platform.children.apply(platform.service("crash=bad"))
    platform.until(lambda: platform.services.kept["photos"].replicas[0].crashes.count >= 3)
    assert ask(platform.child().addresses[0])["version"] == "1"
    platform.children.apply(platform.service("version=3"))
    platform.until(lambda: ask(platform.child().addresses[0])["version"] == "3")


def test_replicas_are_added_and_taken_away(platform: Platform) -> None:
    one = platform.up().addresses
    three = platform.up(replicas=3).addresses
    assert len(set(three)) == 3
    assert set(one) < set(three)
    platform.up(replicas=1)
    platform.until(lambda: len(platform.processes()) == 1)
    assert platform.child().addresses == one


def test_a_request_under_way_is_finished_when_the_service_goes(platform: Platform) -> None:
    address = platform.up().addresses[0].removeprefix("unix:")
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    platform.children.wait(0.1)
    platform.children.delete("photos")
    platform.until(lambda: not platform.children.observe(OWNER))
    client.settimeout(5)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    client.close()


def test_one_that_does_not_hear_is_killed_when_its_time_is_over(platform: Platform) -> None:
    platform.up("deaf=1", drain=0.3)
    (process,) = platform.processes()
    platform.children.delete("photos")
    platform.until(lambda: not platform.children.observe(OWNER))
    assert not alive(process)


@pytest.mark.parametrize("how", ["stays", "escapes"])
def test_nothing_survives_a_kill_of_the_platform(tmp_path: Path, how: str) -> None:
    """The service dies with it at once; what had left its group, when the next platform starts."""
    Platform(tmp_path).children.close()
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_services import Platform
platform = Platform(Path({str(tmp_path)!r}))
child = platform.up("child={how}")
print(*platform.processes(), flush=True)
platform.until(lambda: False, 60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    service = int(parent.stdout.readline())
    grandchildren = [child.pid for child in psutil.Process(service).children(recursive=True)]
    assert grandchildren
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 5
    while alive(service):
        assert time.monotonic() < end
    Platform(tmp_path).children.close()
    assert not any(map(alive, grandchildren))


def test_close_leaves_nothing_running(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    platform.up(replicas=2)
    processes = platform.processes()
    platform.children.close()
    assert len(processes) == 2
    assert not any(map(alive, processes))
    assert json.loads(platform.home.routes.read_bytes()) == []


def test_a_document_is_followed_and_acknowledged(platform: Platform) -> None:
    platform.up()
    content = {"b": 1, "a": ["ü"]}
    platform.children.apply(Document("photos-cover", OWNER, content))
    child = platform.child("photos-cover")
    assert child.digest == digest_of_value(content)
    assert child.content == content
    platform.until(lambda: platform.child().acknowledged.get("photos-cover") == child.digest, 3)


def test_a_document_outlives_the_platform_with_its_owner(platform: Platform, tmp_path: Path) -> None:
    platform.children.apply(Document("photos-cover", OWNER, {"family": "photos"}))
    again = LocalChildren(platform.home, mount=lambda model: None)
    assert again.observe(OWNER)["photos-cover"] == platform.child("photos-cover")
    again.delete("photos-cover")
    assert not (platform.home.documents / "photos-cover.json").exists()
    again.close()


def test_models_are_mounted_first_and_a_mount_that_fails_is_told(tmp_path: Path) -> None:
    there: set[ModelVersion] = set()

    def mount(model: ModelVersion) -> None:
        if model not in there:
            raise Unavailable("the store does not answer")

    model = ModelVersion("photos", 1, "sha256:0")
    platform = Platform(tmp_path, mount)
    document = Document("photos-load", OWNER, {"load": [1]}, models=(model,))
    platform.children.apply(platform.service(models=(model,)))
    platform.children.apply(document)
    assert (platform.child().phase, platform.child().reason) == ("Failed", "MountFailed")
    assert platform.child("photos-load").message == "the store does not answer"
    assert not (platform.home.documents / "photos-load.json").exists()
    there.add(model)
    platform.children.apply(document)
    assert (platform.home.documents / "photos-load.json").exists()
    platform.services.kept["photos"].try_at = 0.0
    platform.until(lambda: platform.child().ready)
    platform.children.close()


def test_a_process_that_hangs_does_not_hold_up_the_loop(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    (process,) = [ask(platform.up().addresses[0])["pid"]]
    os.kill(process, signal.SIGSTOP)
    began = time.monotonic()
    while time.monotonic() < began + 1.5:
        before = time.monotonic()
        platform.children.work()
        assert time.monotonic() - before < 0.25
        platform.children.wait(0.05)
    os.kill(process, signal.SIGCONT)
