"""Errors as RFC 9457 problems: what is wrong, why, what to do; for what somebody wrote, every problem at once."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lykeion.dashboard.pages import nowhere
from lykeion.errors import Conflict, Invalid, LykeionError, NotFound, Problem, Unavailable

DEEPEST = 20  # parts of an address for which a page is written: its links lead back over each
STATUS: dict[type[LykeionError], int] = {Invalid: 422, NotFound: 404, Conflict: 409, Unavailable: 503}


def problem(status: int, detail: str, *, title: str = "", headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    body = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def answer_error(_: Request, error: Exception) -> Response:
    """For every error that Lykeion raises on purpose."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    more: dict[str, Any] = {"errors": [written(one) for one in error.problems]} if isinstance(error, Invalid) else {}
    return problem(status, str(error), headers={"retry-after": "1"} if status == 503 else None, **more)


def written(one: Problem) -> dict[str, Any]:
    said = {"message": one.message, "field": one.field, "file": one.file, "line": one.line, "remedy": one.remedy}
    return {name: value for name, value in said.items() if value} | ({} if one.value is None else {"value": str(one.value)})


def answer_http(request: Request, error: Exception) -> Response:
    """For what the framework refuses: no such path, wrong method. A browser that asked for a page is shown one, with the way back."""
    assert isinstance(error, HTTPException)
    if error.status_code != 404:
        return problem(error.status_code, error.detail, headers=error.headers)
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if "text/html" in request.headers.get("accept", "") and path.count("/") <= DEEPEST:
        return nowhere(path)
    detail = f"Nothing answers at {path}; /docs shows what does."
    return problem(404, detail, headers={"vary": "accept"})


def answer_unexpected(_: Request, __: Exception) -> Response:
    """For what nobody thought of; the traceback is in the process's log."""
    return problem(500, "Something went wrong that should not have; what it was is in the log of the gateway.")
