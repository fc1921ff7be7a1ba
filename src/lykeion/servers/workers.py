"""The supervisor of every server: load once, freeze, fork workers that share what was loaded, keep them up, drain them.

    supervisor (one thread)   answers /healthz /readyz /metrics at SOCKET, for all workers together
    ├── worker 0              answers at SOCKET.0 in its own protocol
    └── worker 1 …            each with an address of its own, so that callers choose and see which one died

A worker that ends is started again, after a pause that grows while it keeps ending. SIGHUP replaces the workers one by one without
a gap; SIGTERM drains. Workers die with their supervisor, however that ends.
"""

import ctypes
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry

from lykeion.servers.metrics import Family, combined, exposition, lasting, parsed, taken
from lykeion.servers.status_page import Answer, StatusPage
from lykeion.servers.worker_reports import LOOPING, Report, Told, decode, encode, ends_in_a_row, pause, readiness

LARGEST_MESSAGE = 1 << 20
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
LIBC = ctypes.CDLL(None, use_errno=True)

log = logging.getLogger("lykeion.workers")


class Server(Protocol):
    """What is supervised."""

    def load(self) -> None:
        """In the supervisor, before each fork: open what workers share. It may start no thread and is idempotent."""

    def work(self, worker: "Worker") -> None:
        """In a worker: answer at `worker.socket`, `worker.tell` how it is; when `worker.stopping`, finish what was begun and return."""


class Worker:
    """A worker's side of the supervisor."""

    def __init__(self, number: int, path: Path, channel: socket.socket) -> None:
        self.number = number
        self.socket = path
        self.registry = CollectorRegistry()
        self.stopping = False
        self.channel = channel
        self.told: Told | None = None
        self.counted: bytes = b""

    def tell(self, report: Report) -> None:
        """How it is now. Cheap to repeat."""
        message = Told(report=report)
        if message != self.told:
            self.channel.send(encode(message))
            self.told = message

    def tell_metrics(self) -> None:
        message = encode(Told(families=taken(self.registry)))
        if message != self.counted and len(message) < LARGEST_MESSAGE:
            self.channel.send(message)
            self.counted = message

    def stop(self, *_: object) -> None:
        self.stopping = True


@dataclass(slots=True)
class Running:
    """A worker as the supervisor sees it. `replaces`: the number of the one that goes when this one is ready."""

    number: int
    pid: int
    pidfd: int
    channel: socket.socket
    started: float
    report: Report = field(default_factory=Report)
    families: list[Family] = field(default_factory=list)
    replaces: int | None = None
    leaving: bool = False


@dataclass(slots=True)
class Seat:
    """One of the wanted workers: who has it (a number), or when it is taken again."""

    taken_by: int | None = None
    again_at: float = 0.0
    ends: int = 0


