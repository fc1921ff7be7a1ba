"""The engine's end of the warm parents: one light one, and one for each set of imports that steps lately needed."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lykeion.adapters.local.containment import HOME_TOKEN, kill_tokened
from lykeion.adapters.local.warm_parent import IN_STEPS, ONE_THREAD, READY, REQUEST_BYTES

ALIVE = 3  # parents with imports at a time
IDLE_SECONDS = 60.0
READY_SECONDS = 120.0
END_SECONDS = 0.5
ANSWER_BYTES = 1 << 12
PROGRAM = (
    "import sys; from lykeion.adapters.local.warm_parent import main; main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])"
)


class Ended(NamedTuple):
    """A step that ended, and all that it started with it. `cpu` in seconds."""

    attempt: str
    code: int
    cpu: float


@dataclass(slots=True)
class Parent:
    """One warm parent. `busy`: how many steps it has; `since`: when that last changed (monotonic)."""

    imports: tuple[str, ...]
    process: subprocess.Popen[bytes]
    socket: socket.socket
    token: str
    log: Path
    busy: int = 0
    ready: bool = False
    since: float = 0.0

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, request: Mapping[str, Any], lock: int) -> None:
        """Ask for a step. Raises OSError where the parent is gone."""
        socket.send_fds(self.socket, [json.dumps(request).encode()], [lock])
        self.busy += 1

    def kill(self, attempt: str) -> None:
        """Ask for the end of a step, and of all that it started."""
        with suppress(OSError):  # gone, and its steps with it
            self.socket.send(json.dumps({"kill": attempt}).encode())

    def hear(self) -> Ended | None:
        """The next step that ended; None where it says that it is ready. Raises ConnectionError where it is gone."""
        try:
            message = self.socket.recv(ANSWER_BYTES)
        except ConnectionResetError:  # it died with something of ours unread; what it had said can be read all the same
            message = self.socket.recv(ANSWER_BYTES)
        if not message:
            raise ConnectionResetError
        if message == READY:
            return None
        code, cpu, attempt = message.decode().split(" ", 2)
        return Ended(attempt, int(code), float(cpu))

    def last_words(self) -> str:
        """The last line that it wrote, for instance what an import raised."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1] if lines else ""
        return ""

    def end(self) -> None:
        """Take it and its steps down, and wait until all are gone."""
        self.socket.close()
        if not self.ready:
            self.process.kill()  # it would hear only after its imports
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        kill_tokened(f"{self.token}\0")


class Parents:
    """Starts parents on need, and ends those that were idle for long or are in the way of others."""

    def __init__(self, home: Path, runner: str) -> None:
        self.home = home
        self.runner = runner
        self.alive: dict[tuple[str, ...], Parent] = {}
        self.poll = select.epoll()
        self._number = 0

    def get(self, imports: Sequence[str]) -> Parent | None:
        """The parent for a set of imports, or one that has more; started where there is none; None where too many others are busy."""
        wanted = tuple(sorted(set(imports)))
        if wanted and wanted not in self.alive:
            larger = [parent for names, parent in self.alive.items() if set(names) > set(wanted)]
            if larger:
                return min(larger, key=lambda parent: len(parent.imports))
        if wanted not in self.alive:
            if wanted and not self._make_room():
                return None
            self.alive[wanted] = self._start(wanted)
        return self.alive[wanted]

    def finished(self, parent: Parent) -> None:
        """One of its steps ended."""
        parent.busy -= 1
        parent.since = time.monotonic()

    def heard(self) -> list[Parent]:
        """Those that have something to say, or are gone. Does not wait."""
        speaking = {descriptor for descriptor, _ in self.poll.poll(0)}
        return [parent for parent in self.alive.values() if parent.fileno() in speaking]

    def end(self, parent: Parent) -> None:
        """Take one down with its steps, and forget it."""
        del self.alive[parent.imports]
        self.poll.unregister(parent)
        parent.end()

    def overdue(self) -> list[Parent]:
        """Those that have not finished importing in time."""
        now = time.monotonic()
        return [parent for parent in self.alive.values() if not parent.ready and now - parent.since > READY_SECONDS]

    def end_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """The light one stays."""
        now = time.monotonic()
        for parent in list(self.alive.values()):
            if parent.imports and not parent.busy and now - parent.since > seconds:
                self.end(parent)

    def close(self) -> None:
        """All at once: each sees its socket close, and takes its steps down."""
        self.poll.close()
        for parent in self.alive.values():
            parent.socket.close()
        for parent in self.alive.values():
            parent.end()
        self.alive.clear()

    def _make_room(self) -> bool:
        others = [parent for parent in self.alive.values() if parent.imports]
        if len(others) < ALIVE:
            return True
        idle = [parent for parent in others if not parent.busy]
        if not idle:
            return False
        self.end(min(idle, key=lambda parent: parent.since))
        return True

    def _start(self, imports: tuple[str, ...]) -> Parent:
        self._number += 1
        token = f"{HOME_TOKEN}={self.home}:{os.getpid()}.{self._number}"
        log = self.home / "logs" / "parents" / f"{'-'.join(imports)[:80] or 'light'}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REQUEST_BYTES)
        name, _, value = token.partition("=")
        with theirs, log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, str(theirs.fileno()), str(os.getpid()), self.runner, *imports],
                env={**os.environ, **IN_STEPS, **ONE_THREAD, name: value},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
            )
        parent = Parent(imports, process, ours, token, log, since=time.monotonic())
        self.poll.register(parent, select.EPOLLIN)
        return parent
