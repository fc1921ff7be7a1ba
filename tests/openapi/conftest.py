"""The platform's port, with a pipeline, and a family that is served behind it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lykeion.testing.families import entry, write_document, write_family
from lykeion.testing.servers import Running, ask_over

LOAD, COVER = "photos-index-load", "photos-cover"
PIPELINE = """
apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  parameters: {size: {type: integer, default: 3}}
  steps: [{name: one, component: "work:one", with: {size: "${parameters.size}"}}]
"""


@dataclass(frozen=True)
class Site:
    url: str
    token: str


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with TemporaryDirectory(prefix="lk") as folder, ExitStack() as stack:
        home = Path(folder)
        (home / "documents").mkdir()
        (home / "documents" / "routes.json").write_text(json.dumps([route_to(serve_family(home, stack))]))
        command = [sys.executable, "-m", "lykeion.dashboard.serve", "--home", str(home), "--port", "0"]
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(process.terminate)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        made = Site(url, (home / "token").read_text().strip())
        headers = {"authorization": f"Bearer {made.token}", "content-type": "application/yaml"}
        connection = HTTPConnection(url.removeprefix("http://"), timeout=20)
        assert ask_over(connection, "/api/v1/pipelines", "POST", PIPELINE.encode(), headers).status == 201
        yield made


def route_to(addresses: list[str]) -> dict[str, object]:
    return {"name": "photos", "prefix": "/v1/search/photos", "targets": [{"service": "photos", "weight": 100, "addresses": addresses}]}


def serve_family(home: Path, stack: ExitStack) -> list[str]:
    """The addresses of a proxy, in front of an index server."""
    family = write_family(home / "volume")
    common = ("--documents", str(home / "documents"), "--volume", str(home / "volume"), "--family", "photos", "--workers", "1")
    write_document(home / "documents", LOAD, {"family": "photos", "load": [entry(family.index)]})
    index = stack.enter_context(Running("lykeion.servers.index_server", home / "i", "--document", LOAD, *common))
    indexes = [{**entry(family.index), "addresses": index.ready()}]
    content = {"family": "photos", "space": entry(family.space), "embedding": family.index.metadata["embedding"], "indexes": indexes}
    write_document(home / "documents", COVER, content)
    return stack.enter_context(Running("lykeion.servers.proxy_server", home / "p", "--document", COVER, *common)).ready()
