"""What the parts of an address may be, and one route for all that is answered at an address, so that a 405 names every method."""

from collections.abc import Awaitable, Callable

from starlette.convertors import Convertor, StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lykeion.core.resources import KINDS

Endpoint = Callable[[Request], Awaitable[Response]]

PLURALS = {kind.plural: name for name, kind in KINDS.items()}


class Plural(StringConvertor):
    regex = "|".join(PLURALS)


class Name(StringConvertor):
    """Without ":", behind which stands what is to be done with what is named."""

    regex = "[^/:]+"


class Number(Convertor[int]):
    regex = "[1-9][0-9]{0,8}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


for word, convertor in (("plural", Plural()), ("name", Name()), ("number", Number())):
    register_url_convertor(word, convertor)


def route(path: str, **endpoints: Endpoint) -> Route:
    """`endpoints`: by method, as in get=… (which answers HEAD too)."""

    async def answer(request: Request) -> Response:
        return await endpoints["get" if request.method == "HEAD" else request.method.lower()](request)

    return Route(path, answer, methods=[method.upper() for method in endpoints])
