"""The loops over resources in memory and in SQLite, and an engine that a test plays."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lykeion.adapters.local.resources import SqliteResources
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources import Metadata, PipelineRef, Training, TrainingSpec
from lykeion.core.values import Task
from lykeion.daemons.trainings import Trainings
from lykeion.errors import Invalid, Problem
from lykeion.testing.builders import pipeline, signatures
from lykeion.testing.children import FakeChildren
from lykeion.testing.clock import FakeClock
from lykeion.testing.containers import KnownImages
from lykeion.testing.engine import succeeded
from lykeion.testing.outputs import FakeOutputs
from lykeion.testing.resources import FakeResources

LINE = pipeline({"name": "a"}, {"name": "b", "inputs": {"x": "a.out"}}, name="line")


@dataclass
class FakeComponents:
    """Knows the components of the pipelines it was shown but those in `unknown`; keeps what it was asked."""

    known: dict[str, Signature] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def describe_all(self, folder: str, components, lock: Path | None = None, *, runs_here: bool = True):
        self.asked.append(tuple(components))
        bad = [component for component in components if component in self.unknown or component not in self.known]
        if bad:
            raise Invalid([Problem("there is no such module", field="component", value=component) for component in bad])
        return {component: self.known[component] for component in components}


class Shop:
    """One install, and its loop over Trainings."""

    def __init__(self, resources, clock: FakeClock) -> None:
        self.resources, self.clock = resources, clock
        self.children, self.outputs, self.components = FakeChildren(), FakeOutputs(), FakeComponents()
        self.versions = {}
        self.loop = self.new_loop()

    def new_loop(self, only: str | None = None) -> Trainings:
        return Trainings(
            self.resources,
            self.children,
            self.outputs,
            self.components,
            self.resolve,
            "file:///models",
            self.clock,
            only,
            containers=KnownImages(),
        )

    def resolve(self, selector: str):
        found = self.versions.get(selector)
        if isinstance(found, Exception):
            raise found
        return found

    def create(self, name: str = "t", of=LINE, **spec) -> Training:
        self.resources.apply(of)
        self.components.known |= signatures(of.spec)
        made = Training(metadata=Metadata(name=name), spec=TrainingSpec(pipeline_ref=PipelineRef(name=of.name), **spec))
        return self.resources.create(made)

    def training(self, name: str = "t") -> Training:
        return self.resources.get("Training", name)

    def passes(self, count: int = 1, seconds: float = 1.0) -> None:
        for _ in range(count):
            self.loop.pass_()
            self.clock.advance(seconds)

    def finish(self, name: str) -> None:
        """A task has ended well, and its outputs are on the volume."""
        task = self.children.wanted[name]
        assert isinstance(task, Task)
        child = succeeded(task, self.clock.now())
        self.children.children[name] = child
        self.outputs.results |= {result.key: result for result in child.results.values() if result.outputs}

    def finish_all(self, passes: int = 20) -> None:
        for _ in range(passes):
            self.passes()
            for name, child in list(self.children.children.items()):
                if child.phase in ("Pending", "Running"):
                    self.finish(name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def resources(request, tmp_path, clock):
    if request.param == "memory":
        yield FakeResources(clock)
        return
    kept = SqliteResources(tmp_path / "state.db", clock)
    yield kept
    kept.close()


@pytest.fixture
def shop(resources, clock) -> Shop:
    return Shop(resources, clock)


@pytest.fixture
def shop_class() -> type[Shop]:
    return Shop
