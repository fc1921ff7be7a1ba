"""The search proxy's process: `python -m lykeion.servers.proxy_server --socket S --documents D --volume V --document NAME --family F`."""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
import uvloop

from lykeion.servers.arguments import Arguments, parse
from lykeion.servers.bounds import Bounded
from lykeion.servers.cover import Covers
from lykeion.servers.documents import INTERVAL, Follower
from lykeion.servers.proxy import Proxy
from lykeion.servers.proxy_numbers import ProxyNumbers
from lykeion.servers.status_page import listen
from lykeion.servers.worker_reports import Report
from lykeion.servers.workers import Worker, supervise

METRICS_EVERY = 1.0
KEPT = 30  # seconds that an idle connection stays open: longer than the gateway keeps it
GRACE = 20
COLLECTED = (20_000, 50, 50)  # an answer makes a thousand objects and no cycles: looking for some after each is wasted


class Uvicorn(uvicorn.Server):
    """Without handlers of its own: the supervisor's signals come to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ProxyServer:
    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments

    def load(self) -> None:
        """Nothing but the imports: sessions and channels are made in the workers."""

    def work(self, worker: Worker) -> None:
        gc.set_threshold(*COLLECTED)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.serve(worker))

    async def serve(self, worker: Worker) -> None:
        covers = Covers(Follower(self.arguments.followed), self.arguments.volume)
        proxy = Proxy(self.arguments.family, covers, ProxyNumbers(worker.registry, self.arguments.family))
        config = uvicorn.Config(
            proxy,
            http=Bounded,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEPT,
            timeout_graceful_shutdown=GRACE,
        )
        server = Uvicorn(config)
        listener = listen(worker.socket)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        counted = 0.0
        while not worker.stopping and not serving.done():
            await covers.follow()
            worker.tell(report(covers, self.arguments.document, f"unix:{worker.socket}"))
            if time.monotonic() >= counted + METRICS_EVERY:
                worker.tell_metrics()
                counted = time.monotonic()
            await asyncio.sleep(INTERVAL)  # a file is looked at, nobody could set an event
        worker.tell(Report(False, "draining"))
        server.should_exit = True
        await serving
        proxy.close()
        if covers.current is not None:
            await covers.leave(covers.current)


def report(covers: Covers, document: str, address: str) -> Report:
    settled = covers.acknowledged and covers.pending is None
    return Report(
        ready=covers.current is not None,
        reason=covers.problem if covers.current is None or covers.pending is not None else "",
        address=address,
        acknowledged={document: covers.acknowledged} if settled else {},
    )


def main(given: Sequence[str] | None = None) -> int:
    arguments = parse("lykeion.servers.proxy_server", given)
    return supervise(ProxyServer(arguments), arguments.socket, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
