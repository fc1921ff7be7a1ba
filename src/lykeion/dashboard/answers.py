"""JSON as the API gives it. One metric that is not a number may not keep a page from showing all the others."""

from typing import Any

from starlette.responses import JSONResponse

from lykeion.core.content import strict


class Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        return strict(content, separators=(",", ":")).encode()
