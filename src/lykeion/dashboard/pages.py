"""The pages: which address shows which, each a main part in the one shell that all have."""

from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "pages"


class Page(NamedTuple):
    """`main`: a file in `pages/`; `script`: one in `static/js/`."""

    title: str
    main: str
    script: str


SEARCH = Page("Search by photo · Lykeion", "search.html", "search/main.js")
PLATFORM = Page("Lykeion", "platform.html", "platform/main.js")
DOCS = Page("API · Lykeion", "docs.html", "docs.js")
NOWHERE = Page("Not found · Lykeion", "nowhere.html", "dom.js")
PAGES = {
    "/": SEARCH,
    "/trainings": PLATFORM,
    "/trainings/{name}": PLATFORM,
    "/models": PLATFORM,
    "/models/{name}": PLATFORM,
    "/servings": PLATFORM,
    "/pipelines": PLATFORM,
    "/docs": DOCS,
}


def whole(page: Page, root: str = "./") -> str:
    """Its HTML. root: the way from the page's address to `/`, since nobody need know below which prefix a proxy serves it."""
    text = (FOLDER / "shell.html").read_text("utf-8")
    main = (FOLDER / page.main).read_text("utf-8").rstrip("\n")
    for name, value in (("title", page.title), ("script", page.script), ("main", main), ("root", root)):
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def root_of(path: str) -> str:
    """ "/trainings" -> "./", "/trainings/one" -> "../"."""
    return "../" * (path.count("/") - 1) or "./"


def route(path: str, page: Page) -> Route:
    text = whole(page, root_of(path))

    async def show(_: Request) -> Response:
        return HTMLResponse(text, headers={"cache-control": "no-cache"})

    return Route(path, show)


def nowhere(path: str) -> Response:
    """For who follows a link in a browser to where nothing is. path: without the prefix below which a proxy serves the port."""
    return HTMLResponse(whole(NOWHERE, root_of(path)), 404, {"cache-control": "no-cache", "vary": "accept"})


ROUTES = [route(path, page) for path, page in PAGES.items()]
