"""A process beside the platform that is started again, with growing pauses, as often as it ends; it dies with us."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lykeion.adapters.local import leash
from lykeion.core.serving.restart import Crashes

DRAIN = 15.0  # seconds between asking it to end and ending it


class KeptProcess:
    """Keeps `argv` running; what it prints goes to `log`. The descriptors in `inherited` are passed on to it."""

    def __init__(self, argv: Sequence[str], log: Path, inherited: Sequence[int] = (), env: Mapping[str, str] | None = None) -> None:
        self.argv, self.log, self.inherited, self.env = argv, log, inherited, env or {}
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
        command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), "0", *self.argv]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=self.inherited,
                process_group=0,
                env={**os.environ, **self.env},
            )
        self.started = now

    def close(self) -> None:
        """Ask it to end, wait, end it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DRAIN)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
