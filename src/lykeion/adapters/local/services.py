"""The services of one install as processes: kept up, replaced without a gap when they change, drained when they go.

Single-threaded: `fileno` is readable when there is something to do, `work` does it and never waits.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from selectors import DefaultSelector

from lykeion.adapters.local.containment import kill_tokened
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.jobs import tail
from lykeion.adapters.local.replica import Launch, Replica
from lykeion.core.content import digest_of_value
from lykeion.core.values import Child, ModelVersion, Ref, Service
from lykeion.errors import LykeionError
from lykeion.ports import Clock

LINGER = 1.0  # seconds that replaced replicas stay fully up after the new addresses were told: whoever holds an old one lets go of it
TOKEN = "LYKEION_SERVICE_OF"  # in the environment of all services: what a dead platform left running is found by it
MOUNT_AGAIN = 5.0
NEVER = float("inf")
HURRY = 10.0


@dataclass(slots=True)
class Kept:
    """A service that is kept up: the replicas that it shall have, and older ones until those are ready."""

    service: Service
    launch_digest: str = ""
    replicas: list[Replica] = field(default_factory=list)
    older: list[Replica] = field(default_factory=list)
    older_until: float | None = None  # when the older ones are told to end; None while the new are not all ready
    deleted: bool = False
    mounted: tuple[ModelVersion, ...] = ()
    problem: str = ""  # why it cannot be started
    try_at: float = 0.0

    @property
    def all(self) -> list[Replica]:
        return [*self.replicas, *self.older]

    @property
    def answering(self) -> list[Replica]:
        """Those whose addresses are told: the new ones once all of them are ready, till then the older ones where one of them is."""
        new = [replica for replica in self.replicas if replica.ready]
        old = [replica for replica in self.older if replica.ready]
        return new if len(new) >= self.service.replicas or not old else old


class Services:
    """What `ports.Children` does with a Service. `mount` makes a model's files be there, before what needs them is started."""

    def __init__(self, home: Home, clock: Clock, mount: Callable[[ModelVersion], None]) -> None:
        self.home, self.clock, self.mount = home, clock, mount
        self.selector = DefaultSelector()
        self.kept: dict[str, Kept] = {}
        self.started = 0
        self.changed = False
        self.due = 0.0
        kill_tokened(f"{TOKEN}={home.token}\0")
        for left in home.sockets.glob("[0-9a-f]" * 8 + "-*"):
            left.unlink(missing_ok=True)

    def fileno(self) -> int:
        return self.selector.fileno()

    def apply(self, service: Service) -> None:
        kept = self.kept.get(service.name)
        if kept is not None and kept.service == service and not kept.deleted:
            return
        if kept is None:
            kept = self.kept[service.name] = Kept(service)
        if kept.deleted:  # it is wanted again: what drains is not taken back
            kept.older, kept.replicas = kept.all, []
        kept.service, kept.deleted, kept.try_at = service, False, 0.0
        self.changed = True
        self.due = min(self.due, self.keep(kept, time.monotonic()))

    def delete(self, name: str) -> None:
        kept = self.kept.get(name)
        if kept is not None and not kept.deleted:
            kept.deleted, self.changed = True, True
            for replica in kept.all:
                replica.end(time.monotonic())
            self.due = 0.0

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        return {name: child_of(kept) for name, kept in self.kept.items() if kept.service.owner == owner}

    def addresses(self, name: str) -> tuple[str, ...]:
        """Where a service answers now."""
        kept = self.kept.get(name)
        return () if kept is None or kept.deleted else told_addresses(kept)

    def hurry(self) -> None:
        """A document has changed: ask more often for a while whether it has been taken in."""
        for kept in self.kept.values():
            for replica in kept.all:
                replica.hurry_until = time.monotonic() + HURRY
        self.due = 0.0

    def look_again(self) -> float | None:
        """In how many seconds `work` has to be called though nothing is readable; None: not before something is."""
        return None if self.due == NEVER else max(0.0, self.due - time.monotonic())

    def work(self) -> bool:
        """Do what there is to do without waiting; whether any service is otherwise now."""
        self.selector.select(0)
        now = time.monotonic()
        self.due = min([self.keep(kept, now) for kept in list(self.kept.values())], default=NEVER)
        changed, self.changed = self.changed, False
        return changed

    def keep(self, kept: Kept, now: float) -> float:
        """One service, one pass: the right replicas, their work, the hand-over. When to come again at the latest."""
        if not kept.deleted:
            self.shape(kept, now)
            self.hand_over(kept, now)
        dues = [replica.work(now) for replica in kept.all]
        for replica in kept.all:
            self.changed = self.changed or replica.changed
            replica.changed = False
        kept.replicas = [replica for replica in kept.replicas if not replica.gone]
        kept.older = [replica for replica in kept.older if not replica.gone]
        if kept.deleted and not kept.all:
            del self.kept[kept.service.name]
        if kept.problem:
            dues.append(kept.try_at)
        if kept.older_until is not None:
            dues.append(kept.older_until)
        return min(dues, default=NEVER)

    def shape(self, kept: Kept, now: float) -> None:
        """As many replicas as wanted, of the launch that is wanted; what is of another becomes `older`."""
        if (kept.problem and now < kept.try_at) or not self.mounted(kept, now):
            return
        service = kept.service
        digest = digest_of_value([service.argv, dict(service.env), service.resources.memory])
        if digest != kept.launch_digest:
            if kept.replicas:
                kept.older, kept.replicas, kept.older_until = [*kept.older, *kept.replicas], [], None
            kept.launch_digest = digest
        for extra in kept.replicas[service.replicas :]:
            extra.end(now)
            kept.older.append(extra)
        del kept.replicas[service.replicas :]
        while len(kept.replicas) < service.replicas:
            kept.replicas.append(Replica(self.launch(service, len(kept.replicas)), self.selector, self.clock))

    def mounted(self, kept: Kept, now: float) -> bool:
        if kept.mounted == kept.service.models:
            return True
        try:
            for model in kept.service.models:
                self.mount(model)
        except LykeionError as wrong:
            kept.problem, kept.try_at, self.changed = str(wrong), now + MOUNT_AGAIN, True
            return False
        kept.problem, kept.mounted = "", kept.service.models
        return True

    def hand_over(self, kept: Kept, now: float) -> None:
        """Once all new replicas are ready their addresses are told; a little later the older ones are drained."""
        going = [replica for replica in kept.older if not replica.ending]
        if not going:
            kept.older_until = None
            return
        if not all(replica.ready for replica in kept.replicas):
            for replica in going:
                if not replica.was_ready:  # nothing is lost with it
                    replica.end(now)
            return
        if kept.older_until is None:
            kept.older_until, self.changed = now + LINGER, True
        elif now >= kept.older_until:
            for replica in going:
                replica.end(now)
            kept.older_until = None

    def launch(self, service: Service, number: int) -> Launch:
        self.started += 1
        filled = {"{volume}": str(self.home.root), "{documents}": str(self.home.documents)}
        argv = [fill(part, filled) for part in service.argv]
        if argv[0] == "python":
            argv[0] = sys.executable
        return Launch(
            argv=tuple(argv),
            env={**os.environ, **{name: fill(value, filled) for name, value in service.env.items()}, TOKEN: self.home.token},
            memory=service.resources.memory or 0,
            log=self.home.logs / "services" / f"{service.name}-{number}.log",
            sockets=self.home.sockets / f"{sha256(service.name.encode()).hexdigest()[:8]}-{self.started}",
            drain=service.drain,
        )

    def close(self) -> None:
        """Drain all, as long as each may take, then kill: nothing is left."""
        for name in list(self.kept):
            self.delete(name)
        while self.kept:
            self.work()
            if self.kept:
                self.selector.select(self.look_again())
        self.selector.close()


