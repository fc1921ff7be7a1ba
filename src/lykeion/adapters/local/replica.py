"""One copy of a service: a process on a leash, asked again and again whether it is ready, started again when it ends."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from selectors import EVENT_READ, BaseSelector

from lykeion.adapters.local import leash
from lykeion.adapters.local.probe import Answer, Probe
from lykeion.core.serving.restart import Crashes
from lykeion.ports import Clock

ASK_SOON, ASK_LATER = 0.1, 1.0  # seconds between two questions, while it is not ready and when it is
PATIENCE = 5.0  # seconds for one answer
MISSED = 3  # answers in a row that fail to come before a ready replica is called unready
SILENT = 60.0  # seconds without any answer, after there were some: it hangs, and is started anew
LONGEST_LOG = 32 * 2**20
LOOK_AT_LOG = 30.0


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, with "{socket}" still open."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    memory: int
    log: Path
    sockets: Path  # a path that a number is put behind
    drain: float


@dataclass(slots=True)
class Replica:
    """Times are those of `time.monotonic`, given as `now`; `work` is to be called when the selector says so, or its time has come."""

    launch: Launch
    selector: BaseSelector
    clock: Clock
    process: "subprocess.Popen[bytes] | None" = None
    pidfd: int = -1
    socket: Path = Path()
    starts: int = 0
    started: float = 0.0
    started_at: datetime | None = None
    crashes: Crashes = field(default_factory=Crashes)
    how_it_ended: str = ""
    answer: Answer = field(default_factory=Answer)
    probe: Probe | None = None
    asked: float = 0.0
    missed: int = 0
    was_ready: bool = False
    heard: float | None = None  # when it last answered at all
    log_due: float = 0.0
    hurry_until: float = 0.0
    ending: bool = False
    kill_at: float = 0.0
    changed: bool = False

    @property
    def ready(self) -> bool:
        return self.process is not None and self.answer.ready and not self.ending

    @property
    def gone(self) -> bool:
        return self.ending and self.process is None

    def start(self, now: float) -> None:
        self.starts += 1
        self.socket = self.launch.sockets.with_name(f"{self.launch.sockets.name}.{self.starts}")
        self.socket.unlink(missing_ok=True)
        given = [part.replace("{socket}", str(self.socket)) for part in self.launch.argv]
        env = {name: value.replace("{socket}", str(self.socket)) for name, value in self.launch.env.items()}
        command = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(self.launch.memory), *given]
        log = open_log(self.launch.log)
        try:
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        finally:
            os.close(log)
        try:
            self.pidfd = os.pidfd_open(process.pid)
        except OSError:
            process.kill()
            process.wait()
            raise
        self.process = process
        self.selector.register(self.pidfd, EVENT_READ, self)
        self.started, self.started_at = now, self.clock.now()
        self.answer, self.missed, self.heard, self.changed = Answer(reason="is starting"), 0, None, True

    def work(self, now: float) -> float:
        """Whatever is due; when to call again at the latest."""
        if self.process is not None and self.process.poll() is not None:
            self.reap(now)
        if self.ending:
            if self.process is not None and now >= self.kill_at:
                self.signal(signal.SIGKILL)
                self.kill_at = now + 1.0
            return self.kill_at if self.process is not None else float("inf")
        if self.process is None:
            if now < self.crashes.start_at:
                return self.crashes.start_at
            try:
                self.start(now)
            except OSError as wrong:  # no room for the log, no more processes: as if it had ended at once
                self.how_it_ended, self.changed = f"could not be started: {wrong}", True
                self.crashes = self.crashes.ended(now, 0.0)
                return self.crashes.start_at
        if self.heard is not None and now > self.heard + SILENT:
            self.signal(signal.SIGKILL)
            self.heard = None
        if now >= self.log_due:
            self.log_due = now + LOOK_AT_LOG
            shorten(self.launch.log)
        return self.ask(now)

    def ask(self, now: float) -> float:
        """Take the answer to the open question, or put the next one."""
        if self.probe is not None:
            answer = self.probe.advance()
            if answer is None and now < self.asked + PATIENCE:
                return self.asked + PATIENCE
            self.take(answer or Answer(reason=f"has not answered /readyz for {PATIENCE:g} s"), now)
        soon = not self.answer.ready or now < self.hurry_until
        due = self.asked + (ASK_SOON if soon else ASK_LATER)
        if now < due:
            return due
        self.asked = now
        try:
            self.probe = Probe(self.socket)
        except OSError as wrong:  # no more files may be opened
            self.take(Answer(reason=f"cannot be asked: {wrong.strerror}"), now)
            return now + ASK_LATER
        answer = self.probe.begin()
        if answer is not None:
            self.take(answer, now)
            return now + ASK_SOON
        self.selector.register(self.probe.socket, EVENT_READ, self)
        return now + PATIENCE

    def take(self, answer: Answer, now: float) -> None:
        """One question is over. A ready replica that misses one or two is busy, not unready."""
        self.drop_probe()
        self.missed = 0 if answer.asked else self.missed + 1
        self.heard = now if answer.asked else self.heard
        self.was_ready = self.was_ready or answer.ready
        if self.answer.ready and not answer.asked and self.missed < MISSED:
            return
        self.changed = self.changed or answer != self.answer
        self.answer = answer

    def reap(self, now: float) -> None:
        """It has ended: nothing of its group may stay."""
        assert self.process is not None
        self.signal(signal.SIGKILL)
        self.selector.unregister(self.pidfd)
        os.close(self.pidfd)
        self.drop_probe()
        for left in (self.socket, *self.socket.parent.glob(f"{self.socket.name}.*")):  # its own, and its workers'
            left.unlink(missing_ok=True)
        self.how_it_ended = said_of(self.process.returncode)
        self.process, self.pidfd, self.changed = None, -1, True
        self.answer = Answer()
        self.crashes = self.crashes.ended(now, now - self.started)

    def end(self, now: float, drain: float | None = None) -> None:
        """Ask it to finish what it does, and see to it that it ends."""
        if not self.ending:
            self.ending, self.changed = True, True
            self.kill_at = now + (self.launch.drain if drain is None else drain)
            self.drop_probe()
            if self.process is not None:
                with suppress(ProcessLookupError):
                    self.process.send_signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def drop_probe(self) -> None:
        if self.probe is not None:
            with suppress(KeyError):
                self.selector.unregister(self.probe.socket)
            self.probe.close()
            self.probe = None


def open_log(path: Path) -> int:
    """For appending, so that it can be cut while it is written to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def shorten(log: Path, longest: int = LONGEST_LOG) -> None:
    """Put a log that has grown long aside, in place of what was put aside before. One that is gone, or has no room, stays as it is."""
    with suppress(OSError):
        if log.stat().st_size > longest:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def said_of(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
