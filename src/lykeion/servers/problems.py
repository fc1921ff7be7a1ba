"""Errors as RFC 9457 problems: a title for the kind, a sentence that says what is wrong and what to do."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

MEDIA_TYPE = "application/problem+json"


@dataclass
class Refused(Exception):
    """A request that is answered with a problem. `retry_after`: seconds. `allow`: the methods that are answered there."""

    status: int
    detail: str
    title: str = ""
    retry_after: int = 0
    allow: str = ""

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        said = {b"retry-after": str(self.retry_after or ""), b"allow": self.allow}
        return [(name, value.encode()) for name, value in said.items() if value]

    def to_json(self, request_id: str = "") -> bytes:
        title = self.title or HTTPStatus(self.status).phrase
        said = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return msgspec.json.encode(said | ({"request_id": request_id} if request_id else {}))
