"""The process that forks steps: it imports what they import, uses none of it, and has one thread.

It is executed, not forked, so that it holds nothing of the engine. On a socket it gets one request for each step, and answers when the
step and all that it started are gone with how it ended; a step is killed on request. What steps print passes through it into their
logs. When the engine's end of the socket closes, it takes everything down. Forking after *use* of OpenMP, gRPC or obstore hangs steps;
forking after import does not.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from resource import struct_rusage
from typing import Any

from lykeion.adapters.local import containment, huge_pages
from lykeion.adapters.local.step_log import StepLog
from lykeion.adapters.volume.seal import seal
from lykeion.core.masking import Mask
from lykeion.core.pipelines.contract import StepFile

REQUEST_BYTES = 1 << 18
READY = b"ready"  # what it says first; later, of each step that ended: its exit code, its CPU seconds and its attempt, by spaces
BROKEN = 70  # exit code of a step whose surroundings failed, not its code
ONE_THREAD = {  # keeps imports from starting threads; removed again before the first fork
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ORT_DISABLE_TELEMETRY": "1",
}
IN_STEPS = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "ORT_DISABLE_TELEMETRY": "1"}

Seal = Callable[[str, StepFile, int | None], None]  # folder, step, partition
Runner = Callable[[StepFile, Seal], int]
CONTAINERS = "lykeion.adapters.containers.step"  # imported by steps that run an image: the parent stays light
DAEMON = "lykeion.adapters.containers.daemon"  # and this by a parent that has a container to end which is nobody's child
MARKS = "containers"  # in a home: a file for each of these


@dataclass(slots=True)
class Running:
    process: int
    attempt: str
    logs: Collection[StepLog]
    mark: str = ""  # the file that is there while a daemon runs a container for it


def main(descriptor: int, engine: int, runner: str, imports: list[str]) -> None:
    """Import, then serve requests until the engine goes."""
    containment.die_with(engine)
    containment.adopt_orphans()
    engine_socket = socket.socket(fileno=descriptor)
    module, _, name = runner.partition(":")
    run: Runner = getattr(importlib.import_module(module), name)
    for package in imports:
        with suppress(ImportError):  # the step that needs it says so, in its own words and its own log
            importlib.import_module(package)
    for variable in ONE_THREAD.keys() - IN_STEPS.keys():
        os.environ.pop(variable, None)
    gc.collect()
    gc.disable()
    gc.freeze()
    if imports:
        huge_pages.collapse()
    engine_socket.send(READY)
    Parent(engine_socket, run).serve()


class Parent:
    """The loop: one request, one fork; one end, one report."""

    def __init__(self, engine: socket.socket, run: Runner) -> None:
        self.engine = engine
        self.run = run
        self.pid = os.getpid()
        self.running: dict[int, Running] = {}  # by pidfd
        self.logs: dict[int, StepLog] = {}  # of what runs, by the end that is read
        self.poll = select.poll()
        self.poll.register(engine, select.POLLIN)

    def serve(self) -> None:
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor in self.running:
                    self.ended(descriptor)
                elif descriptor in self.logs:
                    self.printed(descriptor)
                elif descriptor == self.engine.fileno() and not self.requested():
                    return

    def requested(self) -> bool:
        """Start what is asked for; False where the engine is gone, and with it everything here."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self.engine, REQUEST_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            message = b""
        if not message:
            for step in self.running.values():
                containment.kill_group(step.process)
            for step in self.running.values():
                gone(step)
            containment.sweep((), ())
            for log in self.logs.values():
                log.close()
            return False
        request = json.loads(message)
        if "kill" in request:
            self.kill(request["kill"])
        else:
            self.start(request)
        for lock in descriptors:
            os.close(lock)  # the step holds it now, until it and what it forked are gone
        return True

    def start(self, request: Mapping[str, Any]) -> None:
        steps = {path: step_of(path) for path in request["steps"]}
        secrets = [request["env"][variable] for variable in request["secrets"]]
        logs = {step: StepLog(path, Mask(secrets)) for step, path in request["logs"].items()}
        process = os.fork()
        if process == 0:
            self.step(request, steps, logs, Mask(secrets))
        pidfd = os.pidfd_open(process)
        container = request["container"]
        mark = f"{container['home']}/{MARKS}/{request['attempt']}" if container else ""
        self.running[pidfd] = Running(process, request["attempt"], logs.values(), mark)
        self.poll.register(pidfd, select.POLLIN)
        for log in logs.values():
            os.close(log.writer)
            self.logs[log.reader] = log
            self.poll.register(log.reader, select.POLLIN)

    def kill(self, attempt: str) -> None:
        """One that ended is not reaped before it is taken from `running`, so that its number is not another's yet."""
        for step in self.running.values():
            if step.attempt == attempt:
                os.kill(step.process, signal.SIGKILL)

    def printed(self, reader: int) -> None:
        """Take it over. Where nobody can print any more it is not asked again: the end of the step closes its log."""
        if not self.logs[reader].pump():
            self.poll.unregister(reader)

    def step(self, request: Mapping[str, Any], steps: Mapping[str, StepFile], logs: Mapping[str, StepLog], mask: Mask) -> None:
        """Be the step; never returns. No destructor or atexit function of what the parent imported is run."""
        code = BROKEN
        try:
            containment.die_with(self.pid)
            os.setsid()
            self.engine.close()
            for pidfd in self.running:
                os.close(pidfd)
            for log in (*self.logs.values(), *logs.values()):
                log.forget()
            prepare(request)
            code = run_all(steps, {step: log.writer for step, log in logs.items()}, self.runner(request), mask)
        finally:
            if sys.exc_info()[0] is not None:
                traceback.print_exc()
            os._exit(code)

    def runner(self, request: Mapping[str, Any]) -> Runner:
        if request["container"] is None:
            return self.run
        run: Runner = importlib.import_module(CONTAINERS).Contained.of(request).run
        return run

    def ended(self, pidfd: int) -> None:
        """Kill what the step left in its group and elsewhere, then report."""
        step = self.running.pop(pidfd)
        self.poll.unregister(pidfd)
        os.close(pidfd)
        containment.kill_group(step.process)
        status, usage = gone(step)
        others = self.running.values()
        containment.sweep((other.process for other in others), (other.attempt for other in others))
        for log in step.logs:
            self.forget(log)
        code, cpu = os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        with suppress(OSError):  # the engine is gone: the next poll says so
            self.engine.send(f"{code} {cpu} {step.attempt}".encode())

    def forget(self, log: StepLog) -> None:
        del self.logs[log.reader]
        with suppress(KeyError):  # its end was seen before
            self.poll.unregister(log.reader)
        log.close()


