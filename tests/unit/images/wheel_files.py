"""Wheels made on the spot, and an index that serves them to who knows the password."""

import os
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest


def uv_of_its_own(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """No index and no settings of uv but those of the test."""
    for name in list(os.environ):
        if name.startswith("UV_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))


def recorded(data: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(sha256(data).digest()).decode().rstrip("=")


def wheel(
    folder: Path, name: str, files: Mapping[str, bytes], version: str = "1.0", tag: str = "py3-none-any", record: str | None = ""
) -> str:
    """Make one and return its line in a lock. `record`: in place of the right one; None for a wheel without."""
    info = f"{name}-{version}.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    if record is not None:
        right = "".join(f"{path},{recorded(data)},{len(data)}\n" for path, data in members.items()) + f"{info}/RECORD,,\n"
        members[f"{info}/RECORD"] = (record or right).encode()
    folder.mkdir(exist_ok=True)
    made = folder / f"{name}-{version}-{tag}.whl"
    with ZipFile(made, "w") as archive:
        for path, data in members.items():
            archive.writestr(ZipInfo(path), data)  # without the time: made twice it is the same file
    return f"{name}=={version} --hash=sha256:{sha256(made.read_bytes()).hexdigest()}"


@contextmanager
def private_index(folder: Path, user: str, password: str) -> Iterator[str]:
    """Serve the wheels of a folder as an index that wants a password; yields its host and port."""
    wanted = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.end_headers()
                return
            name = self.path.strip("/").split("/")[-1]
            if self.path.startswith("/files/"):
                self.answer((folder / name).read_bytes())
            elif found := [one.name for one in folder.iterdir() if one.name.split("-")[0] == name]:
                self.answer("".join(f'<a href="/files/{one}">{one}</a>' for one in found).encode(), "text/html")
            else:
                self.send_error(404)

        def answer(self, data: bytes, kind: str = "application/octet-stream") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
