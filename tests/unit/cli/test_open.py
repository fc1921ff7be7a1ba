"""`lykeion open`: the page with the token, which nobody else may see on the way."""

import json
import stat
import webbrowser
from pathlib import Path
from urllib.parse import unquote

import pytest

from lykeion.adapters.local.front import LOCK
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock
from lykeion.adapters.local.token import token_of

URL = "http://127.0.0.1:8470"


@pytest.fixture
def is_up(home):
    with Lock(Home.at(home).locks / LOCK, URL):
        yield


@pytest.fixture
def asked(monkeypatch):
    """What browsers were given, and whether one is there: it can be set to False."""

    class Browser(list):
        is_there = True

        def open(self, url):
            self.append(url)
            return self.is_there

    browser = Browser()
    monkeypatch.setattr(webbrowser, "open", browser.open)
    return browser


@pytest.mark.usefixtures("is_up")
def test_a_browser_is_given_a_private_page_that_leads_on_and_never_the_token(cli, home, asked):
    said = cli("open")
    (given,) = asked
    page = Path(unquote(given.removeprefix("file://")))
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert f"{URL}/#token={token_of(home)}" in page.read_text()
    assert token_of(home) not in given + said.out + said.err
    assert cli("open").code == 0  # once more: the page is replaced


@pytest.mark.usefixtures("is_up")
@pytest.mark.parametrize("word", ["--print", "--no-browser"])
def test_the_address_can_be_printed_instead(cli, home, asked, word):
    assert cli("open", word).out == f"{URL}/#token={token_of(home)}\n"
    assert json.loads(cli("open", "-o", "json").out) == {"url": f"{URL}/#token={token_of(home)}"}
    assert asked == []


@pytest.mark.usefixtures("is_up")
def test_where_there_is_no_browser_the_address_is_printed(cli, home, asked):
    asked.is_there = False
    said = cli("open")
    assert (said.code, said.out) == (0, f"{URL}/#token={token_of(home)}\n")
    assert "no browser" in said.err


def test_what_is_not_up_cannot_be_opened(cli, asked):
    said = cli("open", code=5)
    assert "lykeion up" in said.err
    assert asked == []
