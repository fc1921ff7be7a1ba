"""Starting servers as an engine would, and asking them over their Unix sockets; every wait is bounded."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from lykeion.core.serving.search import environment

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
    """Of a request. The headers' names are in small letters."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answer_of(sent: Sequence[Mapping[str, Any]]) -> Answer:
    """From what an ASGI application has sent."""
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]), headers)


def ask(path: str | Path, target: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    return ask_over(UnixConnection(str(path).removeprefix("unix:")), target, method, body, headers)


def ask_over(
    connection: http.client.HTTPConnection, target: str, method: str, body: bytes | None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request, and the connection's end. Raises OSError or HTTPException where nobody answers."""
    try:
        connection.request(method, target, body, dict(headers or {}))
        got = connection.getresponse()
        return Answer(got.status, got.read(), {name.lower(): value for name, value in got.getheaders()})
    finally:
        connection.close()


def until(
    found: Callable[[], T],
    seconds: float = 60.0,
    what: str = "what was waited for",
    *,
    rest: Callable[[float], object] = time.sleep,
    every: float = 0.02,
    seen: Callable[[], object] = str,
) -> T:
    """The first answer that is true. AssertionError when there was none in time, with what was `seen` instead.

    `rest` lets time pass between two looks, `every` is how much.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        rest(every)
    raise AssertionError(f"{what} did not come about in {seconds} s {seen()}".rstrip())


async def until_others(found: Callable[[], object], seconds: float = 20.0) -> None:
    """Let the others of this loop go on until it is true."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, f"what was waited for did not come about in {seconds} s"
        await asyncio.sleep(0.002)


class Crowd:
    """Threads that ask over and over, from `with` to `with`'s end: each does `once(its number)` after `once(its number)`."""

    def __init__(self, threads: int) -> None:
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(threads)]

    def once(self, number: int) -> None:
        raise NotImplementedError

    def run(self, number: int) -> None:
        while not self.over.is_set():
            self.once(number)

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(40)


class Running:
    """A server's process, from `with` to `with`'s end."""

    def __init__(self, module: str, socket_path: Path, *arguments: str, log: Path | None = None) -> None:
        self.module, self.socket = module, socket_path
        self.command = [sys.executable, "-m", module, "--socket", str(socket_path), *arguments]
        self.log = log or socket_path.with_suffix(".log")

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env={**os.environ, **environment(self.module)})
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
