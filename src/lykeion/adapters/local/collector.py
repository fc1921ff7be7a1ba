"""Frees what nothing refers to. A plan says what and why; a sweep asks again before each removal, while nobody can start a run.

Removing is a rename to `trash/` first, so that nothing is ever seen half removed; a collector that was killed is finished by the next.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lykeion.adapters.local.home import Home
from lykeion.adapters.local.inventory import TRASH, inventory
from lykeion.adapters.local.locks import Lock, is_held
from lykeion.adapters.local.resources import SqliteResources
from lykeion.core.pipelines.reachability import Keep, References, Run, Thing, referred_to, why_kept
from lykeion.core.resources import Pipeline, PipelineSpec, Training
from lykeion.core.resources.changes import is_over
from lykeion.errors import NotFound
from lykeion.ports import Clock, refuse
from lykeion.repository import Repository

PIN = "lykeion.dev/pin"  # annotation: "true" keeps what a Training made
STEPS = "tasks"  # the lock of who runs the steps of a home
SWEEP = "gc"  # the lock of who removes
BATCH = 200  # removals between which others may write

Compact = Callable[[Path, frozenset[str], bool], tuple[int, int]]
Mentions = Callable[[Iterable[Path]], tuple[frozenset[str], frozenset[str]] | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go, what stays (why -> how many, bytes), and what a person should know.

    `rows`: how many rows of the item caches would go, of pictures that are gone or go, and their bytes.
    """

    keep: Keep
    going: tuple[Thing, ...]
    staying: Mapping[str, tuple[int, int]]
    notes: tuple[str, ...] = ()
    rows: tuple[int, int] = (0, 0)

    @property
    def size(self) -> int:
        return sum(thing.size for thing in self.going)

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """kind -> (how many, bytes) of what would go."""
        return with_rows(totals((thing.kind, thing.size) for thing in self.going), self.rows)


@dataclass(frozen=True, slots=True)
class Freed:
    """What a sweep removed: kind -> (how many, bytes). `spared`: what had come into use since it was planned."""

    removed: Mapping[str, tuple[int, int]]
    spared: int = 0

    @property
    def size(self) -> int:
        return sum(size for _, size in self.removed.values())


