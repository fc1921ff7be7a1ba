"""The process behind the platform's port: `python -m lykeion.dashboard.serve --home HOME (--port P | --fd N)`.

`--fd` is a listening socket that the parent opened: the port is bound before anything else starts, and stays bound over a restart.
"""

import argparse
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from lykeion.dashboard.addresses import outside
from lykeion.dashboard.app import make_app, make_state
from lykeion.dashboard.context import State
from lykeion.dashboard.wiring import open_context
from lykeion.servers.bounds import Bounded

DRAIN = 10  # seconds for requests under way when the process is told to end


class Server(uvicorn.Server):
    """Tells long answers (logs that are followed, events) that it is closing, so that they end by themselves."""

    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self.platform = state

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.platform.closing.set()
        await super().shutdown(sockets)


def listening(port: int | None, fd: int | None) -> socket.socket:
    if fd is not None:
        return socket.socket(fileno=fd)
    return socket.create_server(("127.0.0.1", port or 0), backlog=512)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lykeion.dashboard.serve", description="Pages, API and gateway of one home.")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--repository", default="", help="URL of the model repository; the home's own unless told")
    parser.add_argument("--host", action="append", default=[], help="another name by which the port may be asked")
    parser.add_argument("--root-path", default="", help="the path below which a proxy serves the port")
    parser.add_argument("--trusted-proxy", action="append", default=[], help="an address whose X-Forwarded-… are believed")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="on loopback; 0: any free one")
    where.add_argument("--fd", type=int, help="an inherited listening socket")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    given = arguments(argv)
    sock = listening(given.port, given.fd)
    state = make_state(open_context(given.home, given.repository, outside(given.host, given.root_path, given.trusted_proxy)))
    config = uvicorn.Config(
        make_app(state.context, state),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=Bounded,
        ws="none",
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN,
    )
    print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
    Server(config, state).run(sockets=[sock])


if __name__ == "__main__":
    main()
