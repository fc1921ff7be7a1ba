"""The hinge of both engines: what was observed, what is decided, and the things that an engine is asked to keep.

A controller's step is `Observed -> decide(...) -> Decision`. An engine (one machine, or Kubernetes) turns `Task`, `Service`,
`Route` and `Document` into whatever it has (a process or a Job, a socket or a Service), and says how they are as `Child`.
There is one set of these values; fields may grow, but nothing stands beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lykeion.core.pipelines.contract import StepFile

Json = Any  # what json.loads can return


@dataclass(frozen=True, slots=True)
class Ref:
    """Which resource something belongs to."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one worker may use. `memory` in bytes; None is unlimited."""

    cpu: float = 1.0
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a model in the repository, by its content: what an alias was resolved to.

    `metadata`: what the step that made it said of it (its `step.result`), for instance an index's generation.
    """

    model: str
    version: int
    digest: str
    metadata: Mapping[str, Json] = field(default_factory=dict, compare=False, hash=False)

    @property
    def path(self) -> str:
        """Where an engine mounts it, relative to the volume."""
        return f"models/{self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Task:
    """Runs to completion: the steps of `steps` in order, in one worker, or in `parallelism` workers that share `partitions`.

    `name` is unique in the install and says the attempt. A worker is killed when `timeout` seconds have passed.
    `environment` says what the steps import (locally: which warm parent forks them). Inputs, outputs and models in `steps`
    are relative to the volume. `image` ("NAME@sha256:…") has what the steps run, without a network unless `network` says so.
    """

    name: str
    owner: Ref
    steps: tuple[StepFile, ...]
    image: str | None = None
    network: bool = False
    imports: tuple[str, ...] = ()
    models: tuple[ModelVersion, ...] = ()
    partitions: int = 0
    parallelism: int = 1
    resources: Resources = Resources()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # environment variable -> "NAME.KEY", looked up by the engine at start
    attempt: int = 1
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """Stays up: `argv` in `replicas` copies that answer on a socket of their own, restarted with back-off when they end.

    In `argv` and `env`, "{socket}" is replaced by the address to answer `/readyz` and `/metrics` on (a Unix socket locally),
    "{volume}" by the volume (a model that is mounted lies in "{volume}/models/NAME/VERSION") and "{documents}" by the folder with
    the install's documents. Ready when `GET /readyz` answers 200 {"ready", "reason", "addresses", "acknowledged"}: the last two are
    the workers' own addresses and `Child.acknowledged`. `drain` seconds pass at most between SIGTERM and SIGKILL.
    """

    name: str
    owner: Ref
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    models: tuple[ModelVersion, ...] = ()
    resources: Resources = Resources()
    image: str | None = None
    drain: float = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a share of a route's traffic goes."""

    service: str
    weight: int = 100


@dataclass(frozen=True, slots=True)
class Route:
    """Traffic under `prefix` goes to `targets` by weight."""

    name: str
    owner: Ref
    prefix: str
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A small JSON document that services follow, and whose digest they acknowledge (a file locally, a ConfigMap on a cluster).

    It appears when the `models` that it speaks of are mounted. Its digest is the SHA-256 of its canonical JSON (`core.content`).
    """

    name: str
    owner: Ref
    content: Json
    models: tuple[ModelVersion, ...] = ()


Applied = Task | Service | Route | Document


@dataclass(frozen=True, slots=True)
class Child:
    """How one child is. Tasks: Pending, Running, Succeeded, Failed. Services: Pending, Running, Failed (it keeps being restarted).

    For a task: `done`/`total` are its progress in `unit`s, `results` what each step left (digest, metrics …), by step; `hopeless`: it
    failed in a way that another attempt would not change.
    For a service: `ready` replicas, their `addresses`, and `acknowledged`: document -> digest that every ready replica has applied.
    """

    name: str
    kind: Literal["Task", "Service", "Route", "Document"]
    phase: Literal["Pending", "Running", "Succeeded", "Failed"] = "Pending"
    reason: str = ""
    message: str = ""
    hopeless: bool = False
    ready: int = 0
    done: int = 0
    total: int = 0
    unit: str = ""
    cpu: float = 0.0
    started: datetime | None = None
    finished: datetime | None = None
    log_tail: str = ""
    results: Mapping[str, "StepResult"] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    acknowledged: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""  # of a document's content
    content: Json = None  # of a document


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step that ended well left behind. `outputs`: output's name -> content digest.

    `uncached`: why its key may not be used again. `material`: what the key was made of (`StepFile.material`).
    """

    key: str
    outputs: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)
    result: Mapping[str, Json] = field(default_factory=dict)
    size: int = 0
    uncached: str = ""
    created: datetime | None = None
    material: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a resource, worth a line to a person."""

    regarding: Ref
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a decision is made from.

    `outputs` is asked for a cache key and answers with the verified result that the volume holds; `versions` for a "model@alias",
    "model@number" or "model@sha256:…" (by content) and answers with a version; both look only when asked. The rest is plain data.
    `previous`: the earlier Training that each step is compared with, to say why it is run again.
    `related`: children of other resources that this one must not pull the ground from under, by resource.
    """

    resource: Any
    children: Mapping[str, Child]
    now: datetime
    outputs: Mapping[str, StepResult] = field(default_factory=dict)
    versions: Mapping[str, ModelVersion] = field(default_factory=dict)
    previous: Mapping[str, Any] = field(default_factory=dict)
    related: Mapping[Ref, Mapping[str, Child]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows: the new status, what to keep up (`apply`), what to end (`delete`), what to tell.

    `look_again`: in how many seconds at the latest, though nothing happens.
    """

    status: Any
    apply: tuple[Applied, ...] = ()
    delete: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    look_again: float | None = None