class Supervisor:
    """`run` returns the exit status, when SIGTERM came and every worker has left, or `drain` seconds have passed."""

    def __init__(self, server: Server, path: Path, workers: int = 1, drain: float = 25.0) -> None:
        self.server, self.path, self.drain = server, path, drain
        self.seats = [Seat() for _ in range(workers)]
        self.running: dict[int, Running] = {}
        self.ended: list[Family] = []
        self.selector = selectors.PollSelector()  # its list is this process's own, unlike epoll's: a forked child changes nothing of it
        self.until: float | None = None  # draining until then
        self.replacing: list[int] = []
        self.wake, self.woken = socket.socketpair()

    def run(self) -> int:
        self.page = StatusPage(self.path, self.selector, self.answer)
        self.wake.setblocking(False)
        self.woken.setblocking(False)
        signal.set_wakeup_fd(self.wake.fileno())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)  # the number arrives at `woken`
        self.selector.register(self.woken, selectors.EVENT_READ, self.signalled)
        while self.until is None or self.running:
            self.step()
        self.page.close()
        self.path.unlink(missing_ok=True)
        return 0

    def step(self) -> None:
        now = time.monotonic()
        if self.until is None:
            for seat in self.seats:
                if seat.taken_by is None and seat.again_at <= now:
                    seat.taken_by = self.start()
            self.replace_next()
        elif now >= self.until:
            self.signal_all(signal.SIGKILL)
        for key, _ in self.selector.select(self.patience(now)):
            if key.fileobj in self.selector.get_map():  # an earlier one may have ended it
                key.data()
        self.page.forget_the_silent()

    def patience(self, now: float) -> float:
        moments = [seat.again_at for seat in self.seats if seat.taken_by is None] if self.until is None else [self.until]
        return max(0.0, min([moment - now for moment in moments] + [1.0]))

    def start(self, replaces: int | None = None) -> int:
        """Fork a worker; returns its number, the lowest that is free."""
        number = next(number for number in range(2 * len(self.seats) + 1) if number not in self.running)
        self.server.load()
        gc.collect()
        gc.freeze()  # collections in the child would copy every page that holds an object
        if hasattr(LIBC, "malloc_trim"):  # glibc: what loading left free would be filled by each child anew, in a copy of the page
            LIBC.malloc_trim(0)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        supervisor = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the child hears it: what it inherits would pass it over
        pid = os.fork()
        if pid == 0:
            ours.close()
            self.become(number, theirs, supervisor)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        theirs.close()
        ours.setblocking(False)
        pidfd = os.pidfd_open(pid)
        self.running[number] = Running(number, pid, pidfd, ours, time.monotonic(), replaces=replaces)
        self.selector.register(ours, selectors.EVENT_READ, lambda: self.hear(number))
        self.selector.register(pidfd, selectors.EVENT_READ, lambda: self.bury(number))
        return number

    def become(self, number: int, channel: socket.socket, supervisor: int) -> None:
        """The child's life. Ends the process."""
        status = 1
        try:
            LIBC.prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            self.let_go_of_inherited()
            worker = Worker(number, self.path.with_name(f"{self.path.name}.{number}"), channel)
            signal.signal(signal.SIGTERM, worker.stop)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the group; the supervisor decides
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            self.server.work(worker)
            worker.tell_metrics()
            worker.socket.unlink(missing_ok=True)
            status = 0
        finally:  # the child never returns into the supervisor's loop
            if sys.exc_info()[0] is not None:
                log.error("worker %d fails", number, exc_info=True)
            sys.stderr.flush()
            os._exit(status)

    def let_go_of_inherited(self) -> None:
        self.page.close()
        for other in self.running.values():
            other.channel.close()
            os.close(other.pidfd)
        self.selector.close()
        self.wake.close()
        self.woken.close()

    def hear(self, number: int) -> bool:
        """Take one message in; whether there was one."""
        running = self.running[number]
        try:
            message = running.channel.recv(LARGEST_MESSAGE)
        except (BlockingIOError, ConnectionError):
            return False
        if not message:  # it has closed its end; `bury` follows
            self.selector.unregister(running.channel)
            return False
        told = decode(message)
        if told.families is not None:
            running.families = parsed(told.families)
        if told.report is not None:
            running.report = told.report
        if running.report.ready and running.replaces is not None:
            self.hand_over(running)
        return True

    def bury(self, number: int) -> None:
        """A worker has ended: keep what it counted, and start another one where it was not told to leave."""
        running = self.running[number]
        while self.listening(running) and self.hear(number):
            pass
        _, status = os.waitpid(running.pid, 0)
        if self.listening(running):
            self.selector.unregister(running.channel)
        self.selector.unregister(running.pidfd)
        running.channel.close()
        os.close(running.pidfd)
        del self.running[number]
        self.ended = combined([self.ended, lasting(running.families)])
        for seat in self.seats:
            if seat.taken_by == number:
                lived = time.monotonic() - running.started
                seat.taken_by, seat.ends = None, ends_in_a_row(seat.ends, lived)
                seat.again_at = time.monotonic() + pause(seat.ends)
        if not running.leaving:
            log.warning("worker %d ended by itself: %s", number, how(status))

    def listening(self, running: Running) -> bool:
        return running.channel in self.selector.get_map()

    def signalled(self) -> None:
        for number in self.woken.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT) and self.until is None:
                self.until = time.monotonic() + self.drain
                self.signal_all(signal.SIGTERM)
            elif number == signal.SIGHUP:
                self.replacing = [seat.taken_by for seat in self.seats if seat.taken_by is not None]

    def signal_all(self, number: signal.Signals) -> None:
        for running in self.running.values():
            running.leaving = True
            with suppress(ProcessLookupError):
                os.kill(running.pid, number)

    def replace_next(self) -> None:
        """One at a time: the next starts when the one before has been replaced."""
        under_way = any(running.replaces is not None for running in self.running.values())
        if self.replacing and not under_way:
            old = self.replacing.pop(0)
            if old in self.running:
                self.start(replaces=old)

    def hand_over(self, new: Running) -> None:
        for seat in self.seats:
            if seat.taken_by == new.replaces:
                seat.taken_by = new.number
        old = self.running.get(new.replaces) if new.replaces is not None else None
        new.replaces = None
        if old:
            old.leaving = True
            os.kill(old.pid, signal.SIGTERM)

    def answer(self, path: str) -> Answer:
        if path == "/healthz":
            return 200, "application/json", b'{"healthy":true}'
        if path == "/readyz":
            staying = [running.report for running in self.running.values() if not running.leaving]
            loop = any(seat.taken_by is None and seat.ends >= LOOPING for seat in self.seats)
            trouble = "CrashLoopBackOff: workers end soon after their start; their log says why" if loop else ""
            found = readiness(staying, len(self.seats), self.until is not None, trouble)
            return 200 if found.ready else 503, "application/json", found.to_json()
        if path == "/metrics":
            families = combined([self.ended, *(running.families for running in self.running.values())])
            return 200, "text/plain; version=0.0.4; charset=utf-8", exposition(families)
        return 404, "text/plain", b"/healthz, /readyz and /metrics are answered here\n"


def how(status: int) -> str:
    number = os.waitstatus_to_exitcode(status)
    return f"exit status {number}" if number >= 0 else f"killed by {signal.Signals(-number).name}"


def supervise(server: Server, path: Path, workers: int) -> int:
    """The whole life of a server's process."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    return Supervisor(server, path, workers).run()
