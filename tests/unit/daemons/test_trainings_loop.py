"""The loop over Trainings: what it writes, when, and what it does when others write too."""

import itertools

import pytest

from lykeion.core.resources import Training
from lykeion.core.resources.training import OVER
from lykeion.core.values import Child, Ref
from lykeion.errors import Conflict, Corrupt, Unavailable
from lykeion.testing.builders import pipeline

MODEL = pipeline({"name": "takes", "inputs": {"m": "models:photos@stable"}}, name="model")


def condition(training: Training):
    (found,) = training.status.conditions
    return found


@pytest.fixture
def written(shop, monkeypatch):
    """(time, phase) of every status that is written."""
    told = []
    write = shop.resources.write_status

    def noted(resource):
        stored = write(resource)
        told.append((shop.clock.now(), stored.status.phase))
        return stored

    monkeypatch.setattr(shop.resources, "write_status", noted)
    return told


def test_a_training_is_moved_to_its_end_and_its_children_are_let_go(shop):
    shop.create()
    shop.finish_all()
    assert shop.training().status.phase == "Succeeded"
    assert [step.phase for step in shop.training().status.steps] == ["Succeeded", "Succeeded"]
    assert shop.children.wanted == {}
    assert shop.loop.moving == {}


def test_a_status_is_written_at_most_twice_a_second_and_always_at_the_end(shop, written):
    shop.create(of=pipeline({"name": "a"}, name="one"))
    shop.passes(2)
    for done in range(100):  # one second of progress, in hundredths
        shop.children.becomes("t.a.1", phase="Running", done=done, total=100)
        shop.passes(seconds=0.01)
    assert len([phase for _, phase in written if phase == "Running"]) <= 5
    gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in itertools.pairwise(written)]
    assert all(gap >= 0.5 for gap in gaps)
    shop.finish("t.a.1")
    shop.passes(seconds=0.01)
    assert written[-1][1] == "Succeeded"


def test_what_was_not_written_yet_is_written_when_the_loop_ends(shop):
    shop.create()
    shop.passes(1, seconds=0.1)
    assert shop.training().status.pipeline is None
    shop.loop.settle()
    assert shop.training().status.pipeline is not None


def test_what_was_not_written_yet_is_looked_at_again_in_time(shop):
    shop.create()
    assert shop.loop.pass_() == 0.5


def test_nothing_is_written_while_nothing_changes(shop, written):
    shop.create()
    shop.passes(5)
    before = len(written)
    shop.passes(50)
    assert len(written) == before


def test_who_changes_the_resource_meanwhile_loses_nothing_and_nor_do_we(shop):
    shop.create()
    shop.passes(3)
    shop.finish("t.a.1")
    kept = shop.training()
    labelled = kept.model_copy(update={"metadata": kept.metadata.model_copy(update={"labels": {"by": "me"}})})
    shop.loop.take_in()
    shop.resources.apply(labelled)  # between the controller's look and its write
    take_in, shop.loop.take_in = shop.loop.take_in, lambda: None
    shop.passes()
    shop.loop.take_in = take_in
    shop.finish_all()
    assert shop.training().metadata.labels == {"by": "me"}
    assert shop.training().status.phase == "Succeeded"


@pytest.mark.parametrize("blind", [False, True])
def test_a_cancellation_is_heard_though_a_status_was_to_be_written(shop, blind):
    shop.create()
    shop.passes(2)
    kept = shop.training()
    shop.resources.apply(kept.model_copy(update={"spec": kept.spec.model_copy(update={"state": "Cancelled"})}))
    if blind:  # the write comes before we look
        shop.children.becomes("t.a.1", phase="Running", done=1, total=2)
        take_in, shop.loop.take_in = shop.loop.take_in, lambda: None
        shop.passes()
        shop.loop.take_in = take_in
    shop.passes(2)
    assert shop.training().status.phase == "Cancelled"
    assert shop.children.wanted == {}


def test_the_children_of_a_deleted_training_are_ended(shop):
    shop.create()
    shop.passes(2)
    assert "t.a.1" in shop.children.wanted
    shop.resources.delete("Training", "t")
    shop.passes()
    assert shop.children.wanted == {}
    assert shop.loop.moving == {}


def test_a_training_deleted_and_made_anew_begins_anew(shop):
    shop.create()
    shop.passes(2)
    shop.finish("t.a.1")
    shop.passes(2)
    assert shop.training().status.steps[0].phase == "Succeeded"
    shop.outputs.results.clear()
    shop.resources.delete("Training", "t")
    shop.create()
    shop.passes(2)
    assert shop.training().status.steps[0].phase == "Waiting"
    assert set(shop.children.wanted) == {"t.a.1"}
    assert shop.children.children["t.a.1"].phase == "Pending"


def test_a_training_made_anew_between_our_look_and_our_write_keeps_nothing_of_the_old_one(shop):
    shop.create()
    shop.passes(2)
    shop.finish("t.a.1")
    shop.outputs.results.clear()
    take_in, shop.loop.take_in = shop.loop.take_in, lambda: None
    shop.resources.delete("Training", "t")
    shop.create()
    shop.passes()
    shop.loop.take_in = take_in
    shop.passes(2)
    assert shop.training().status.steps[0].phase == "Waiting"


