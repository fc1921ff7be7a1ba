"""`lykeion open`: the pages of the running platform in the browser, with the token of the install, which other users do not know."""

import os
import webbrowser
from argparse import ArgumentParser, Namespace
from html import escape
from pathlib import Path

from lykeion.adapters.local.front import running_at
from lykeion.adapters.local.token import PRIVATE, page_with_token, token_of
from lykeion.assembly import local
from lykeion.cli.printing import emit, say
from lykeion.errors import Unavailable

PAGE = """<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}">
<title>Lykeion</title>
<a href="{url}">Lykeion</a>
"""


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument(
        "--print",
        "--no-browser",
        action="store_true",
        dest="only_print",
        help="print the address instead; whoever has it can run code as you",
    )


def main(args: Namespace) -> int:
    with local(args.home) as platform:
        at = running_at(platform.home)
        if at is None:
            raise Unavailable(f"the platform of {platform.home.root} is not up; start it with `lykeion up`")
        url = page_with_token(at, token_of(platform.home.root))
        only_print = args.only_print or args.output != "table"
        if not only_print and opened(platform.home.root / "open.html", url):
            say(f"{at} is open in the browser")
            return 0
    if not only_print:
        say("no browser could be started; open this address in one:")
    emit({"url": url}, args.output, url)
    return 0


def opened(page: Path, url: str) -> bool:
    """Whether a browser took a page of the home that leads to `url`. Not `url` itself: other users can see what a process was given."""
    page.unlink(missing_ok=True)
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as file:
        file.write(PAGE.format(url=escape(url)))
    return webbrowser.open(page.as_uri())
