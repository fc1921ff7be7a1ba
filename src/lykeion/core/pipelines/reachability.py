"""What on the volume may go: what nothing refers to any more, and nobody has used for long. Never anything that may be in use."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal[
    "output",
    "partial",
    "staging",
    "sealed",
    "corrupt",
    "picture",
    "features",
    "extractor",
    "thumbnail",
    "mount",
    "download",
    "log",
    "description",
    "root",
]
RUBBISH: frozenset[str] = frozenset({"staging", "corrupt"})  # nothing can refer to it
LEAST_RUBBISH = timedelta(minutes=10)  # an attempt that is just being made has no lock yet
ITEMS: frozenset[str] = frozenset({"picture", "features", "extractor"})  # a step that runs may be about to refer to it


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept: the `recent` newest ended runs of each pipeline, whatever is younger than `age`, rubbish for `rubbish`."""

    recent: int = 3
    age: timedelta = timedelta(days=30)
    rubbish: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Run:
    """A Training, as far as it refers to the volume. `ended` is None while it is under way; `steps` are its pipeline's.

    `planned`: False where it has not said yet which steps it has.
    """

    name: str
    pipeline: str = ""
    ended: datetime | None = None
    keys: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    pinned: bool = False
    planned: bool = True


@dataclass(frozen=True, slots=True)
class Thing:
    """Something on the volume: `name` is what others refer to it by (a key, a digest in hex, "model/version", a Training's name).

    A "sealed" attempt holds outputs that the engine that died did not come to commit; the next one does.
    `path` is relative to the volume; `touched` when it was written last; `step` the step that made an output; `held`: a process has it.
    """

    kind: Kind
    name: str
    path: str
    size: int
    touched: datetime
    step: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class References:
    """What is referred to. `steps`: of runs under way, any of whose outputs may be asked for at any moment; `busy`: there are such runs.

    `unplanned`: one of them has not said what it needs. `pictures` and `extractors` are None where they could not be found out.
    """

    keys: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    busy: bool = False
    unplanned: bool = False
    pictures: frozenset[str] | None = frozenset()
    extractors: frozenset[str] | None = frozenset()
    versions: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()


def runs_kept(runs: Iterable[Run], keep: Keep, now: datetime) -> list[Run]:
    """The runs whose results are kept: under way, pinned, younger than `age`, and the newest of each pipeline."""
    newest_first = sorted(runs, key=lambda run: run.ended or now, reverse=True)
    kept, seen = [], dict[str, int]()
    for run in newest_first:
        if run.ended is None or run.pinned:
            kept.append(run)
            continue
        seen[run.pipeline] = seen.get(run.pipeline, 0) + 1
        if seen[run.pipeline] <= keep.recent or now - run.ended < keep.age:
            kept.append(run)
    return kept


def referred_to(runs: Iterable[Run], published: Iterable[str], keep: Keep, now: datetime, idle: bool = False) -> References:
    """What runs and published versions (`published`: the keys that they were made under) refer to among the outputs.

    `idle`: nobody runs steps, and nobody can begin to. Then a run that has not ended asks anew for whatever it needs when it goes on.
    """
    kept = runs_kept(runs, keep, now)
    going = [] if idle else [run for run in kept if run.ended is None]
    return References(
        keys=frozenset(published).union(*(run.keys for run in kept)),
        steps=frozenset().union(*(run.steps for run in going)),
        busy=bool(going),
        unplanned=any(not run.planned for run in going),
    )


def why_kept(thing: Thing, refs: References, keep: Keep, now: datetime) -> str:
    """Why something stays; "" where it may go."""
    if thing.held:
        return "in use"
    limit = max(keep.rubbish, LEAST_RUBBISH) if thing.kind in RUBBISH else keep.age
    return why_needed(thing, refs) or ("young" if now - thing.touched < limit else "")


def why_needed(thing: Thing, refs: References) -> str:
    """What refers to it, whatever its age; "" where nothing does."""
    match thing.kind:
        case "output" | "partial":
            if thing.name in refs.keys:
                return "a run or a version refers to it"
            if refs.unplanned or thing.step in refs.steps or (refs.busy and not thing.step):
                return "a run that is under way may need it"
        case "picture" | "features" | "extractor" | "thumbnail":
            known = refs.pictures if thing.kind in ("picture", "thumbnail") else refs.extractors
            if known is None:
                return "what refers to it cannot be read here"
            if thing.name in known:
                return "an output or a version refers to it"
            if refs.busy and thing.kind in ITEMS:
                return "a run that is under way may need it"
        case "mount" | "download":
            if thing.name in refs.versions:
                return "it is served, or a run reads it"
            if refs.busy and refs.unplanned:
                return "a run that is under way may need it"
        case "root":
            if refs.busy:
                return "a run that is under way may need it"
        case "log":
            if thing.name in refs.owners:
                return "its Training or Serving is there"
    return ""
