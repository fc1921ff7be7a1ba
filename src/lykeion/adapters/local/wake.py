"""A bell between the processes of one home: who wrote something rings, who waits hears it at once.

It carries nothing and may be lost: whoever waits looks for itself every half second anyway.
"""

import atexit
import contextlib
import os
import socket
from itertools import count
from pathlib import Path

NUMBERS = count()


class Bell:
    """A datagram socket per listener in one folder. `ring` reaches all the others; `fileno` is readable once rung."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / f"bell-{os.getpid()}-{next(NUMBERS)}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self.listening = False

    def listen(self) -> None:
        if not self.listening:
            self.path.unlink(missing_ok=True)
            self.socket.bind(str(self.path))
            self.listening = True
            atexit.register(self.close)

    def fileno(self) -> int:
        return self.socket.fileno()

    def ring(self) -> None:
        """Wake the others. A listener that died leaves its socket behind; it is removed here."""
        for other in self.folder.glob("bell-*"):
            if other == self.path:
                continue
            try:
                self.socket.sendto(b"!", str(other))
            except ConnectionRefusedError:
                other.unlink(missing_ok=True)
            except OSError:  # its queue is full (it will wake), or it has just gone
                continue

    def hush(self) -> bool:
        """Take what has been rung; whether anything had."""
        rung = False
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(16):
                rung = True
        return rung

    def close(self) -> None:
        self.socket.close()
        if self.listening:
            self.path.unlink(missing_ok=True)
            self.listening = False
            atexit.unregister(self.close)
