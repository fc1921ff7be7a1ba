"""What changes, told to every page that is open: server-sent events of resources, the newest state of each and none in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from lykeion.core.content import strict
from lykeion.core.resources import KINDS, Resource
from lykeion.dashboard.context import Store
from lykeion.dashboard.logs import pause

EVERY = 0.4  # seconds between looks at the store
SHARE = 5  # a look that took t seconds is followed by a pause of at least SHARE × t
KEEP_ALIVE = 15.0

Key = tuple[str, str]  # kind, name


def summary(resource: Resource) -> dict[str, Any]:
    """A resource without the snapshots that it was planned from: what a list or a page needs."""
    raw = resource.to_dict()
    status = raw.get("status") or {}
    for snapshot in ("pipeline", "components"):
        status.pop(snapshot, None)
    for step in status.get("steps", ()):
        step.pop("outputs", None)
    return raw


def differences(before: Mapping[Key, str], now: Mapping[Key, Resource]) -> dict[Key, str]:
    """What happened to each resource between two looks: ADDED, MODIFIED or DELETED. `before`: its version then."""
    changed = {key: "ADDED" if key not in before else "MODIFIED" for key, resource in now.items() if before.get(key) != version(resource)}
    return changed | dict.fromkeys(before.keys() - now.keys(), "DELETED")


def version(resource: Resource) -> str:
    return f"{resource.metadata.uid}/{resource.metadata.resource_version}"


class Listener:
    """One open page. What it has not taken yet is kept by resource, so a slow one gets the newest state of each, not a backlog."""

    def __init__(self) -> None:
        self.waiting: dict[Key, str] = {}
        self.woken = asyncio.Event()

    def tell(self, key: Key, message: str) -> None:
        self.waiting.pop(key, None)
        self.waiting[key] = message
        self.woken.set()

    def take(self) -> list[str]:
        messages = list(self.waiting.values())
        self.waiting.clear()
        self.woken.clear()
        return messages


class Hub:
    """Looks at the store while anybody listens, once for all of them."""

    def __init__(self, store: Store, closing: asyncio.Event) -> None:
        self.store = store
        self.closing = closing
        self.listeners: set[Listener] = set()
        self.known: dict[Key, Resource] = {}
        self.counted: int | None = None
        self.one_at_a_time = asyncio.Lock()
        self.looking: asyncio.Task[None] | None = None

    async def listen(self) -> AsyncIterator[str]:
        """All resources as they are, then `synced`, then every change; a comment now and then keeps the line open."""
        listener = Listener()
        await self.look()
        for key, resource in self.known.items():
            listener.tell(key, event("ADDED", key, resource))
        self.listeners.add(listener)
        if self.looking is None or self.looking.done():
            self.looking = asyncio.create_task(self.keep_looking())
        try:
            yield "".join(listener.take()) + "event: synced\ndata: {}\n\n"
            while not self.closing.is_set():
                try:
                    await asyncio.wait_for(listener.woken.wait(), KEEP_ALIVE)
                    yield "".join(listener.take())
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self.listeners.discard(listener)

    async def keep_looking(self) -> None:
        while self.listeners and not self.closing.is_set():
            started = time.monotonic()
            await self.look()
            await pause(self.closing, max(EVERY, SHARE * (time.monotonic() - started)))
        for listener in self.listeners:
            listener.woken.set()

    async def look(self) -> None:
        """Tell everyone what differs from the last look."""
        async with self.one_at_a_time:
            counted = await self.store.ask(lambda resources: resources.changes())
            if counted == self.counted:
                return
            now: dict[Key, Resource] = {}
            for kind in KINDS:
                now |= {(kind, resource.name): resource for resource in await self.store.list(kind)}
            self.tell(differences({key: version(resource) for key, resource in self.known.items()}, now), now)
            self.known, self.counted = now, counted

    def tell(self, changed: Mapping[Key, str], now: Mapping[Key, Resource]) -> None:
        for key, what in changed.items() if self.listeners else ():
            message = event(what, key, now.get(key))
            for listener in self.listeners:
                listener.tell(key, message)


def event(what: str, key: Key, resource: Resource | None) -> str:
    """One server-sent event."""
    data = {"type": what, "kind": key[0], "name": key[1], "object": None if resource is None else summary(resource)}
    return f"event: change\ndata: {strict(data)}\n\n"
