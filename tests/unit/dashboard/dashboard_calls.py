"""A platform of its own for each test, and calls to it as a server would make them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from lykeion.core.resources import Pipeline, StepStatus, Training, TrainingStatus
from lykeion.core.resources.parse import parse
from lykeion.dashboard.addresses import outside
from lykeion.dashboard.app import make_app, make_state
from lykeion.dashboard.context import Context, State
from lykeion.repository import Repository, open_repository
from lykeion.testing.resources import FakeResources
from lykeion.testing.servers import Answer, answer_of

TOKEN = "the-token"
PIPELINE = """
apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  parameters: {size: {type: integer}, name: {type: string, default: x}}
  steps:
    - {name: one, component: "work:one", with: {size: "${parameters.size}"}}
    - {name: two, component: "work:two", inputs: {one: one.out}}
"""


@dataclass
class Clock:
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


@dataclass
class Platform:
    home: Path
    resources: FakeResources = field(default_factory=lambda: FakeResources(Clock()))
    services: dict[str, str] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    root_path: str = ""
    proxies: tuple[str, ...] = ()
    idle: dict[str, str] = field(default_factory=dict)

    @property
    def models(self) -> Repository:
        return open_repository(str(self.home / "repository"))

    def context(self) -> Context:
        reached = outside(self.hosts, self.root_path, self.proxies)
        return Context(self.home, lambda: self.resources, self.models, parse, TOKEN, lambda _: self.services, reached, self.why_idle)

    def why_idle(self, training: str) -> str:
        return self.idle.get(training, "")

    def ask(
        self, path: str, method: str = "GET", body: bytes | str | dict[str, Any] = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """One request from a page of the platform itself, unless `headers` say otherwise."""

        async def whole() -> Answer:
            state = make_state(self.context())
            try:
                return await call(make_app(state.context, state), path, method, body, headers)
            finally:
                await state.gateway.close()
                state.store.close()

        return asyncio.run(whole())

    def pipeline(self) -> Pipeline:
        (made,) = parse(PIPELINE, "p.yaml")
        kept = self.resources.apply(made)
        assert isinstance(kept, Pipeline)
        return kept

    def training(self, name: str = "p-1", **status: Any) -> Training:
        """A Training of `pipeline()` with two steps."""
        spec = {"pipelineRef": {"name": "p"}, "parameters": {"size": 3}}
        made = self.resources.create(Training.model_validate({"metadata": {"name": name, "annotations": {"a": "b"}}, "spec": spec}))
        steps = status.pop("steps", (StepStatus(name="one"), StepStatus(name="two")))
        kept = self.resources.write_status(made.model_copy(update={"status": TrainingStatus(steps=steps, **status)}))
        assert isinstance(kept, Training)
        return kept


def with_defaults(headers: dict[str, str] | None, length: int) -> list[tuple[bytes, bytes]]:
    said = {"host": "127.0.0.1:8470", "origin": "http://127.0.0.1:8470", "x-lykeion-token": TOKEN} | (headers or {})
    return [(name.encode(), value.encode()) for name, value in {**said, "content-length": str(length)}.items() if value]


async def call(
    app: ASGIApp,
    path: str,
    method: str = "GET",
    body: Any = b"",
    headers: dict[str, str] | None = None,
    stop: Callable[[bytes], bool] = bool,
) -> Answer:
    """`stop`: when the caller has seen enough of an answer that does not end by itself."""
    data = json.dumps(body).encode() if isinstance(body, dict | list) else body.encode() if isinstance(body, str) else body
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": data, "more_body": False}]
    enough = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))
        if stop is not bool and stop(b"".join(one.get("body", b"") for one in sent[1:])):
            enough.set()

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": with_defaults(headers, len(data)),
        "scheme": "http",
        "server": ("127.0.0.1", 8470),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "http_version": "1.1",
    }
    await app(scope, receive, send)
    return answer_of(sent)


def run_in(platform: Platform, case: Callable[[ASGIApp, State], Any]) -> None:
    """A test that keeps one app over several calls."""

    async def whole() -> None:
        state = make_state(platform.context())
        try:
            await case(make_app(state.context, state), state)
        finally:
            state.closing.set()
            await state.gateway.close()
            state.store.close()

    asyncio.run(asyncio.wait_for(whole(), 20))
