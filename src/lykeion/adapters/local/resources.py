"""The resources of one install in SQLite: many processes may read and write, a crash loses no write that was answered.

Spec, status and metadata are kept as the JSON they are shown as, beside the few columns that are asked for without reading a status.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from lykeion.adapters.local.schema import connect
from lykeion.core.resources import KINDS, Metadata, Resource, Training
from lykeion.core.resources.changes import Summary, check_change, is_over, plain_metadata, replaced
from lykeion.core.resources.suggest import did_you_mean
from lykeion.core.values import Event, Ref
from lykeion.errors import Conflict, Corrupt, NotFound, Unavailable
from lykeion.ports import Clock, pass_over

MOST_EVENTS = 2000
COLUMNS = "kind, name, version, metadata, spec, status"
Row = tuple[str, str, int, str, str, str]


class SqliteResources:
    """`ports.Resources`. `ring` is called after each write, to wake whoever waits for one. May be shared by threads."""

    def __init__(self, path: Path, clock: Clock, ring: Callable[[], None] = lambda: None) -> None:
        self.path, self.clock, self.ring = path, clock, ring
        self.database = connect(path)
        self.lock = threading.RLock()
        self.writes = 0
        self.seen = (-1, -1)
        self.changed = 0
        self.parsed: dict[tuple[str, str], tuple[int, Resource]] = {}

    def create(self, resource: Resource) -> Resource:
        with self.writing():
            if self.row(resource.kind, resource.name) is not None:
                raise Conflict(f"{resource.kind.lower()}/{resource.name}: exists already; delete it first, or choose another name")
            return self.insert(resource)

    def apply(self, resource: Resource) -> Resource:
        with self.writing():
            row = self.row(resource.kind, resource.name)
            if row is None:
                return self.insert(resource)
            old = self.parse(row)
            check_change(old, resource)
            new = replaced(old, resource)
            return old if new is old else self.update(new)

    def get(self, kind: str, name: str) -> Resource:
        with self.lock:
            row = self.row(kind, name)
            if row is None:
                raise self.not_found(kind, name)
            return self.parse(row)

    def list(self, kind: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:
        return self.select("kind = ? ORDER BY number", kind, damaged=damaged)

    def unfinished(self, kind: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:
        return self.select("kind = ? AND over = 0 ORDER BY number", kind, damaged=damaged)

    def newest_before(self, training: Training) -> Training | None:
        if training.spec.pipeline_ref is None:
            return None
        found = self.select(
            "kind = 'Training' AND over = 1 AND pipeline = ?1 AND name != ?2 "
            "AND number < ifnull((SELECT number FROM resource WHERE kind = 'Training' AND name = ?2), 1e18) ORDER BY number DESC LIMIT 1",
            training.spec.pipeline_ref.name,
            training.name,
        )
        return next((one for one in found if isinstance(one, Training)), None)

    def summaries(self, kind: str) -> Sequence[Summary]:
        with self.lock:
            rows = self.database.execute(
                "SELECT name, version, phase, pipeline, started, finished, metadata FROM resource WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        return [
            Summary(
                metadata=metadata_of(name, metadata).model_copy(update={"resource_version": str(version)}),
                phase=phase,
                pipeline=pipeline,
                started_at=datetime.fromisoformat(started) if started else None,
                finished_at=datetime.fromisoformat(finished) if finished else None,
            )
            for name, version, phase, pipeline, started, finished, metadata in rows
        ]

    def delete(self, kind: str, name: str) -> None:
        with self.writing():
            if not self.database.execute("DELETE FROM resource WHERE kind = ? AND name = ?", (kind, name)).rowcount:
                raise self.not_found(kind, name)
            self.database.execute("DELETE FROM event WHERE kind = ? AND name = ?", (kind, name))
            self.parsed.pop((kind, name), None)

    def write_status(self, resource: Resource) -> Resource:
        with self.writing():
            row = self.row(resource.kind, resource.name)
            if row is None:
                raise self.not_found(resource.kind, resource.name)
            there = self.parse(row)
            if (there.metadata.uid, str(row[2])) != (resource.metadata.uid, resource.metadata.resource_version):
                raise Conflict(
                    f"{resource.kind.lower()}/{resource.name}: was changed since it was read "
                    f"(version {row[2]}, not {resource.metadata.resource_version or 'unknown'}); read it again"
                )
            return self.update(there.model_copy(update={"status": resource.status}))

    def record(self, event: Event, at: datetime) -> None:
        about = event.regarding
        with self.writing():
            self.database.execute(
                "INSERT INTO event (kind, name, type, reason, message, seen, count) VALUES (?, ?, ?, ?, ?, ?, 1) "
                "ON CONFLICT DO UPDATE SET seen = max(seen, excluded.seen), count = count + 1",
                (about.kind, about.name, event.type, event.reason, event.message, at.isoformat()),
            )
            self.database.execute(
                "DELETE FROM event WHERE number IN (SELECT number FROM event ORDER BY seen DESC, number DESC LIMIT -1 OFFSET ?)",
                (MOST_EVENTS,),
            )

    def events(self, regarding: Ref | None = None) -> Sequence[tuple[datetime, int, Event]]:
        where, values = ("WHERE kind = ? AND name = ?", (regarding.kind, regarding.name)) if regarding else ("", ())
        with self.lock:
            rows = self.database.execute(
                f"SELECT seen, count, kind, name, type, reason, message FROM event {where} ORDER BY seen, number", values
            ).fetchall()
        return [
            (datetime.fromisoformat(seen), count, Event(Ref(kind, name), type_, reason, message))
            for seen, count, kind, name, type_, reason, message in rows
        ]

    def changes(self) -> int:
        with self.lock:
            now = (self.database.execute("PRAGMA data_version").fetchone()[0], self.writes)
            if now != self.seen:
                self.seen, self.changed = now, self.changed + 1
            return self.changed

    def close(self) -> None:
        with self.lock:
            self.database.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction that no other writer comes between; afterwards others are told."""
        with self.lock:
            before = self.database.total_changes
            try:
                self.database.execute("BEGIN IMMEDIATE")
                yield
                self.database.execute("COMMIT")
            except sqlite3.OperationalError as wrong:
                raise Unavailable(f"{self.path}: cannot be written: {wrong}; is the disk full, or another process stuck?") from wrong
            finally:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                    self.parsed.clear()  # it may remember what was not written
            if self.database.total_changes == before:
                return
            self.writes += 1
        self.ring()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep everybody else from writing any resource meanwhile. For moments, not for work: writers wait."""
        with self.lock:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                self.database.execute("ROLLBACK")

    def select(self, where: str, *values: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:
        found = []
        with self.lock:
            for row in self.database.execute(f"SELECT {COLUMNS} FROM resource WHERE {where}", values).fetchall():
                try:
                    found.append(self.parse(row))
                except Corrupt as wrong:
                    damaged(wrong)
        return found

    def row(self, kind: str, name: str) -> Row | None:
        found: Row | None = self.database.execute(f"SELECT {COLUMNS} FROM resource WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        return found

    def parse(self, row: Row) -> Resource:
        """The value of a row; a resource that has not ended is read often, so its value is kept while its version stands.

        Raises Corrupt where the row is damaged, or was written by a version that knew other fields.
        """
        kind, name, version, metadata, spec, status = row
        known = self.parsed.get((kind, name))
        if known is not None and known[0] == version:
            return known[1]
        status_field = f',"status":{status}' if status != "null" else ""
        try:
            read = KINDS[kind].model_validate_json(f'{{"kind":"{kind}","metadata":{metadata},"spec":{spec}{status_field}}}')
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise Corrupt(
                f"{kind.lower()}/{name}: what is kept of it in {self.path} cannot be read: {place or 'it'}: {first['msg']}; "
                f"lykeion delete {kind.lower()} {name} lets go of it, then it can be applied or run again"
            ) from error
        found = read.model_copy(update={"metadata": read.metadata.model_copy(update={"resource_version": str(version)})})
        return self.remember(found, version)

    def remember(self, resource: Resource, version: int) -> Resource:
        if is_over(resource):
            self.parsed.pop((resource.kind, resource.name), None)
        else:
            self.parsed[resource.kind, resource.name] = (version, resource)
        return resource

    def insert(self, resource: Resource) -> Resource:
        """As new: what a person cannot say of it (uid, generation, status) is made here."""
        metadata = plain_metadata(resource.metadata).model_copy(
            update={"uid": str(uuid4()), "generation": 1, "creation_timestamp": self.clock.now()}
        )
        blank = type(resource)(kind=resource.kind, metadata=metadata, spec=resource.spec)
        self.database.execute(
            "INSERT INTO resource (kind, name, version, metadata, spec, status) VALUES (?, ?, 0, '', '', '')", (blank.kind, blank.name)
        )
        return self.update(blank)

    def update(self, resource: Resource) -> Resource:
        """Write it whole, under a new version."""
        (version,) = self.database.execute("UPDATE counter SET value = value + 1 RETURNING value").fetchone()
        metadata = resource.metadata.model_copy(update={"resource_version": str(version)})
        stored = resource.model_copy(update={"metadata": metadata})
        summary = Summary.of(stored)
        self.database.execute(
            "UPDATE resource SET version = ?, phase = ?, over = ?, pipeline = ?, started = ?, finished = ?, "
            "metadata = ?, spec = ?, status = ? WHERE kind = ? AND name = ?",
            (
                version,
                summary.phase,
                is_over(stored),
                summary.pipeline,
                summary.started_at.isoformat() if summary.started_at else "",
                summary.finished_at.isoformat() if summary.finished_at else "",
                metadata.model_dump_json(by_alias=True, exclude_defaults=True),
                stored.spec.model_dump_json(by_alias=True, exclude_defaults=True),
                "null" if stored.status is None else stored.status.model_dump_json(by_alias=True, exclude_defaults=True),
                stored.kind,
                stored.name,
            ),
        )
        return self.remember(stored, version)

    def not_found(self, kind: str, name: str) -> NotFound:
        names = [row[0] for row in self.database.execute("SELECT name FROM resource WHERE kind = ?", (kind,))]
        return NotFound(f"{kind.lower()}/{name}: there is none; {did_you_mean(name, names, 'there are')}")


def metadata_of(name: str, text: str) -> Metadata:
    """As it was written; where that cannot be read, what must be so."""
    try:
        return Metadata.model_validate_json(text)
    except ValidationError:
        return Metadata(name=name)