def gone(step: Running) -> tuple[int, struct_rusage]:
    """Wait until a killed group is gone, and with it what a daemon runs for it; how the step ended."""
    _, status, usage = os.wait4(step.process, 0)
    containment.reap_group(step.process)
    if step.mark and os.path.exists(step.mark):
        importlib.import_module(DAEMON).end_left([Path(step.mark)])
    return status, usage


def prepare(request: Mapping[str, Any]) -> None:
    """Environment, memory, random numbers: what a step has for itself."""
    own = request["env"] if request["container"] is None else {}
    for variable, value in {**own, containment.STEP_TOKEN: request["attempt"]}.items():
        os.environ[variable] = value  # `update` asks what sort of mapping it is given, which costs more than all the rest
    if request["cgroup"]:
        with open(request["cgroup"], "w") as procs:
            procs.write("0")
    elif request["memory"] and request["container"] is None:
        containment.limit_address_space(request["memory"])
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # a fork inherits the state: every step would draw the same numbers
    gc.enable()


def step_of(path: str) -> StepFile:
    """Read here, and not in the step's process: what is used there for the first time costs a copy of the memory that it touches."""
    with open(path, "rb", buffering=0) as file:
        return StepFile.from_json(file.read())


def run_all(steps: Mapping[str, StepFile], logs: Mapping[str, int], run: Runner, mask: Mask) -> int:
    """The steps of a task in order, until one fails; returns the exit code. `logs`: where each prints to; `mask`: what they may not say."""
    started = time.time()
    for path, step in steps.items():
        os.environ["LYKEION_STEP"] = path
        write_to(logs[step.step])
        if step.folder:
            os.chdir(step.folder)
        code = run(step, lambda folder, file, partition: seal(folder, file, started, partition, mask))
        if code:
            return code
    return 0


def write_to(log: int) -> None:
    """Point output and errors of this process to the step's log, line by line; there is nothing to read."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(nothing)
    if hasattr(sys.stdout, "reconfigure"):  # a line is one write, also with PYTHONUNBUFFERED: workers share the log
        sys.stdout.reconfigure(line_buffering=True, write_through=False)
