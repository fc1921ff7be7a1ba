"""The process behind the platform's port. The port is opened here and inherited, so that it stays open while the process is replaced."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from lykeion.adapters.local import leash
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock, is_held
from lykeion.core.serving.restart import Crashes
from lykeion.errors import Invalid, Problem, Unavailable

LOOPBACK = "127.0.0.1"
LOCK = "up"
DRAIN = 15.0
HIGHEST_PORT = 65535


class Front:
    """Keeps `argv` (to which `--fd N` is added) running on one port of loopback. Holds the home's `up` lock while it is open.

    Raises Unavailable where the platform of this home is up already, or the port is taken; Invalid where it is no port.
    """

    def __init__(self, home: Home, port: int, argv: Sequence[str]) -> None:
        at = running_at(home)
        if at is not None:
            raise Unavailable(f"the platform of {home.root} is up already, at {at}")
        self.home, self.argv = home, argv
        self.listener = listen(port)
        self.url = f"http://{LOOPBACK}:{self.listener.getsockname()[1]}"
        self.lock = Lock(home.locks / LOCK, self.url)
        try:
            self.lock.acquire()
        except Unavailable:
            self.listener.close()
            raise
        self.crashes = Crashes()
        self.started = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Start it, or start it again when it has ended and its pause is over."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return
            self.crashes = self.crashes.ended(now, now - self.started)
            self.process = None
        if now >= self.crashes.start_at:
            try:
                self.start(now)
            except OSError:  # no room for its log, or for a process: as if it had ended at once
                self.crashes = self.crashes.ended(now, 0.0)

    def start(self, now: float) -> None:
        number = self.listener.fileno()
        command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), "0", *self.argv, "--fd", str(number)]
        folder = self.home.logs / "services"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "gateway-0.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[number], process_group=0, env={**os.environ}
            )
        self.started = now

    def close(self) -> None:
        """No new requests, those under way are answered, then the port is free."""
        self.listener.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DRAIN)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.lock.release()


def listen(port: int) -> socket.socket:
    if not 0 <= port <= HIGHEST_PORT:
        raise Invalid([Problem(f"ports are numbers from 0 to {HIGHEST_PORT}", field="--port", value=port, remedy="0: any free one")])
    try:
        return socket.create_server((LOOPBACK, port), backlog=512)
    except OSError as error:
        raise Unavailable(f"port {port} cannot be opened: {error.strerror}; choose another with --port (0: any free one)") from error


def running_at(home: Home) -> str | None:
    """The URL of the platform that is up in this home; None where none is."""
    path = home.locks / LOCK
    if not is_held(path):
        return None
    try:
        return str(json.loads(path.read_bytes())["what"])
    except (OSError, ValueError, KeyError):
        return None
