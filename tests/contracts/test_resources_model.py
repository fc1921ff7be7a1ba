"""SQLite against the fake: whatever is done to both, in whatever order, through two connections, they answer the same."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lykeion.adapters.local.resources import SqliteResources
from lykeion.core.resources import Metadata, Pipeline, PipelineRef, PipelineSpec, Resource, Step, Training, TrainingSpec, TrainingStatus
from lykeion.core.values import Event, Ref
from lykeion.errors import LykeionError
from lykeion.testing.clock import FakeClock
from lykeion.testing.resources import FakeResources

NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(st.sampled_from(["x", "y"]), st.text(max_size=3), max_size=2)


def same(resource: Resource) -> Any:
    """What two stores must agree on: all but the identity."""
    blank = resource.metadata.model_copy(update={"uid": "", "resource_version": ""})
    return resource.model_copy(update={"metadata": blank})


class TwoStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.fake = FakeResources(self.clock)
        path = Path(self.folder.name) / "state.db"
        self.connections = [SqliteResources(path, self.clock), SqliteResources(path, self.clock)]
        self.turn = 0
        self.read: dict[tuple[str, str], tuple[Resource, Resource]] = {}

    @property
    def sqlite(self) -> SqliteResources:
        self.turn += 1
        return self.connections[self.turn % 2]

    def both(self, *call: Any) -> None:
        outcomes = []
        for store in (self.fake, self.sqlite):
            try:
                outcomes.append(getattr(store, call[0])(*call[1:]))
            except LykeionError as wrong:
                outcomes.append(type(wrong))
        mine, theirs = outcomes
        if isinstance(mine, Resource) and isinstance(theirs, Resource):
            assert same(mine) == same(theirs)
            self.read[mine.kind, mine.name] = (mine, theirs)
        else:
            assert mine == theirs

    @rule(name=NAMES, component=st.sampled_from(["m:a", "m:b"]), labels=LABELS, how=st.sampled_from(["create", "apply"]))
    def pipeline(self, name: str, component: str, labels: dict[str, str], how: str) -> None:
        spec = PipelineSpec(steps=(Step(name="s", component=component),))
        self.both(how, Pipeline(metadata=Metadata(name=name, labels=labels), spec=spec))

    @rule(name=NAMES, ref=NAMES, state=st.sampled_from(["Run", "Cancelled"]), how=st.sampled_from(["create", "apply"]))
    def training(self, name: str, ref: str, state: Any, how: str) -> None:
        self.both(how, Training(metadata=Metadata(name=name), spec=TrainingSpec(pipeline_ref=PipelineRef(name=ref), state=state)))

    @rule(kind=st.sampled_from(["Pipeline", "Training", "Serving"]), name=NAMES)
    def get(self, kind: str, name: str) -> None:
        self.both("get", kind, name)

    @rule(kind=st.sampled_from(["Pipeline", "Training"]), name=NAMES)
    def delete(self, kind: str, name: str) -> None:
        self.both("delete", kind, name)

    @rule(name=NAMES, phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]))
    def write_status(self, name: str, phase: Any) -> None:
        """With what was read last, which may be out of date."""
        if ("Training", name) in self.read:
            status = TrainingStatus(phase=phase, started_at=self.clock.advance(1))
            mine, theirs = (one.model_copy(update={"status": status}) for one in self.read["Training", name])
            outcomes = []
            for store, resource in ((self.fake, mine), (self.sqlite, theirs)):
                try:
                    outcomes.append(store.write_status(resource))
                except LykeionError as wrong:
                    outcomes.append(type(wrong))
            if isinstance(outcomes[0], Resource):
                assert same(outcomes[0]) == same(outcomes[1])
                self.read["Training", name] = (outcomes[0], outcomes[1])
            else:
                assert outcomes[0] == outcomes[1]

    @rule(name=NAMES, reason=st.sampled_from(["Started", "Failed"]))
    def record(self, name: str, reason: str) -> None:
        self.both("record", Event(Ref("Training", name), "Normal", reason, "text"), self.clock.advance(1))

    @invariant()
    def they_list_the_same(self) -> None:
        for kind in ("Pipeline", "Training"):
            store = self.sqlite
            assert [same(one) for one in store.list(kind)] == [same(one) for one in self.fake.list(kind)]
            assert [one.name for one in store.unfinished(kind)] == [one.name for one in self.fake.unfinished(kind)]
            assert [one.name for one in store.summaries(kind)] == [one.name for one in self.fake.list(kind)]
        assert list(self.sqlite.events()) == list(self.fake.events())
        for mine in self.fake.list("Training"):
            assert isinstance(mine, Training)
            before, theirs = self.fake.newest_before(mine), self.sqlite.newest_before(mine)
            assert (before and before.name) == (theirs and theirs.name)

    def teardown(self) -> None:
        for connection in self.connections:
            connection.close()
        self.folder.cleanup()


TwoStores.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
test_both_stores_always_agree = TwoStores.TestCase
