"""The pages behind nginx as the documentation sets it up: below a prefix, by a public name."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser_site import Site, make_training
from playwright.sync_api import Browser, BrowserContext, expect

from lykeion.adapters.local.token import token_of
from lykeion.core.resources import StepStatus, TrainingStatus
from lykeion.testing.servers import until

pytestmark = pytest.mark.browser
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
DOCS = Path(__file__).parents[2] / "docs" / "architecture" / "70-dashboard.md"
CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    server_name lab.example;
{example}
  }}
}}
"""


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "LYKEION_REPOSITORY": ""})
    assert started.stdout is not None
    try:
        yield started
    finally:
        started.terminate()
        started.wait(20)
        started.stdout.close()


def answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def public(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages, as the world knows it."""
    if NGINX is None:
        pytest.skip("nginx is missing (Debian: apt-get install nginx-light)")
    (example,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
    folder = tmp_path_factory.mktemp("nginx")
    words = ["--home", str(site.platform.home.root), "--port", "0", "--host=lab.example", "--root-path=/lykeion"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with process(sys.executable, "-m", "lykeion.dashboard.serve", *words) as served:
        at = served.stdout.readline().strip()  # type: ignore[union-attr]
        text = CONFIGURATION.format(folder=folder, port=port, example=example.replace("http://127.0.0.1:8470", at))
        (folder / "nginx.conf").write_text(text)
        with process(NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")):
            until(lambda: answers(port), 10, "nginx")
            yield f"http://lab.example:{port}/lykeion"


@pytest.fixture
def outside(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    made.set_default_timeout(10_000)
    yield made
    made.close()


def test_one_searches_and_sees_the_pictures(outside: BrowserContext, public: str) -> None:
    page = outside.new_page()
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{public}/")
    page.get_by_role("button", name="Search by sample picture 1").click()
    picture = page.locator(".item:not(.placeholder) img").first
    expect(picture).to_be_visible()
    page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())
    page.get_by_role("navigation").get_by_role("link", name="API").click()
    expect(page.locator(".operation").first).to_be_visible()
    assert failed == []


def test_one_reads_and_writes_with_the_token(outside: BrowserContext, public: str, site: Site) -> None:
    make_training(site, "behind", TrainingStatus(phase="Succeeded", steps=(StepStatus(name="work", phase="Succeeded"),)))
    page = outside.new_page()
    page.goto(f"{public}/trainings#token={token_of(site.platform.home.root)}")
    page.get_by_role("row").filter(has_text="behind").get_by_role("link").click()
    expect(page).to_have_url(f"{public}/trainings/behind")
    page.get_by_role("button", name="Run again").click()
    expect(page).to_have_url(re.compile(rf"{re.escape(public)}/trainings/behind-r1$"))
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Trainings").click()
    expect(page.get_by_role("navigation").get_by_role("link", name="Trainings")).to_have_attribute("aria-current", "page")


def test_the_api_tells_paths_that_can_be_asked_for(public: str) -> None:
    where = public.removesuffix("/lykeion").replace("lab.example", "127.0.0.1")
    headers = {"Host": public.split("/")[2]}
    with urllib.request.urlopen(urllib.request.Request(f"{where}/lykeion/api/v1/pictures?count=1", headers=headers), timeout=10) as answer:
        (picture,) = json.load(answer)["pictures"]
    with urllib.request.urlopen(urllib.request.Request(where + picture, headers=headers), timeout=10) as shown:
        assert shown.headers["content-type"] == "image/webp"