def fill(text: str, filled: Mapping[str, str]) -> str:
    for name, value in filled.items():
        text = text.replace(name, value)
    return text


def told_addresses(kept: Kept) -> tuple[str, ...]:
    return tuple(address for replica in kept.answering for address in replica.answer.addresses)


def child_of(kept: Kept) -> Child:
    """How a service is, over its replicas."""
    ready = kept.answering
    down = next((replica for replica in kept.replicas if replica.process is None and replica.crashes.count), None)
    waiting = next((replica for replica in kept.replicas if not replica.ready), None)
    looping = down is not None and down.crashes.reason == "CrashLoopBackOff"
    reason, message = "", ""
    if kept.problem:
        reason, message = "MountFailed", kept.problem
    elif kept.deleted:
        reason, message = "Draining", "finishes what it does"
    elif down is not None:
        reason, message = down.crashes.reason, f"{down.how_it_ended}, {down.crashes.count} times in a row"
    elif waiting is not None:
        reason, message = "NotReady", waiting.answer.reason
    return Child(
        name=kept.service.name,
        kind="Service",
        phase="Running" if ready and not kept.deleted else "Failed" if looping or kept.problem else "Pending",
        reason=reason,
        message=message,
        ready=len(ready),
        total=kept.service.replicas,
        started=min((replica.started_at for replica in kept.replicas if replica.started_at), default=None),
        log_tail=tail(down.launch.log) if down is not None else "",
        addresses=told_addresses(kept),
        acknowledged=agreed([replica.answer.acknowledged for replica in kept.all if replica.ready]),
    )


def agreed(said: list[dict[str, str]]) -> dict[str, str]:
    """The documents that all have applied in the same state."""
    return {name: digest for name, digest in said[0].items() if all(other.get(name) == digest for other in said)} if said else {}
