"""What the loops need of the outside, in the core's words. Adapters fulfil these; `testing` has fakes; one contract suite runs on all.

Cluster       keeps resources (a small Kubernetes API) and the children that controllers ask for
Outputs       the volume: what steps left, by cache key
ObjectStore   the model repository's bytes
Components    what a component says of itself
Images        images of models' versions, in a registry
Containers    images that steps run
Clock         time
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from lykeion.core.images.records import ImageRecord
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources import Resource, Training
from lykeion.core.resources.changes import Summary
from lykeion.core.values import Applied, Child, Event, Ref, StepResult
from lykeion.errors import Corrupt


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, aware, in UTC."""


def pass_over(_: Corrupt) -> None:
    """One that cannot be read keeps nobody from the others."""


def refuse(wrong: Corrupt) -> None:
    """For who may only go on when he knows all."""
    raise wrong


class Resources(Protocol):
    """The resources of one install, with Kubernetes' rules: names are unique per kind, `generation` counts changes of the spec,
    `resourceVersion` guards against lost updates, status is written apart from the spec."""

    def create(self, resource: Resource) -> Resource:
        """Raises Conflict where the name exists."""

    def apply(self, resource: Resource) -> Resource:
        """Create it, or replace the spec, labels and annotations of the one that exists (status and uid stay)."""

    def get(self, kind: str, name: str) -> Resource:
        """Raises NotFound, with the names that are nearest."""

    def list(self, kind: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:
        """All of a kind, oldest first. One that is kept and cannot be read is left out and told to `damaged`, which may raise."""

    def unfinished(self, kind: str, damaged: Callable[[Corrupt], None] = pass_over) -> Sequence[Resource]:
        """As `list`: those whose `status.phase` is not Succeeded, Failed or Cancelled. Cheap however many have ended."""

    def summaries(self, kind: str) -> Sequence[Summary]:
        """All of a kind, oldest first, also what cannot be read: its name is taken. Cheap: reads no spec and no status."""

    def newest_before(self, training: Training) -> Training | None:
        """The newest other Training with the same `spec.pipelineRef` that has ended and is older than `training`."""

    def delete(self, kind: str, name: str) -> None:
        """Raises NotFound."""

    def write_status(self, resource: Resource) -> Resource:
        """Replace the status. Raises Conflict where somebody changed the resource since it was read, NotFound where it is gone."""

    def record(self, event: Event, at: datetime) -> None:
        """Keep an event; repeats of the same one are counted, old ones go."""

    def events(self, regarding: Ref | None = None) -> Sequence[tuple[datetime, int, Event]]:
        """(last seen, count, event), oldest first."""

    def changes(self) -> int:
        """A number that differs whenever anything was written since it was last asked for, by any process."""


class Children(Protocol):
    """The engine's side of `Task`, `Service`, `Route` and `Document`: keeps up what it is told to, and says how it is."""

    def apply(self, child: Applied) -> None:
        """Start it, or make it as it is told now. Idempotent by name and content."""

    def delete(self, name: str) -> None:
        """End it: a task is cancelled with all that it started, a service is drained. Idempotent."""

    def observe(self, owner: Ref) -> Mapping[str, Child]:
        """The children of a resource, by name. Cheap: it is asked on every pass."""

    def wait(self, seconds: float) -> None:
        """Do the engine's own work (reap, publish, restart) until something changed or `seconds` have passed."""

    def close(self) -> None:
        """End all children, leave nothing running."""


class Outputs(Protocol):
    """The volume: committed outputs by cache key. A half-written one cannot be seen."""

    def find(self, key: str) -> StepResult | None:
        """The verified result of a key, or None. A hit is never wrong: files are checked against the manifest."""

    def path(self, key: str, output: str) -> Path:
        """Where an output's files are."""

    def keys(self) -> Iterator[str]: ...

    def delete(self, key: str) -> int:
        """Free it; returns bytes. Never called for what a run or version refers to."""


@dataclass(frozen=True, slots=True)
class Put:
    """What a write found: `created` is False where create-only put met an object that exists."""

    created: bool
    etag: str | None = None


class ObjectStore(Protocol):
    """An object store, as far as the model repository needs one. Keys are relative, with "/" between the parts."""

    def put(self, key: str, data: bytes) -> None: ...

    def create(self, key: str, data: bytes) -> bool:
        """Create-only put: False where the key exists. Of many writers exactly one gets True."""

    def upload(self, key: str, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        """Stream an object of any size; visible only when whole: what `chunks` raises leaves nothing.

        `executable`: where objects are plain files, it is one that may be run.
        """

    def adopt(self, key: str, file: Path) -> bool:
        """Make an object of a file of this machine without copying its bytes; False where that cannot be: then upload it."""

    def make_folder(self, key: str) -> None:
        """Where objects are plain files, a folder without any; elsewhere nothing, since there are only keys."""

    def get(self, key: str) -> bytes:
        """Raises NotFound."""

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        """Stream an object from byte `start` on; raises NotFound."""

    def list(self, prefix: str) -> Iterable[tuple[str, int]]:
        """(key, size) of everything below the folder `prefix` ("" is the root), in no promised order."""

    def names(self, prefix: str) -> Iterable[str]:
        """What lies directly in the folder `prefix`, folders and objects, each once and without the path, in no promised order."""

    def delete(self, keys: Iterable[str]) -> None:
        """Those that do not exist are passed over. Of a folder, goes what `make_folder` made below it and holds nothing."""

    def local_path(self, key: str) -> Path | None:
        """Where objects are plain files on this machine, the path that this one has (or would have); None otherwise."""


class Components(Protocol):
    def describe_all(
        self, folder: str, components: Sequence[str], lock: Path | None = None, *, runs_here: bool = True
    ) -> Mapping[str, Signature]:
        """What components say of themselves, their code's identity with it. `folder` is the pipeline's, `lock` its requirements.

        Raises Invalid, with every problem, where one cannot be found, cannot be imported, or is no component; and where they are to run
        here (`runs_here`: not in an image that holds what is locked) with other packages than `lock` says.
        """


class Images(Protocol):
    """Builds images of versions and keeps them in a registry."""

    def build(self, model: str, version: int) -> ImageRecord:
        """Build a version's image and push it; again where it is there already, which costs next to nothing. Raises LykeionError."""

    def delete(self, reference: str) -> None:
        """Take an image, named by its digest, out of the registry. One that is not there is passed over. Raises LykeionError."""


class Containers(Protocol):
    """What runs the images of steps."""

    def pinned(self, image: str) -> str:
        """An image by what it is now, "NAME@sha256:…".

        Raises Invalid where it names none, NotFound where there is none of that name, Unavailable where its registry does not answer, or
        nothing here can run images: then with the reason and what to install.
        """