class Collector:
    """`mentions` reads which pictures and extractors (digests in hex) the files in some folders speak of; None where it cannot.

    `compact(folder, pictures, dry_run)` takes the rows of all other pictures out of a folder's segments; (rows, bytes) that it freed.
    """

    def __init__(
        self, home: Home, resources: SqliteResources, repository: Repository, clock: Clock, mentions: Mentions, compact: Compact
    ) -> None:
        self.home, self.resources, self.repository, self.clock = home, resources, repository, clock
        self.mentions, self.compact = mentions, compact

    def plan(self, keep: Keep | None = None) -> Plan:
        """What would go now. Changes nothing."""
        keep, now = keep or Keep(), self.clock.now()
        things = list(inventory(self.home))
        idle = not is_held(self.home.locks / STEPS)
        refs = self.references(keep, now, things, idle)
        going, left, staying = [], [], []
        for thing in things:
            why = why_kept(thing, refs, keep, now)
            if why:
                left.append(thing)
                staying.append((why, thing.size))
            else:
                going.append(thing)
        notes = []
        if refs.busy:
            names = ", ".join(one.name for one in self.resources.unfinished("Training")) or "it"
            remedy = f"run this again when {names} has ended, or lykeion cancel"
            notes.append(f"a Training is under way: cached pictures and features are left alone; {remedy}")
        if refs.pictures is None:
            notes.append("cached pictures and features are left alone: pyarrow is needed to see what refers to them (lykeion[search])")
        return Plan(keep, tuple(going), totals(staying), tuple(notes), self.compacted(left, refs, idle, dry_run=True))

    def sweep(self, plan: Plan) -> Freed:
        """Remove what `plan` says and what may still go. What it finds newly in use stays. Raises Unavailable where another one sweeps.

        Where nobody runs steps, nobody can begin to meanwhile: the lock of who does is held here.
        """
        with Lock(self.home.locks / SWEEP, "lykeion gc"):
            return self.swept(plan)

    def swept(self, plan: Plan) -> Freed:
        lock = Lock(self.home.locks / STEPS, "lykeion gc", moves="")
        idle = lock.try_acquire()
        try:
            removed = self.remove(plan, idle)
            left = list(inventory(self.home)) if idle else []
            rows = self.compacted(left, self.references(plan.keep, self.clock.now(), left, idle), idle) if idle else (0, 0)
        finally:
            lock.release()
        return Freed(with_rows(totals(removed), rows), len(plan.going) - len(removed))

    def compacted(self, things: Sequence[Thing], refs: References, idle: bool, dry_run: bool = False) -> tuple[int, int]:
        """(rows, bytes) that the item caches lose: of pictures that nothing in `things` is or speaks of. Only where nobody runs steps."""
        if not idle or refs.pictures is None:
            return 0, 0
        keep = refs.pictures | {thing.name for thing in things if thing.kind == "picture"}
        features = [self.home.root / thing.path for thing in things if thing.kind == "features"]
        verdicts = [self.home.cache / "picture-facts", *(folder / "refused" for folder in features)]
        folders = [*features, *verdicts, *(version for folder in verdicts for version in sorted(folder.glob("*/")))]
        freed = [self.compact(folder, keep, dry_run) for folder in folders]
        return sum(rows for rows, _ in freed), sum(size for _, size in freed)

    def remove(self, plan: Plan, idle: bool) -> list[tuple[str, int]]:
        """(kind, bytes) of each thing that went."""
        trash = self.home.root / TRASH
        trash.mkdir(exist_ok=True)
        empty(trash)  # what a collector that was killed has left
        removed: list[tuple[str, int]] = []
        seen, refs = self.looked_again(plan, idle)
        for start in range(0, len(plan.going), BATCH):
            batch = plan.going[start : start + BATCH]
            for final in (False, False, True):
                with self.resources.frozen():
                    if final or self.resources.changes() == seen:
                        seen, refs = self.looked_again(plan, idle) if final else (seen, refs)
                        removed += [(thing.kind, thing.size) for thing in batch if self.take(thing, refs, plan.keep, trash)]
                        break
                seen, refs = self.looked_again(plan, idle)  # somebody wrote meanwhile; where that goes on, the last look makes them wait
            empty(trash)
        trash.rmdir()
        return removed

    def looked_again(self, plan: Plan, idle: bool) -> tuple[int, References]:
        """What is referred to now, and the number of changes that this is true for."""
        seen = self.resources.changes()
        going = {thing.path for thing in plan.going}
        staying = [thing for thing in inventory(self.home) if thing.path not in going]
        return seen, self.references(plan.keep, self.clock.now(), staying, idle)

    def take(self, thing: Thing, refs: References, keep: Keep, trash: Path) -> bool:
        """Put one thing out of sight, unless it has come into use; whether it went."""
        path = self.home.root / thing.path
        try:
            touched = datetime.fromtimestamp(os.lstat(path).st_mtime, thing.touched.tzinfo)
        except FileNotFoundError:
            return False
        again = replace(thing, touched=max(touched, thing.touched))
        if why_kept(again, refs, keep, self.clock.now()):
            return False
        os.rename(path, trash / thing.path.replace("/", "_"))
        return True

    def references(self, keep: Keep, now: datetime, things: Sequence[Thing], idle: bool) -> References:
        """What runs, versions, documents and the outputs that stay refer to."""
        trainings = [one for one in self.resources.list("Training", refuse) if isinstance(one, Training)]
        named = [(model, version) for model in self.repository.models() for version in set(self.repository.aliases(model).values())]
        published = [str(self.repository.lineage(model, version).get("key", "")) for model, version in named]
        refs = referred_to([self.run_of(one) for one in trainings], published, keep, now, idle)
        read = {f"{model}/{found['version']}" for one in trainings if not is_over(one) for model, found in models_read(one)}
        served = {f"{model}/{version}" for model, version in documents_speak_of(self.home)}
        versions = frozenset(read | served | {f"{model}/{version}" for model, version in named})
        staying = [thing for thing in things if thing.kind == "output" and why_kept(thing, refs, keep, now)]
        mounted = [thing for thing in things if thing.kind == "mount" and thing.name in versions]
        mentioned = self.mentions(self.home.root / thing.path for thing in (*staying, *mounted))
        pictures, extractors = mentioned if mentioned is not None else (None, None)
        owners = {one.name for one in (*trainings, *self.resources.list("Serving", refuse))}
        return replace(
            refs,
            pictures=pictures,
            extractors=extractors,
            versions=versions,
            owners=frozenset(owners),
        )

    def run_of(self, training: Training) -> Run:
        status, spec = training.status, self.spec_of(training)
        return Run(
            name=training.name,
            pipeline=training.spec.pipeline_ref.name if training.spec.pipeline_ref else "",
            ended=(status.finished_at or training.metadata.creation_timestamp) if is_over(training) else None,
            keys=frozenset(step.key for step in status.steps if step.key),
            steps=frozenset(step.name for step in spec.steps) if spec else frozenset(),
            pinned=training.metadata.annotations.get(PIN) == "true",
            planned=spec is not None,
        )

    def spec_of(self, training: Training) -> PipelineSpec | None:
        if training.status.pipeline or training.spec.pipeline:
            return training.status.pipeline or training.spec.pipeline
        try:
            pipeline = self.resources.get("Pipeline", training.spec.pipeline_ref.name) if training.spec.pipeline_ref else None
        except NotFound:
            return None
        return pipeline.spec if isinstance(pipeline, Pipeline) else None


def models_read(training: Training) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The versions that a run's inputs were resolved to."""
    for selector, found in training.status.models.items():
        if found.get("version"):
            yield str(found.get("model") or selector.partition("@")[0]), found


def documents_speak_of(home: Home) -> set[tuple[str, int]]:
    """Every {"model", "version"} anywhere in a document: what is served, or about to be."""
    found: set[tuple[str, int]] = set()
    for path in home.documents.glob("*.json"):
        places: list[Any] = [read(path)]
        while places:
            place = places.pop()
            if isinstance(place, dict):
                if isinstance(place.get("model"), str) and isinstance(place.get("version"), int):
                    found.add((place["model"], place["version"]))
                places += place.values()
            elif isinstance(place, list):
                places += place
    return found


def read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def empty(trash: Path) -> None:
    """Outputs are read-only: their folders are opened first."""
    for folder, _, _ in os.walk(trash):
        os.chmod(folder, 0o700)
    for entry in trash.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def totals(given: Iterable[tuple[str, int]]) -> dict[str, tuple[int, int]]:
    """(name, bytes)… -> name -> (how many, bytes)."""
    found: dict[str, tuple[int, int]] = {}
    for name, size in given:
        count, before = found.get(name, (0, 0))
        found[name] = (count + 1, before + size)
    return dict(sorted(found.items()))


def with_rows(removed: Mapping[str, tuple[int, int]], rows: tuple[int, int]) -> dict[str, tuple[int, int]]:
    return {**removed, **({"row": rows} if rows[1] > 0 else {})}
