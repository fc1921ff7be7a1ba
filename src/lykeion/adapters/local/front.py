"""The process behind the platform's port. The port is opened here and inherited, so that it stays open while the process is replaced."""

import json
import socket
from collections.abc import Sequence

from lykeion.adapters.local.home import Home
from lykeion.adapters.local.kept_process import KeptProcess
from lykeion.adapters.local.locks import Lock, is_held
from lykeion.errors import Invalid, Problem, Unavailable

LOOPBACK = "127.0.0.1"
LOCK = "up"
HIGHEST_PORT = 65535


class Front:
    """Keeps `argv` (to which `--fd N` is added) running on one port of loopback. Holds the home's `up` lock while it is open.

    Raises Unavailable where the platform of this home is up already, or the port is taken; Invalid where it is no port.
    """

    def __init__(self, home: Home, port: int, argv: Sequence[str]) -> None:
        at = running_at(home)
        if at is not None:
            raise Unavailable(f"the platform of {home.root} is up already, at {at}")
        self.listener = listen(port)
        self.url = f"http://{LOOPBACK}:{self.listener.getsockname()[1]}"
        self.lock = Lock(home.locks / LOCK, self.url)
        try:
            self.lock.acquire()
        except Unavailable:
            self.listener.close()
            raise
        number = self.listener.fileno()
        self.kept = KeptProcess([*argv, "--fd", str(number)], home.logs / "services" / "gateway-0.log", [number])

    def keep(self) -> None:
        self.kept.keep()

    def close(self) -> None:
        """No new requests, those under way are answered, then the port is free."""
        self.listener.close()
        self.kept.close()
        self.lock.release()


def check_port(port: int) -> None:
    """Raises Invalid."""
    if not 0 <= port <= HIGHEST_PORT:
        raise Invalid([Problem(f"ports are numbers from 0 to {HIGHEST_PORT}", field="--port", value=port, remedy="0: any free one")])


def listen(port: int) -> socket.socket:
    check_port(port)
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
