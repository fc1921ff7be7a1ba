"""What a run publishes, one thing after the other, and what it does when the repository does not answer at once."""

from datetime import timedelta

import pytest

from lykeion.core.pipelines.publishing import BACKOFF, alias_of, metrics_of, pending
from lykeion.core.resources import StepStatus
from lykeion.core.resources.pipeline import Deploy, Publish
from lykeion.core.resources.training import Published
from lykeion.core.values import Child
from lykeion.testing.builders import NOON, pipeline, training
from lykeion.testing.engine import InstantEngine, succeeded

TWO = pipeline({"name": "a"}, {"name": "b"}, publish=[{"output": "b.out", "model": "second"}, {"output": "a.out", "model": "first"}])


def failing(times: int, *, hopeless: bool = False):
    """The first `times` attempts to publish fail."""
    left = [times]

    def outcome(task, now):
        if task.steps[0].step.startswith("publish") and left[0]:
            left[0] -= 1
            told = "the store does not answer"
            return Child(task.name, "Task", "Failed", "Error", told, hopeless=hopeless, started=now, finished=now)
        return succeeded(task, now)

    return outcome


def test_a_version_says_under_which_gate_it_was_published():
    engine = InstantEngine()
    gated = pipeline({"name": "a"}, publish=[{"output": "a.out", "model": "m", "requires": "1 > 0"}, {"output": "a.out", "model": "n"}])
    engine.run(training(gated))
    told = {task.steps[0].parameters["model"]: task.steps[0].parameters["lineage"] for task in engine.started if task.imports}
    assert (told["m"]["requires"], told["n"]["requires"]) == ("1 > 0", "")


def test_things_are_published_one_after_the_other_in_the_order_of_the_file():
    engine = InstantEngine()
    over = engine.run(training(TWO))
    assert engine.ran()[-2:] == ["publish-second", "publish-first"]
    assert [(one.output, one.model) for one in over.status.published] == [("b.out", "second"), ("a.out", "first")]


@pytest.mark.parametrize(
    ("times", "phase", "seconds"),
    [(0, "Succeeded", 0), (1, "Succeeded", BACKOFF), (2, "Succeeded", 3 * BACKOFF), (3, "Failed", 3 * BACKOFF)],
)
def test_a_store_that_does_not_answer_is_asked_again_after_a_pause(times, phase, seconds):
    engine = InstantEngine(failing(times))
    over = engine.run(training(TWO))
    assert over.status.phase == phase
    assert engine.now - NOON == timedelta(seconds=seconds)
    if phase == "Failed":
        assert over.status.conditions[0].message == "publishing b.out as second: the store does not answer"
        assert over.status.published == ()


def test_a_store_that_says_no_is_not_asked_again():
    engine = InstantEngine(failing(9, hopeless=True))
    over = engine.run(training(TWO))
    assert over.status.phase == "Failed"
    assert engine.ran().count("publish-second") == 1
    assert engine.now == NOON


def test_a_pause_that_is_over_is_over_however_late_we_look():
    engine = InstantEngine(failing(1))
    moving = training(TWO)
    for _ in range(2):
        moving, _ = engine.once(moving)
    engine.now += timedelta(hours=1)
    assert engine.run(moving).status.phase == "Succeeded"
    assert engine.now - NOON == timedelta(hours=1)


def test_what_a_skipped_step_would_have_made_is_passed_over():
    steps = {"a": StepStatus(name="a", phase="Skipped"), "b": StepStatus(name="b", phase="Cached")}
    first = pending(TWO.spec, steps, ())
    assert first is not None
    assert first.model == "second"
    assert pending(TWO.spec, steps, (Published(output="b.out", model="second", version=1),)) is None


def test_the_alias_is_that_of_deploy_or_stable():
    assert alias_of(Publish(output="a.out", model="m")) == "stable"
    assert alias_of(Publish(output="a.out", model="m", deploy=Deploy(serving="s", track="canary"))) == "canary"


def test_metrics_go_by_name_and_by_step_too_where_two_report_one():
    steps = {"a": StepStatus(name="a", metrics={"recall": 0.5, "rows": 3}), "b": StepStatus(name="b", metrics={"recall": 0.9})}
    assert metrics_of(steps) == {"recall": 0.9, "a.recall": 0.5, "b.recall": 0.9, "rows": 3}


def test_what_steps_set_aside_is_added_up():
    steps = {name: StepStatus(name=name, metrics={"quarantined": count}) for name, count in {"a": 9, "b": 2, "c": 0}.items()}
    steps["d"] = StepStatus(name="d", metrics={"rows": 3})
    assert metrics_of(steps) == {"quarantined": 11, "a.quarantined": 9, "b.quarantined": 2, "c.quarantined": 0, "rows": 3}


def test_a_new_engine_goes_on_publishing_where_the_old_one_was():
    engine = InstantEngine()
    moving = training(TWO)
    while not moving.status.published:
        moving, _ = engine.once(moving)
    engine.forget_children()
    over = engine.run(moving)
    assert [one.model for one in over.status.published] == ["second", "first"]
    assert engine.ran().count("publish-second") == 1
