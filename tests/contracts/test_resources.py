"""What every store of resources keeps to: the fake and SQLite alike."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lykeion.adapters.local.resources import SqliteResources
from lykeion.core.resources import Metadata, Pipeline, PipelineRef, PipelineSpec, Step, StepStatus, Training, TrainingSpec, TrainingStatus
from lykeion.core.values import Event, Ref
from lykeion.errors import Conflict, Invalid, NotFound
from lykeion.ports import Resources
from lykeion.testing.clock import FakeClock
from lykeion.testing.resources import FakeResources

CLOCK = FakeClock()


@pytest.fixture(params=["fake", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Resources]:
    if request.param == "fake":
        yield FakeResources(CLOCK)
        return
    sqlite = SqliteResources(tmp_path / "state.db", CLOCK)
    yield sqlite
    sqlite.close()


def pipeline(name: str, component: str = "a.b:c", **metadata: object) -> Pipeline:
    return Pipeline(metadata=Metadata(name=name, **metadata), spec=PipelineSpec(steps=(Step(name="one", component=component),)))


def training(name: str, state: str = "Run", **spec: object) -> Training:
    return Training(metadata=Metadata(name=name), spec=TrainingSpec(pipeline_ref=PipelineRef(name="shop"), state=state, **spec))


def ended(store: Resources, name: str, phase: str = "Succeeded") -> Training:
    made = store.create(training(name))
    return store.write_status(made.model_copy(update={"status": TrainingStatus(phase=phase)}))


def test_what_is_created_gets_an_identity_a_first_generation_and_a_time(store: Resources) -> None:
    made = store.create(pipeline("shop"))
    assert made.metadata.uid
    assert made.metadata.generation == 1
    assert made.metadata.creation_timestamp == CLOCK.now()
    assert made.metadata.resource_version
    assert store.get("Pipeline", "shop") == made


def test_a_name_is_taken_once_per_kind(store: Resources) -> None:
    store.create(pipeline("shop"))
    store.create(training("shop"))
    with pytest.raises(Conflict, match="pipeline/shop"):
        store.create(pipeline("shop"))


def test_identity_and_status_are_not_the_writers_to_say(store: Resources) -> None:
    made = store.create(
        training("run").model_copy(
            update={
                "metadata": Metadata(name="run", uid="mine", generation=9, resource_version="77"),
                "status": TrainingStatus(phase="Succeeded"),
            }
        )
    )
    assert (made.metadata.uid != "mine", made.metadata.generation, made.status.phase) == (True, 1, "Pending")


def test_applying_the_same_again_writes_nothing(store: Resources) -> None:
    first = store.apply(pipeline("shop"))
    before = store.changes()
    assert store.apply(pipeline("shop")) == first
    assert store.changes() == before


def test_generation_counts_changes_of_the_spec_alone(store: Resources) -> None:
    store.apply(pipeline("shop"))
    labelled = store.apply(pipeline("shop", labels={"team": "a"}))
    assert (labelled.metadata.generation, labelled.metadata.labels) == (1, {"team": "a"})
    changed = store.apply(pipeline("shop", component="a.b:d", labels={"team": "a"}))
    assert changed.metadata.generation == 2
    assert changed.metadata.uid == labelled.metadata.uid
    assert changed.metadata.resource_version != labelled.metadata.resource_version


def test_apply_keeps_the_status(store: Resources) -> None:
    run = store.create(training("run"))
    store.write_status(run.model_copy(update={"status": TrainingStatus(phase="Running")}))
    assert store.apply(training("run", state="Cancelled")).status.phase == "Running"


def test_a_training_never_changes_but_for_its_state(store: Resources) -> None:
    store.create(training("run"))
    assert store.apply(training("run", state="Cancelled")).spec.state == "Cancelled"
    with pytest.raises(Invalid, match=r"spec\.parameters.*\n.*spec\.steps"):
        store.apply(training("run", state="Cancelled", parameters={"a": 1}, steps=("one",)))
    with pytest.raises(Invalid, match="for good"):
        store.apply(training("run"))


def test_a_status_read_before_somebody_elses_write_is_refused(store: Resources) -> None:
    stale = store.create(training("run"))
    fresh = store.write_status(stale.model_copy(update={"status": TrainingStatus(phase="Running")}))
    with pytest.raises(Conflict, match="read it again"):
        store.write_status(stale.model_copy(update={"status": TrainingStatus(phase="Failed")}))
    assert store.get("Training", "run") == fresh


def test_a_status_for_an_earlier_holder_of_the_name_is_refused(store: Resources) -> None:
    old = store.create(training("run"))
    store.delete("Training", "run")
    with pytest.raises(NotFound):
        store.write_status(old)
    store.create(training("run"))
    with pytest.raises(Conflict):
        store.write_status(old)


def test_writing_a_status_leaves_the_spec_that_is_there(store: Resources) -> None:
    made = store.create(training("run"))
    forged = made.model_copy(update={"spec": TrainingSpec(pipeline_ref=PipelineRef(name="other"))})
    assert store.write_status(forged).spec == made.spec


def test_a_status_comes_back_as_it_was_written(store: Resources) -> None:
    steps = (
        StepStatus(name="one", phase="Succeeded", metrics={"recall": 0.5}, started_at=CLOCK.now(), result={"a": [1, None, "ü"]}),
        StepStatus(name="two", log_tail='"quoted"\n\x00'),
    )
    made = store.create(training("run"))
    store.write_status(made.model_copy(update={"status": TrainingStatus(phase="Running", steps=steps)}))
    assert store.get("Training", "run").status.steps == steps


def test_a_metric_that_is_no_number_can_be_read_again(store: Resources) -> None:
    made = store.create(training("run"))
    store.write_status(made.model_copy(update={"status": TrainingStatus(steps=(StepStatus(name="a", metrics={"x": float("nan")}),))}))
    read = store.get("Training", "run").status.steps[0].metrics["x"]
    assert read != read


def test_a_missing_name_is_answered_with_the_nearest(store: Resources) -> None:
    store.create(pipeline("photo-search"))
    with pytest.raises(NotFound, match="did you mean 'photo-search'"):
        store.get("Pipeline", "photo-serach")
    with pytest.raises(NotFound):
        store.delete("Pipeline", "nothing")


def test_lists_are_oldest_first_and_by_kind(store: Resources) -> None:
    for name in ("c", "a", "b"):
        store.create(pipeline(name))
    store.create(training("z"))
    store.apply(pipeline("c", component="a.b:e"))
    assert [one.name for one in store.list("Pipeline")] == ["c", "a", "b"]
    assert [one.name for one in store.list("Serving")] == []
    assert [one.name for one in store.summaries("Pipeline")] == ["c", "a", "b"]


def test_unfinished_are_those_that_have_not_ended(store: Resources) -> None:
    for name, phase in (("a", "Succeeded"), ("b", "Running"), ("c", "Failed"), ("d", "Cancelled")):
        ended(store, name, phase)
    store.create(training("e"))
    assert [one.name for one in store.unfinished("Training")] == ["b", "e"]


def test_the_run_before_is_the_newest_ended_one_of_the_same_pipeline(store: Resources) -> None:
    ended(store, "first")
    ended(store, "second", "Failed")
    store.create(training("going"))
    now = store.create(training("now"))
    ended(store, "later")
    found = store.newest_before(now)
    assert found is not None
    assert found.name == "second"
    assert store.newest_before(store.get("Training", "first")) is None


def test_a_repeated_event_is_counted(store: Resources) -> None:
    event = Event(Ref("Training", "run"), "Warning", "Failed", "step one failed")
    store.record(event, CLOCK.now())
    store.record(event, CLOCK.now() + timedelta(seconds=5))
    store.record(Event(Ref("Training", "other"), "Normal", "Started", "x"), CLOCK.now())
    assert list(store.events(Ref("Training", "run"))) == [(CLOCK.now() + timedelta(seconds=5), 2, event)]
    assert [event.regarding.name for _, _, event in store.events()] == ["other", "run"]


def test_events_go_with_their_resource(store: Resources) -> None:
    store.create(training("run"))
    store.record(Event(Ref("Training", "run"), "Normal", "Started", "x"), CLOCK.now())
    store.delete("Training", "run")
    assert list(store.events()) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.create(pipeline("new")),
        lambda store: store.apply(pipeline("shop", component="x.y:z")),
        lambda store: store.delete("Pipeline", "shop"),
        lambda store: store.write_status(store.get("Pipeline", "shop")),
        lambda store: store.record(Event(Ref("Pipeline", "shop"), "Normal", "R", "m"), CLOCK.now()),
    ],
)
def test_every_write_is_a_change_and_reading_is_none(store: Resources, write: Callable[[Resources], object]) -> None:
    store.create(pipeline("shop"))
    before = store.changes()
    store.list("Pipeline")
    assert store.changes() == before
    write(store)
    assert store.changes() != before
