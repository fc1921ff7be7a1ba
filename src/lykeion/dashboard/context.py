"""What the pages and the API are a function of: the stores they show, the gateway beside them, and who may ask."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lykeion.core.resources import Resource
from lykeion.dashboard.addresses import LOOPBACK_ONLY, Outside
from lykeion.ports import Resources
from lykeion.repository import Repository
from lykeion.servers.gateway import Gateway

T = TypeVar("T")


Check = Callable[[str, str], Sequence[Resource]]
"""(YAML or JSON text, file name for messages) -> resources. Raises Invalid with all that is wrong."""


def no_services(_: Iterable[str]) -> Mapping[str, str]:
    return {}


def driven(_: str) -> str:
    """Somebody moves every Training on."""
    return ""


@dataclass(frozen=True, slots=True)
class Context:
    """resources: opens the store, in the one thread that will use it.
    services: names of services -> the addresses of their replicas, by a name of each.
    outside: how the port is reached, besides by loopback's own names.
    why_idle: why nobody moves a Training on that is not over; "" where somebody does.
    token: what must be shown for everything but searching.
    """

    home: Path
    resources: Callable[[], Resources]
    models: Repository
    check: Check
    token: str
    services: Callable[[Iterable[str]], Mapping[str, str]] = no_services
    outside: Outside = LOOPBACK_ONLY
    why_idle: Callable[[str], str] = driven


class Store:
    """The resources, asked from the event loop: one thread of their own, so that a slow disk never holds up a search."""

    def __init__(self, opened: Callable[[], Resources]) -> None:
        self.opened = opened
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="resources")
        self.resources: Resources | None = None

    async def ask(self, question: Callable[[Resources], T]) -> T:
        def answer() -> T:
            if self.resources is None:
                self.resources = self.opened()
            return question(self.resources)

        return await asyncio.get_running_loop().run_in_executor(self.thread, answer)

    async def list(self, kind: str) -> Sequence[Resource]:
        """Oldest first."""
        return await self.ask(lambda resources: resources.list(kind))

    async def get(self, kind: str, name: str) -> Resource:
        """Raises NotFound."""
        return await self.ask(lambda resources: resources.get(kind, name))

    async def create(self, resource: Resource) -> Resource:
        """Raises Conflict where the name exists."""
        return await self.ask(lambda resources: resources.create(resource))

    async def apply(self, resource: Resource) -> Resource:
        return await self.ask(lambda resources: resources.apply(resource))

    def close(self) -> None:
        self.thread.shutdown(wait=True)


@dataclass(slots=True)
class State:
    """What one running app has: the context, and what was opened for it. `closing` is set when the process is to end."""

    context: Context
    store: Store
    gateway: Gateway
    closing: asyncio.Event = field(default_factory=asyncio.Event)
