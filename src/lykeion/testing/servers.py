"""Starting servers as an engine would, and asking them over their Unix sockets; every wait is bounded."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from lykeion.core.serving.search import ENVIRONMENT

T = TypeVar("T")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(path: str | Path, target: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    connection = UnixConnection(str(path).removeprefix("unix:"))
    try:
        connection.request(method, target, body, dict(headers or {}))
        got = connection.getresponse()
        return Answer(got.status, got.read(), dict(got.headers))
    finally:
        connection.close()


def until(found: Callable[[], T], seconds: float = 20.0, what: str = "what was waited for") -> T:
    """The first answer that is true. AssertionError when there was none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come about in {seconds} s")


class Running:
    """A server's process, from `with` to `with`'s end."""

    def __init__(self, module: str, socket_path: Path, *arguments: str, log: Path | None = None) -> None:
        self.socket = socket_path
        self.command = [sys.executable, "-m", module, "--socket", str(socket_path), *arguments]
        self.log = log or socket_path.with_suffix(".log")

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env={**os.environ, **ENVIRONMENT})
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def readiness(self) -> dict[str, Any]:
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            found: dict[str, Any] = ask(self.socket, "/readyz").json
        except OSError:
            return {"ready": False, "reason": "does not listen", "addresses": [], "acknowledged": {}}
        return found

    def ready(self, workers: int = 1) -> list[str]:
        """The addresses, once so many workers are ready."""

        def enough() -> list[str]:
            now = self.readiness()
            return list(now["addresses"]) if now["ready"] and len(now["addresses"]) == workers else []

        try:
            return until(enough, 30)
        except AssertionError as late:
            raise AssertionError(f"not ready: {self.readiness()}\n{self.log.read_text()[-4000:]}") from late

    def acknowledged(self, document: str, digest: str) -> None:
        until(lambda: self.readiness()["acknowledged"].get(document) == digest, 20, f"acknowledgement of {document}")

    def workers(self) -> list[int]:
        """Process ids of the children."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def metrics(self) -> str:
        return ask(self.socket, "/metrics").body.decode()

    def kill_worker(self, which: int = 0) -> None:
        os.kill(self.workers()[which], signal.SIGKILL)
