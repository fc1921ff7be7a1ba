"""The only place that chooses adapters. `local(home)`: everything on this machine, in one folder, without Docker or Kubernetes."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from lykeion.adapters.containers.chosen import Containers
from lykeion.adapters.local.children import LocalChildren
from lykeion.adapters.local.driver import ALL, Driver, driver, why_idle
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.resources import SqliteResources
from lykeion.adapters.local.secrets import Secrets
from lykeion.adapters.local.services import Services
from lykeion.adapters.local.tasks import Tasks
from lykeion.adapters.local.wake import Bell
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.components.catalogue import Catalogue
from lykeion.core.resources.serving import check_family
from lykeion.core.values import ModelVersion
from lykeion.daemons.servings import Servings
from lykeion.daemons.trainings import Trainings
from lykeion.errors import Corrupt, NotFound, Unavailable
from lykeion.repository import Repository, open_repository
from lykeion.repository.layout import version_folder

RUNNER = "lykeion.components.runner:run"
HOUR = 3600.0


class SystemClock:
    """`ports.Clock`: the machine's."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Platform:
    """One install: its stores. Engines are made from it by whoever runs a loop (`tasks_engine`, `services_engine`)."""

    home: Home
    clock: SystemClock
    bell: Bell
    resources: SqliteResources
    outputs: DirectoryOutputs
    components: Catalogue
    repository: Repository
    repository_url: str
    containers: Containers

    def resolve(self, selector: str) -> ModelVersion | None:
        """The version that "model@alias", "model@3" or "model@sha256:…" names now; None where there is none."""
        try:
            return self.repository.resolve(selector)
        except NotFound:
            return None

    def driver(self) -> Driver | None:
        """Who runs the steps of this home now."""
        return driver(self.home)

    def why_idle(self, training: str) -> str:
        """Why nobody moves a Training that is not over on; "" where somebody does."""
        return why_idle(self.driver(), training)

    def mount(self, version: ModelVersion) -> None:
        """Make a version's files appear at `models/NAME/VERSION` of the volume: by a link where the repository is on this machine.

        Raises NotFound, Corrupt, or Unavailable, also where the volume is full.
        """
        target = self.home.root / version.path
        if target.exists() and self.is_ours(target, version):
            return
        try:
            source = self.repository.path(version.model, version.version, self.home.cache / "models")
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.{os.getpid()}")
            beside.unlink(missing_ok=True)
            beside.symlink_to(source, target_is_directory=True)
            beside.replace(target)
        except OSError as wrong:
            raise Unavailable(f"{version.model}@{version.version} cannot be mounted at {target}: {wrong.strerror}") from wrong

    def is_ours(self, target: Path, version: ModelVersion) -> bool:
        """Whether what is mounted came from this repository: the one before (another LYKEION_REPOSITORY) counted its own versions."""
        here = self.repository.store.local_path(version_folder(version.model, version.version))
        return target.resolve() == here.resolve() if here is not None else True

    def mounted(self, selector: str) -> tuple[ModelVersion, Path]:
        """A version and the folder with its files. Raises NotFound."""
        version = self.repository.resolve(selector)
        self.mount(version)
        return version, self.home.root / version.path

    def deployed(self) -> dict[str, str]:
        """serving -> alias, of every version that an alias names and that was published to be served.

        A version whose manifest is damaged keeps no other from being served.
        """
        found = {}
        for model in self.repository.models():
            for alias, version in self.repository.aliases(model).items():
                with suppress(Corrupt, NotFound):
                    deploy = self.repository.manifest(model, version).deploy
                    if deploy.get("track") == alias and is_name(deploy.get("serving")):
                        found[str(deploy["serving"])] = alias
        return found

    def close(self) -> None:
        self.bell.close()
        self.resources.close()

    def __enter__(self) -> "Platform":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_name(given: object) -> bool:
    """Whether a family can have this name. What other publishers write need not be one."""
    try:
        check_family(str(given or ""))
    except ValueError:
        return False
    return bool(given)


def local(home: str | None = None) -> Platform:
    """The platform whose home is `home`, else $LYKEION_HOME, else ~/.lykeion. Its repository: $LYKEION_REPOSITORY, else in the home."""
    place = Home.chosen(home)
    clock, bell = SystemClock(), Bell(place.sockets)
    url = os.environ.get("LYKEION_REPOSITORY") or place.repository.as_uri()
    return Platform(
        home=place,
        clock=clock,
        bell=bell,
        resources=SqliteResources(place.database, clock, bell.ring),
        outputs=DirectoryOutputs(place.root),
        components=Catalogue(place.cache / "components"),
        repository=open_repository(url),
        repository_url=url,
        containers=Containers(place.root / "images"),
    )


def tasks_engine(platform: Platform, only: str | None = None) -> Tasks:
    """The engine that runs steps, `only` of one Training. Raises Unavailable where another process of this home has it."""
    return Tasks(
        platform.home.root,
        runner=RUNNER,
        outputs=platform.outputs,
        secrets=Secrets(platform.home.root / "secrets"),
        containers=platform.containers.runtime,
        who=f"the run of {only}" if only else "lykeion up",
        moves=only or ALL,
    )


def children(platform: Platform, tasks: Tasks | None, services: bool) -> LocalChildren:
    kept = Services(platform.home, platform.clock, platform.mount) if services else None
    return LocalChildren(platform.home, tasks, kept, platform.bell, mount=platform.mount)


def trainings(platform: Platform, engine: LocalChildren, only: str | None = None) -> Trainings:
    """What moves Trainings on; `only` the one of that name."""
    return Trainings(
        platform.resources,
        engine,
        platform.outputs,
        platform.components,
        platform.resolve,
        platform.repository_url,
        platform.clock,
        only,
        containers=platform.containers,
    )


def servings(platform: Platform, engine: LocalChildren) -> Servings:
    return Servings(platform.resources, engine, platform.resolve, journalled(platform), platform.clock)


def journalled(platform: Platform) -> Callable[[], Mapping[str, str]]:
    """`deployed`, looked up again only when the repository's journal has grown, and once an hour: see `Repository.journal`."""
    seen, known, looked = 0, dict[str, str](), -HOUR

    def deployed() -> Mapping[str, str]:
        nonlocal seen, known, looked
        entries = platform.repository.journal(seen)
        if entries or monotonic() - looked >= HOUR:
            known = platform.deployed()  # what it raises leaves us where we were: we look again
            seen, looked = max([seen, *(int(entry["n"]) for entry in entries)]), monotonic()
        return known

    return deployed
