"""`lykeion search FAMILY PHOTO`: ask the running platform, or the repository directly where none runs; prints the HTTP answer."""

import json
import time
from argparse import ArgumentParser, Namespace
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from lykeion.adapters.local.front import running_at
from lykeion.assembly import Platform, local
from lykeion.cli.printing import emit, rows
from lykeion.errors import Invalid, LykeionError, NotFound, Problem, Unavailable
from lykeion.outside import NotAFile, read_outside
from lykeion.servers.direct import search
from lykeion.servers.question import check_collapse

TIMEOUT = 30.0
PATIENCE = 30.0  # seconds for what was just published to begin to answer
LOOK_EVERY = 0.5


def arguments(parser: ArgumentParser, _: str) -> None:
    parser.add_argument("family", help="which catalogue")
    parser.add_argument("photo", nargs="?", type=Path, help="a picture file")
    parser.add_argument("--item", help="search with the pictures of this item instead")
    parser.add_argument("-k", type=int, default=10, help="how many items (default: 10)")
    parser.add_argument(
        "--filter", action="append", default=[], metavar="F:V", help="category:shoes, price:<5000, status:a|b; repeated: all hold"
    )
    parser.add_argument(
        "--collapse",
        metavar="COSINE",
        help="items that show the same picture become one: from this likeness on (0.98, say) two are the same",
    )


def main(args: Namespace) -> int:
    if (args.photo is None) == (args.item is None):
        raise Invalid([Problem("give either a picture file or --item", remedy="lykeion search photos shoe.jpg")])
    body = json.dumps({"item": args.item}).encode() if args.item else read(args.photo)
    collapse = None if args.collapse is None else check_collapse(args.collapse)
    with local(args.home) as platform:
        url = running_at(platform.home)
        if url is not None:
            request = asked(
                url, args.family, body, args.k, args.filter, args.collapse, "application/json" if args.item else "application/octet-stream"
            )
            answer = ask(url, args.family, request, platform)
        else:
            answer = search(platform.mounted, args.family, body, is_json=bool(args.item), k=args.k, filters=args.filter, collapse=collapse)
    lines = (
        (f"{item['score']:.3f}", item["id"], item.get("title"), item.get("category"), item.get("price"), item.get("status"))
        for item in answer["items"]
    )
    emit(answer, args.output, rows(("SCORE", "ID", "TITLE", "CATEGORY", "PRICE", "STATUS"), lines, "nothing in this catalogue fits"))
    return 0


def read(photo: Path) -> bytes:
    try:
        return read_outside(photo)
    except NotAFile as error:
        raise Invalid([Problem(f"{error.strerror}", file=str(photo), remedy="name a picture file")]) from error
    except OSError as error:
        raise NotFound(f"{photo}: {error.strerror}") from error


def asked(url: str, family: str, body: bytes, k: int, filters: list[str], collapse: str | None, content_type: str) -> Request:
    query = urlencode([("k", k), *(("filter", one) for one in filters), *([("collapse", collapse)] if collapse else [])])
    return Request(f"{url}/v1/search/{quote(family, safe='')}?{query}", data=body, headers={"Content-Type": content_type}, method="POST")


def ask(url: str, family: str, request: Request, platform: Platform) -> dict[str, Any]:
    """POST to the platform. Its problems become our errors; one that is only starting to serve the family is asked again."""
    until = time.monotonic() + PATIENCE
    was_served = False  # already when this was asked, as far as we looked
    while True:
        try:
            with urlopen(request, timeout=TIMEOUT) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except HTTPError as error:
            if error.code == 404:  # of the family, or of an item of a family that is served
                starting = not was_served and family in platform.deployed()
                was_served = is_served(family, platform)
                pause = 0.0 if was_served else LOOK_EVERY
            else:
                starting, pause = error.code == 503 and "Retry-After" in error.headers, LOOK_EVERY
            if time.monotonic() >= until or not starting:
                raise problem(error) from error
            time.sleep(pause)
        except (OSError, HTTPException, ValueError) as error:  # refused, cut off, timed out, or no JSON
            why = getattr(error, "reason", None) or error or type(error).__name__
            raise Unavailable(f"{url} does not answer: {why}; is `lykeion up` well? (lykeion logs {family})") from error


def is_served(family: str, platform: Platform) -> bool:
    """Whether the way to the family stands: its address is written once requests for it are forwarded."""
    return any(one.name == family and one.status.url for one in platform.resources.list("Serving"))


def problem(error: HTTPError) -> LykeionError:
    told = error.read().decode(errors="replace")
    try:
        detail = json.loads(told)["detail"]
    except (ValueError, KeyError, TypeError):  # not from us: a proxy in between, say
        detail = told
    kind = NotFound if error.code == 404 else Unavailable if error.code >= 500 else Invalid
    return kind(str(detail))
