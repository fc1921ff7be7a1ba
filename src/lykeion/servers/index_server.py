"""The index server: `python -m lykeion.servers.index_server --socket S --documents D --volume V --document NAME --family F`.

It holds every index that its document names, opens new ones and lets others go while it answers. Workers share the files' pages.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lykeion.errors import Corrupt
from lykeion.servers.arguments import Arguments, parse
from lykeion.servers.documents import INTERVAL, Follower
from lykeion.servers.index_service import LARGEST_MESSAGE, IndexService
from lykeion.servers.shelf import Shelf, wanted_by
from lykeion.servers.worker_reports import Report
from lykeion.servers.workers import Worker, supervise

THREADS = 4  # a search waits for pages of a cold file; while it does, another runs
QUEUE = 256  # calls under way and waiting; more are refused at once, so that the proxy asks another worker
GRACE = 20.0  # seconds for calls under way when it drains
TRY_AGAIN = 2.0  # seconds after a version could not be opened
METRICS_EVERY = 1.0
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

log = logging.getLogger("lykeion.index")


class IndexNumbers(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Counts every call."""

    def __init__(self, registry: CollectorRegistry, family: str) -> None:
        self.family = family
        self.calls = Counter("lykeion_index_requests", "Calls begun.", ["family", "method"], registry=registry)
        self.seconds = Histogram("lykeion_index_seconds", "Time in a search.", ["family"], registry=registry, buckets=BUCKETS)
        self.rows = Gauge("lykeion_index_rows", "Rows held.", ["family", "version"], registry=registry)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        self.calls.labels(self.family, details.method.rpartition("/")[2]).inc()
        return continuation(details)

    def holds(self, shelf: Shelf) -> None:
        self.rows.clear()
        for version, rows in shelf.rows():
            self.rows.labels(self.family, str(version.version)).set(rows)


class TimedService(IndexService):
    def __init__(self, shelf: Shelf, numbers: IndexNumbers) -> None:
        super().__init__(shelf)
        self.numbers = numbers

    def search(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self.numbers.seconds.labels(self.numbers.family).time():
            return super().search(request, context)


class WithoutPandas:
    """Makes importing it fail as where it is not installed. None in `sys.modules` is taken by compiled code, as Arrow's, for the module."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002  # importlib's signature
        if name == "pandas":
            raise ModuleNotFoundError("index servers keep pandas out", name=name)


class IndexServer:
    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.follower = Follower(arguments.followed)
        self.shelf = Shelf(arguments.volume)

    def load(self) -> None:
        """Nothing but the imports, and not pandas, which Arrow imports where it is installed: 30 MB in each worker, for nothing.

        Indexes are mapped files: opened in each worker they take no more memory than opened here, a file
        that crashes its reader costs a worker instead of the supervisor, and Arrow starts threads, which must not be before a fork.
        """
        if not any(isinstance(finder, WithoutPandas) for finder in sys.meta_path):
            sys.meta_path.insert(0, WithoutPandas())

    def work(self, worker: Worker) -> None:
        numbers = IndexNumbers(worker.registry, self.arguments.family)
        address = f"unix:{worker.socket}"
        server = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="search"),
            handlers=[TimedService(self.shelf, numbers).handler()],
            interceptors=[numbers],
            maximum_concurrent_rpcs=QUEUE,
            options=[("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.so_reuseport", 0)],
        )
        server.add_insecure_port(address)
        following = Following(self.arguments.document, self.follower, self.shelf, numbers)
        following.report(address)  # a worker answers only when it holds what it should
        server.start()
        counted = 0.0
        while not worker.stopping:
            worker.tell(following.report(address))
            if time.monotonic() >= counted + METRICS_EVERY:
                worker.tell_metrics()
                counted = time.monotonic()
            time.sleep(INTERVAL)
        worker.tell(Report(False, "draining"))
        server.stop(GRACE).wait()


class Following:
    """Applies the document as it changes; what could not be opened is tried again."""

    def __init__(self, name: str, follower: Follower, shelf: Shelf, numbers: IndexNumbers) -> None:
        self.name, self.follower, self.shelf, self.numbers = name, follower, shelf, numbers
        self.digest = ""  # of the document that is applied
        self.pending: tuple[str, Sequence[Any]] | None = None
        self.not_before = 0.0
        self.problem = ""  # of the document

    def report(self, address: str) -> Report:
        read = self.follower.changed()
        if read is not None:
            try:
                self.pending, self.not_before, self.problem = (read.digest, wanted_by(read.content)), 0.0, ""
            except Corrupt as error:  # what is held goes on answering
                self.digest, self.pending, self.problem = "", None, f"{self.follower.path.name}: {error}"
                log.error("%s", self.problem)
        if self.pending is not None and time.monotonic() >= self.not_before:
            digest, versions = self.pending
            if self.shelf.hold(versions):
                self.digest, self.pending = digest, None
            else:
                self.not_before = time.monotonic() + TRY_AGAIN
                log.error("cannot be held: %s", "; ".join(self.shelf.problems.values()))
            self.numbers.holds(self.shelf)
        acknowledged = {self.name: self.digest} if self.digest and self.pending is None else {}
        reason = self.problem or "; ".join(self.shelf.problems.values()) or self.follower.problem
        return Report(
            bool(self.shelf.held), "" if self.shelf.held and not reason else reason or "nothing to hold yet", address, acknowledged
        )


def main(given: Sequence[str] | None = None) -> int:
    arguments = parse("lykeion.servers.index_server", given)
    return supervise(IndexServer(arguments), arguments.socket, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
