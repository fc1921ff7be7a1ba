"""Resources in memory: the plainest thing that keeps the rules of `ports.Resources`. All of them can be read."""

from collections.abc import Callable, Sequence
from datetime import datetime

from lykeion.core.resources import Resource, Training
from lykeion.core.resources.changes import Summary, check_change, is_over, plain_metadata, replaced
from lykeion.core.resources.suggest import did_you_mean
from lykeion.core.values import Event, Ref
from lykeion.errors import Conflict, Corrupt, NotFound
from lykeion.ports import Clock, pass_over


class FakeResources:
    """`ports.Resources` in a dict."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.kept: dict[tuple[str, str], Resource] = {}
        self.told: dict[Event, tuple[datetime, int]] = {}
        self.writes = self.versions = self.uids = 0

    def create(self, resource: Resource) -> Resource:
        if (resource.kind, resource.name) in self.kept:
            raise Conflict(f"{resource.kind.lower()}/{resource.name}: exists already")
        self.uids += 1
        metadata = plain_metadata(resource.metadata).model_copy(
            update={"uid": f"uid-{self.uids}", "generation": 1, "creation_timestamp": self.clock.now()}
        )
        return self.put(type(resource)(kind=resource.kind, metadata=metadata, spec=resource.spec))

    def apply(self, resource: Resource) -> Resource:
        old = self.kept.get((resource.kind, resource.name))
        if old is None:
            return self.create(resource)
        check_change(old, resource)
        new = replaced(old, resource)
        return old if new is old else self.put(new)

    def get(self, kind: str, name: str) -> Resource:
        if (kind, name) not in self.kept:
            raise NotFound(f"{kind.lower()}/{name}: there is none; {did_you_mean(name, [key[1] for key in self.kept if key[0] == kind])}")
        return self.kept[kind, name]

    def list(self, kind: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:  # noqa: ARG002
        return [one for one in self.kept.values() if one.kind == kind]

    def unfinished(self, kind: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:  # noqa: ARG002
        return [one for one in self.list(kind) if not is_over(one)]

    def summaries(self, kind: str) -> Sequence[Summary]:
        return [Summary.of(one) for one in self.list(kind)]

    def newest_before(self, training: Training) -> Training | None:
        found = None
        for other in self.list("Training"):
            if other.name == training.name:
                break
            if isinstance(other, Training) and is_over(other) and other.spec.pipeline_ref == training.spec.pipeline_ref is not None:
                found = other
        return found

    def delete(self, kind: str, name: str) -> None:
        self.get(kind, name)
        del self.kept[kind, name]
        self.told = {event: seen for event, seen in self.told.items() if event.regarding != Ref(kind, name)}
        self.writes += 1

    def write_status(self, resource: Resource) -> Resource:
        there = self.get(resource.kind, resource.name)
        known, given = there.metadata, resource.metadata
        if (known.uid, known.resource_version) != (given.uid, given.resource_version):
            raise Conflict(f"{resource.kind.lower()}/{resource.name}: was changed since it was read; read it again")
        return self.put(there.model_copy(update={"status": resource.status}))

    def record(self, event: Event, at: datetime) -> None:
        seen, count = self.told.get(event, (at, 0))
        self.told[event] = (max(seen, at), count + 1)
        self.writes += 1

    def events(self, regarding: Ref | None = None) -> Sequence[tuple[datetime, int, Event]]:
        told = [(seen, count, event) for event, (seen, count) in self.told.items() if regarding in (None, event.regarding)]
        return sorted(told, key=lambda one: one[0])

    def changes(self) -> int:
        return self.writes

    def put(self, resource: Resource) -> Resource:
        self.versions += 1
        self.writes += 1
        metadata = resource.metadata.model_copy(update={"resource_version": str(self.versions)})
        self.kept[resource.kind, resource.name] = stored = resource.model_copy(update={"metadata": metadata})
        return stored
