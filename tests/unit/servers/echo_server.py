"""A server for tests of the supervisor: each worker answers on its socket with its process id; a file tells it how to behave."""

import os
import signal
import sys
import time
from pathlib import Path

from prometheus_client import Counter, Gauge

from lykeion.servers.status_page import listen
from lykeion.servers.worker_reports import Report
from lykeion.servers.workers import Supervisor, Worker, supervise


class Echo:
    def __init__(self, behaviour: Path) -> None:
        self.behaviour = behaviour
        self.loads = 0

    def load(self) -> None:
        self.loads += 1

    def work(self, worker: Worker) -> None:
        how = self.behaviour.read_text()
        if how == "crash":
            raise ValueError("as told")
        if how == "never ready":
            while not worker.stopping:
                time.sleep(0.02)
            return
        if how == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        counter = Counter("echo_answers", "Answers.", registry=worker.registry)
        Gauge("echo_loads", "Loads.", registry=worker.registry).set(self.loads)
        listener = listen(worker.socket)
        listener.settimeout(0.05)
        worker.tell(Report(True, "", f"unix:{worker.socket}", {"document": how}))
        worker.tell_metrics()
        while not worker.stopping:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                if how == "slow":
                    time.sleep(0.5)
                connection.sendall(str(os.getpid()).encode())
                counter.inc()
            worker.tell_metrics()


if __name__ == "__main__":
    server, socket, workers = Echo(Path(sys.argv[2])), Path(sys.argv[1]), int(sys.argv[3])
    drain = sys.argv[4:]
    sys.exit(Supervisor(server, socket, workers, float(drain[0])).run() if drain else supervise(server, socket, workers))
