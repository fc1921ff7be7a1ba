"""Real image registries on loopback, and a line to them that breaks on purpose; for tests of what pushes and pulls.

`docker-registry` (Debian's 2.8), `registry` (CNCF distribution 3) or `olareg`, which alone lists referrers; scripts/registry installs them.
"""

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lykeion.testing.servers import until

USER, PASSWORD = "lykeion", "open-sesame"
HTPASSWD = f"{USER}:$2b$05$aaaaaaaaaaaaaaaaaaaaauLLvO5DWicQu447dJVOwE9lF8sr9HNEi\n"  # bcrypt of PASSWORD
DEBIAN, CNCF, OLAREG = "docker-registry", "registry-v3.1.2", "olareg-v0.1.2"


def registry_program(name: str = DEBIAN) -> str | None:
    """Where a registry is installed; None where it is not."""
    return shutil.which(name)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RealRegistry:
    """`with RealRegistry(folder) as registry:` — a registry whose blobs lie in `folder`.

    `auth`: "", "basic" (USER, PASSWORD), or a section of its configuration; olareg knows none. `tls`: (certificate, key), files.
    """

    def __init__(self, folder: Path, program: str = DEBIAN, auth: str = "", tls: tuple[Path, Path] | None = None, port: int = 0) -> None:
        found = registry_program(program)
        assert found, f"{program} is not installed"
        self.folder, self.program, self.auth, self.tls = folder, found, auth, tls
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "registry.log"

    def configuration(self) -> str:
        lines = ["version: 0.1", "log: {level: debug}", "storage:", f"  filesystem: {{rootdirectory: {self.folder}/blobs}}"]
        lines += ["  delete: {enabled: true}", "http:", f"  addr: {self.host}"]
        if self.tls:
            lines += ["  tls:", f"    certificate: {self.tls[0]}", f"    key: {self.tls[1]}"]
        if self.auth == "basic":
            (self.folder / "htpasswd").write_text(HTPASSWD)
            lines += ["auth:", f"  htpasswd: {{realm: test, path: {self.folder}/htpasswd}}"]
        elif self.auth:
            lines.append(self.auth)
        return "\n".join(lines) + "\n"

    def command(self) -> list[str]:
        if self.program.endswith(OLAREG):
            blobs = ["--dir", str(self.folder / "blobs"), "--api-delete", "--api-blob-delete"]
            tls = ["--tls-cert", str(self.tls[0]), "--tls-key", str(self.tls[1])] if self.tls else []
            return [self.program, "serve", "--addr", "127.0.0.1", "--port", str(self.port), *blobs, *tls]
        (self.folder / "config.yml").write_text(self.configuration())
        return [self.program, "serve", str(self.folder / "config.yml")]

    def start(self) -> None:
        (self.folder / "blobs").mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        until(self.answers, what=f"the registry at {self.host}: {self.log.read_text()[-500:]}")

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def never(_sent: int, _connection: int) -> bool:
    return False


def hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Line:
    """A TCP line to a registry that counts what travels up, and does what a test says with it.

    `cut_up`, `cut_down`: (bytes so far on this connection, its number) -> whether it is cut now.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.up = self.down = self.connections = 0
        self.cut_up: Callable[[int, int], bool] = never
        self.cut_down: Callable[[int, int], bool] = never
        self.threads: list[threading.Thread] = []
        self.ends: list[socket.socket] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.to))
            self.ends += [client, server]
            self.run(self.pump, client, server, True, self.connections)
            self.run(self.pump, server, client, False, self.connections)

    def run(self, what: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=what, args=given, daemon=True)
        self.threads.append(thread)
        thread.start()

    def pump(self, source: socket.socket, target: socket.socket, is_up: bool, number: int) -> None:
        sent = 0
        with suppress(OSError):  # the other side was cut
            while data := source.recv(1 << 16):
                sent += len(data)
                if is_up:
                    self.up += len(data)
                else:
                    self.down += len(data)
                if (self.cut_up if is_up else self.cut_down)(sent, number):
                    break
                target.sendall(data)
        hang_up(source, target)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a port of loopback, for as long as the block lasts."""
    line = Line(port)
    line.run(line.accept)
    try:
        yield line
    finally:
        hang_up(line.listener, *line.ends)
        for thread in line.threads:
            thread.join(5)
        for end in (line.listener, *line.ends):
            end.close()