def test_an_invalid_pipeline_is_a_failed_training_with_every_problem(shop):
    shop.components.unknown = {"work:a", "work:b"}
    shop.create(parameters={"nothing": 1}, steps=("c",))
    shop.passes(2)
    found = shop.training().status
    assert (found.phase, condition(shop.training()).reason) == ("Failed", "Invalid")
    for part in ("parameters.nothing", "no step 'c'", "steps[0].component", "steps[1].component"):
        assert part in condition(shop.training()).message


def test_a_training_of_no_pipeline_says_so(shop):
    shop.create()
    shop.resources.delete("Pipeline", "line")
    shop.passes(2)
    assert "pipeline/line" in condition(shop.training()).message


@pytest.mark.parametrize(
    ("wrong", "reason"), [(Corrupt("manifest.json is not what it was"), "Corrupt"), (Unavailable("no answer"), "Unavailable")]
)
def test_a_repository_that_cannot_be_read_fails_the_training_and_never_ends_the_loop(shop, wrong, reason):
    shop.versions["photos@stable"] = wrong
    shop.create(of=MODEL)
    shop.create("other")
    shop.passes(3)
    assert (shop.training().status.phase, condition(shop.training()).reason) == ("Failed", reason)
    assert str(wrong) in condition(shop.training()).message
    shop.finish_all()
    assert shop.training("other").status.phase == "Succeeded"


def test_a_full_disk_delays_what_is_written_and_loses_nothing(shop, monkeypatch):
    shop.create()
    shop.passes(2)
    write, record = shop.resources.write_status, shop.resources.record

    def full(*_):
        raise Unavailable("the disk is full")

    monkeypatch.setattr(shop.resources, "write_status", full)
    monkeypatch.setattr(shop.resources, "record", full)
    shop.finish_all()
    assert shop.training().status.phase not in OVER
    assert "t" in shop.loop.moving
    monkeypatch.setattr(shop.resources, "write_status", write)
    monkeypatch.setattr(shop.resources, "record", record)
    shop.passes(2)
    assert shop.training().status.phase == "Succeeded"
    assert shop.children.wanted == {}


def test_a_new_controller_goes_on_from_what_is_written_and_on_the_volume(shop):
    shop.create()
    shop.passes(2)
    shop.finish("t.a.1")  # after the last status was written
    shop.children.wanted.clear()
    shop.children.children.clear()
    shop.loop = shop.new_loop()
    shop.passes(2)
    assert set(shop.children.wanted) == {"t.b.1"}
    shop.finish_all()
    assert [step.phase for step in shop.training().status.steps] == ["Succeeded", "Succeeded"]


def test_only_one_training_is_moved_where_one_is_asked_for(shop):
    shop.create("mine")
    shop.create("yours")
    shop.loop = shop.new_loop(only="mine")
    shop.finish_all()
    assert shop.training("mine").status.phase == "Succeeded"
    assert shop.training("yours").status.phase == "Pending"


def test_why_a_step_runs_again_is_said_by_comparison_with_the_run_before(shop):
    with_size = pipeline({"name": "a", "env": {"SIZE": "1"}}, name="p")
    shop.create("first", of=with_size)
    shop.finish_all()
    shop.create("second", of=pipeline({"name": "a", "env": {"SIZE": "2"}}, name="p"))
    shop.finish_all()
    assert shop.training("second").status.steps[0].why == "environment variable SIZE: '1' then, '2' now (since first)"


def test_runs_that_could_not_begin_do_not_hide_the_one_to_compare_with(shop):
    shop.create("good", of=pipeline({"name": "a", "env": {"SIZE": "1"}}, name="p"))
    shop.finish_all()
    for number in range(3):
        shop.create(f"bad-{number}", of=pipeline({"name": "a", "with": {"size": "${parameters.none}"}}, name="p"))
    shop.finish_all()
    shop.create("last", of=pipeline({"name": "a", "env": {"SIZE": "2"}}, name="p"))
    shop.finish_all()
    assert shop.training("bad-2").status.phase == "Failed"
    assert shop.training("last").status.steps[0].why == "environment variable SIZE: '1' then, '2' now (since good)"


def test_a_hundred_trainings_side_by_side_each_come_to_their_end(shop):
    for number in range(100):
        shop.create(f"t-{number}", of=pipeline({"name": "a", "env": {"N": str(number)}}, name=f"p-{number}"))
    shop.finish_all(4)
    assert {training.status.phase for training in shop.resources.list("Training")} == {"Succeeded"}


def test_children_of_others_are_left_alone(shop):
    shop.create()
    shop.passes(2)
    assert shop.children.observe(Ref("Training", "other")) == {}
    shop.children.children["stranger"] = Child("stranger", "Task")
    shop.resources.delete("Training", "t")
    shop.passes()
    assert "stranger" in shop.children.children


def test_conflicts_on_every_write_cost_time_only(shop, monkeypatch):
    shop.create()
    write = shop.resources.write_status
    tries = iter([True] * 10)

    def contested(resource):
        if next(tries, False):
            raise Conflict("changed")
        return write(resource)

    monkeypatch.setattr(shop.resources, "write_status", contested)
    shop.finish_all(30)
    assert shop.training().status.phase == "Succeeded"
