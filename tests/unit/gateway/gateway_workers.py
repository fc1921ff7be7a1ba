"""Workers on Unix sockets that answer, vanish, or stop half-way; and a caller that speaks ASGI."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lykeion.servers.gateway import Gateway
from lykeion.testing.servers import Answer, answer_of


@dataclass
class Worker:
    """`how`: "answer", "drop" (closes after it read the request), "half" (half an answer), "stream" (in pieces), "redirect"."""

    path: Path
    name: str = "w"
    how: str = "answer"
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    async def start(self) -> "Worker":
        self.server = await asyncio.start_unix_server(self.talk, self.path)
        return self

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        self.path.unlink(missing_ok=True)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)}
        if headers.get("transfer-encoding") == "chunked":
            body = await read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.seen.append((head.split("\r\n")[0], body))
        self.heads.append(head)
        if self.how == "drop":
            return False
        if self.how == "half":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
            await writer.drain()
            return False
        if self.how == "stream":
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(3):
                writer.write(b"5\r\npiece\r\n")
            writer.write(b"0\r\n\r\n")
        elif self.how == "redirect":
            writer.write(b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere.test/\r\ncontent-length: 0\r\n\r\n")
        else:
            text = f"{self.name} {len(body)}".encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nServer: w\r\nX-Kept: 1\r\nConnection: keep-alive\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)
            )
        await writer.drain()
        return True


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def ask(
    gateway: Gateway,
    path: str = "/v1/search/a",
    method: str = "GET",
    body: bytes | list[bytes] = b"",
    headers: Any = (),
    leaves: bool = False,
) -> Answer:
    """One request, as a server would hand it over."""
    pieces = body if isinstance(body, list) else [body]
    messages = [
        {"type": "http.request", "body": piece, "more_body": leaves or number + 1 < len(pieces)} for number, piece in enumerate(pieces)
    ]
    sent: list[dict[str, Any]] = []
    over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        if not leaves:
            await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    path, _, query = path.partition("?")
    length = [] if isinstance(body, list) else [(b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [*length, *headers],
    }
    await gateway(scope, receive, send)
    if leaves:
        return Answer(0, b"", {})
    return answer_of(sent)


@dataclass
class Place:
    folder: Path

    @property
    def table(self) -> Path:
        return self.folder / "routes.json"

    def worker(self, name: str, how: str = "answer") -> Worker:
        return Worker(self.folder / name, name, how)

    def route(self, *targets: tuple[str, int, list[str]], prefix: str = "/v1/search/a") -> None:
        """Replace the table as the platform does: as a whole."""
        said = [
            {
                "name": "a",
                "prefix": prefix,
                "targets": [{"service": name, "weight": weight, "addresses": addresses} for name, weight, addresses in targets],
            }
        ]
        beside = self.folder / "routes.new"
        beside.write_text(json.dumps(said))
        beside.replace(self.table)
