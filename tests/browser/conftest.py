"""A real process of pages, API and gateway over a filled home, and a real Chromium that looks at it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from lykeion.assembly import local
from lykeion.core.resources import Pipeline
from lykeion.core.resources.parse import parse

sys.path.append(str(Path(__file__).parent))

from browser_catalogue import make_home
from browser_site import Site
from browser_upstream import make_upstream

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP lab.example 127.0.0.1",
]
PIPELINE = """
apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: photo-search}
spec:
  parameters:
    listings: {type: uri, description: A CSV or Parquet file of listings}
    family: {type: string, default: photos}
  steps:
    - {name: items, component: "lykeion.components.sources:listings", with: {uri: "${parameters.listings}"}}
    - {name: pictures, component: "lykeion.components.pictures:collect", inputs: {items: items.items}}
    - {name: features, component: "lykeion.components.features:extract", inputs: {pictures: pictures.pictures}}
    - {name: space, component: "lykeion.components.features:fit_space", inputs: {features: features.features}}
    - {name: index, component: "lykeion.components.index:build", inputs: {features: features.features, items: items.items, space: space.space}}
    - {name: report, component: "lykeion.components.index:evaluate", inputs: {index: index.index}}
  publish:
    - {output: index.index, model: "${parameters.family}"}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    home, sock, mode = folder / "home", folder / "s", folder / "mode"
    (pipeline,) = parse(PIPELINE, "pipeline.yaml")
    assert isinstance(pipeline, Pipeline)
    platform = local(str(home))
    catalogue = make_home(platform, pipeline, folder / "scratch")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(sock))
    upstream = uvicorn.Server(uvicorn.Config(make_upstream("photos", catalogue, mode), log_level="warning", ws="none"))
    thread = threading.Thread(target=upstream.run, args=([listener],), daemon=True)
    thread.start()
    routes = [
        {"name": "photos", "prefix": "/v1/search/photos", "targets": [{"service": "photos", "weight": 100, "addresses": [f"unix:{sock}"]}]}
    ]
    (home / "documents" / "routes.json").write_text(json.dumps(routes))
    command = [sys.executable, "-m", "lykeion.dashboard.serve", "--home", str(home), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "LYKEION_REPOSITORY": ""})
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    yield Site(url, platform, catalogue, mode)
    process.terminate()
    ended = process.wait(20)
    process.stdout.close()
    upstream.should_exit = True
    thread.join(10)
    listener.close()
    platform.resources.close()
    platform.bell.close()
    assert ended in (0, -signal.SIGTERM), "it did not end by itself"


@pytest.fixture(scope="module")  # its loop runs in this thread: it must end before tests that have one of their own
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is missing (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    made = browser.new_context(
        base_url=site.url, viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    made.set_default_timeout(10_000)
    yield site.let_in(made)
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which nothing may go wrong unseen: no error of a script, nothing that the content policy had to block."""
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "console", lambda said: wrong.append(said.text) if said.type == "error" and "Failed to load resource" not in said.text else None
    )
    yield made
    assert wrong == []
