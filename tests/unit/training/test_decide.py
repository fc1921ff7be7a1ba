"""What a Training does next, as a table of situations."""

from dataclasses import replace
from datetime import timedelta

from lykeion.core.values import Child, ModelVersion
from lykeion.testing.builders import NOON, pipeline, signatures, training

LINE = pipeline({"name": "a"}, {"name": "b", "inputs": {"x": "a.out"}}, {"name": "c", "inputs": {"x": "b.out"}})


def phases(t):
    return {step.name: step.phase for step in t.status.steps}


def lost(task, now, reason="Lost"):
    return Child(task.name, "Task", "Failed", reason, "gone", started=now, finished=now)


def broken(task, now):
    return Child(task.name, "Task", "Failed", "Error", "it broke", started=now, finished=now, log_tail="last words")


def test_steps_run_in_the_order_of_their_inputs(engine):
    over = engine.run(training(LINE))
    assert engine.ran() == ["a", "b", "c"]
    assert over.status.phase == "Succeeded"
    assert set(phases(over).values()) == {"Succeeded"}


def test_what_is_on_the_volume_is_not_run_again(engine):
    engine.run(training(LINE))
    engine.forget_children()
    engine.started.clear()
    again, _ = engine.once(training(LINE, "again"))
    assert again.status.phase == "Succeeded", "one pass is enough when all is cached"
    assert engine.started == []
    assert set(phases(again).values()) == {"Cached"}
    assert [step.cache for step in again.status.steps] == ["hit"] * 3


def test_a_run_that_is_told_not_to_use_the_cache_runs_everything(engine):
    engine.run(training(LINE))
    engine.forget_children()
    engine.started.clear()
    over = engine.run(training(LINE, "again", cache="Refresh"))
    assert engine.ran() == ["a", "b", "c"]
    assert over.status.steps[0].why == "this run was told not to use the cache"


def test_changed_code_runs_that_step_and_what_its_new_output_changes(engine):
    engine.run(training(LINE))
    engine.forget_children()
    engine.started.clear()
    known = signatures(LINE.spec)
    known["work:b"] = replace(known["work:b"], identity="other code")
    engine.run(training(LINE, "again", known=known))
    assert engine.ran() == ["b", "c"]


def test_a_failed_step_ends_what_needs_it_and_lets_the_rest_go_on(engine):
    fork = pipeline({"name": "a"}, {"name": "b", "inputs": {"x": "a.out"}}, {"name": "other"})
    good = engine.outcome
    engine.outcome = lambda task, now: broken(task, now) if task.steps[0].step == "a" else good(task, now)
    over = engine.run(training(fork))
    assert phases(over) == {"a": "Failed", "b": "Skipped", "other": "Succeeded"}
    assert over.status.phase == "Failed"
    (condition,) = over.status.conditions
    assert condition.status == "False"
    assert condition.message == "step a: it broke"
    assert next(step for step in over.status.steps if step.name == "a").log_tail == "last words"
    assert "StepFailed" in engine.events


def test_retries_wait_twice_as_long_each_time(engine):
    one = pipeline({"name": "a", "retry": {"limit": 2, "backoff": "2s"}})
    engine.outcome = broken
    over = engine.run(training(one))
    (step,) = over.status.steps
    assert step.attempts == 3
    assert engine.now - NOON == timedelta(seconds=2 + 4)


def test_a_worker_that_the_engine_lost_is_not_the_fault_of_the_step(engine):
    good, falls = engine.outcome, iter([True, True, False])
    engine.outcome = lambda task, now: lost(task, now) if next(falls) else good(task, now)
    over = engine.run(training(pipeline({"name": "a"})))
    assert over.status.phase == "Succeeded"
    assert over.status.steps[0].attempts == 3


def test_losses_do_not_go_on_for_ever(engine):
    engine.outcome = lost
    assert engine.run(training(pipeline({"name": "a"}))).status.steps[0].attempts == 4


def test_a_new_engine_takes_over_what_the_old_one_finished(engine):
    t, _ = engine.once(training(LINE))
    engine.forget_children()  # the engine died after the step's output was committed and before we heard of it
    engine.started.clear()
    over = engine.run(t)
    assert over.status.phase == "Succeeded"
    assert engine.ran() == ["b", "c"]
    assert phases(over)["a"] == "Succeeded"


def test_a_new_engine_starts_again_what_the_old_one_did_not_finish(engine):
    t, _ = engine.once(training(LINE))
    engine.forget_children()
    engine.outputs.clear()
    engine.started.clear()
    assert engine.run(t).status.phase == "Succeeded"
    assert engine.ran() == ["a", "b", "c"]


def test_cancelling_ends_what_runs_and_nothing_starts_after(engine):
    engine.outcome = lambda task, now: Child(task.name, "Task", "Running", started=now)
    t, _ = engine.once(training(LINE))
    t = t.model_copy(update={"spec": t.spec.model_copy(update={"state": "Cancelled"})})
    t, decision = engine.once(t)
    assert t.status.phase == "Cancelled"
    assert decision.delete == ("t.a.1",)
    assert set(phases(t).values()) == {"Cancelled"}


def test_progress_of_a_running_step_is_seen(engine):
    engine.outcome = lambda task, now: Child(task.name, "Task", "Running", started=now, done=3, total=9, unit="pictures", cpu=1.5)
    t, _ = engine.once(training(pipeline({"name": "a"})))
    t, _ = engine.once(t)
    (step,) = t.status.steps
    assert (step.phase, step.done, step.total, step.unit, step.cpu_seconds) == ("Running", 3, 9, "pictures", 1.5)


def test_nothing_changed_is_the_same_status_object(engine):
    engine.outcome = lambda task, now: Child(task.name, "Task", "Running", started=now)
    t, _ = engine.once(training(pipeline({"name": "a"})))
    t, _ = engine.once(t)
    _, decision = engine.once(t)
    assert decision.status is t.status


def test_a_step_that_is_never_cached_runs_every_time_under_a_key_of_its_own(engine):
    never = pipeline({"name": "a", "cache": "never"})
    engine.run(training(never))
    engine.forget_children()
    other = training(never, "other")
    over = engine.run(other)
    assert engine.ran() == ["a", "a"]
    assert over.status.steps[0].cache == "off"


def test_a_time_to_live_makes_old_results_misses(engine):
    hourly = pipeline({"name": "a", "cache": "1h"})
    engine.run(training(hourly))
    engine.forget_children()
    assert engine.run(training(hourly, "soon", now=NOON + timedelta(minutes=59))).status.steps[0].phase == "Cached"
    assert engine.run(training(hourly, "late", now=NOON + timedelta(minutes=61))).status.steps[0].phase == "Succeeded"


def test_a_result_with_an_undeclared_import_is_used_in_its_run_and_never_found_again(engine):
    good = engine.outcome

    def uncached(task, now):
        child = good(task, now)
        return replace(child, results={name: replace(found, uncached="imports helper.py") for name, found in child.results.items()})

    engine.outcome = uncached
    over = engine.run(training(LINE))
    assert over.status.phase == "Succeeded"
    assert over.status.steps[0].cache == "off"
    assert over.status.steps[0].why == "imports helper.py"


def test_an_uncacheable_result_of_another_run_is_not_taken_over(engine):
    one = pipeline({"name": "a"})
    good = engine.outcome
    engine.outcome = lambda task, now: Child(task.name, "Task", "Running", started=now)
    t, _ = engine.once(training(one))
    (task,) = engine.started
    (result,) = good(task, NOON).results.values()
    engine.forget_children()
    engine.outputs[result.key] = replace(result, uncached="imports helper.py", created=NOON - timedelta(hours=1))
    _, decision = engine.once(t)
    assert len(decision.apply) == 1, "it is run again"
    engine.outputs[result.key] = replace(result, uncached="imports helper.py", created=NOON + timedelta(seconds=1))
    engine.forget_children()
    t, _ = engine.once(t)
    assert t.status.steps[0].phase == "Succeeded"


def test_a_fingerprint_is_asked_for_before_the_key_is_known(engine):
    spec = pipeline({"name": "a"}).spec
    known = signatures(spec, fingerprint=True)
    over = engine.run(training(pipeline({"name": "a"}), known=known))
    assert [task.steps[0].mode for task in engine.started] == ["fingerprint", "run"]
    assert over.status.steps[0].fingerprint == "as it is now"


SPACE = pipeline(
    {"name": "features"},
    {"name": "space", "inputs": {"x": "features.out"}},
    {"name": "index", "inputs": {"x": "features.out", "space": {"model": "m-space", "alias": "stable", "otherwise": "space.out"}}},
    publish=[{"output": "space.out", "model": "m-space"}, {"output": "index.out", "model": "m", "requires": "metrics.recall >= 0.9"}],
)


def test_otherwise_runs_and_publishes_only_where_the_model_does_not_exist(engine):
    over = engine.run(training(SPACE))
    assert engine.ran() == ["features", "space", "index", "publish-m-space", "publish-m"]
    assert [one.model for one in over.status.published] == ["m-space", "m"]


def test_an_existing_model_is_taken_by_its_content(engine):
    versions = {"m-space@stable": ModelVersion("m-space", 3, "sha256:abc")}
    over = engine.run(training(SPACE, versions=versions))
    assert engine.ran() == ["features", "index", "publish-m"]
    index = next(task for task in engine.started if task.steps[0].step == "index")
    assert index.models == (ModelVersion("m-space", 3, "sha256:abc"),)
    assert index.steps[0].inputs["space"] == "models/m-space/3"
    assert index.steps[0].digests["space"] == "sha256:abc"
    assert phases(over)["space"] == "Skipped"


def test_the_same_content_from_a_model_or_from_a_step_is_the_same_key(engine):
    first = engine.run(training(SPACE))
    space, index = (next(step for step in first.status.steps if step.name == name) for name in ("space", "index"))
    engine.forget_children()
    versions = {"m-space@stable": ModelVersion("m-space", 1, space.outputs["out"])}
    again = engine.run(training(SPACE, "again", versions=versions))
    assert next(step for step in again.status.steps if step.name == "index").key == index.key
    assert phases(again)["index"] == "Cached"


def test_a_missing_model_without_otherwise_says_so(engine):
    t = training(pipeline({"name": "a", "inputs": {"x": "models:nothing@stable"}}))
    over = engine.run(t)
    assert over.status.steps[0].reason == "ModelNotFound"
    assert "nothing@stable" in over.status.conditions[0].message


def test_a_gate_that_does_not_hold_publishes_but_moves_no_alias(engine):
    engine.run(training(SPACE))
    publish = next(task for task in engine.started if task.steps[0].step == "publish-m")
    assert publish.steps[0].parameters["requires_ok"] is False
    assert "recall" in publish.steps[0].parameters["why_not"]


def test_publishing_is_tried_three_times(engine):
    good = engine.outcome
    engine.outcome = lambda task, now: broken(task, now) if task.steps[0].step.startswith("publish") else good(task, now)
    over = engine.run(training(SPACE))
    assert engine.ran().count("publish-m-space") == 3
    assert over.status.phase == "Failed"
    assert "publishing space.out as m-space: it broke" in over.status.conditions[0].message


def test_asking_for_some_steps_runs_those_and_what_they_need(engine):
    over = engine.run(training(LINE, steps=("b",)))
    assert phases(over) == {"a": "Succeeded", "b": "Succeeded", "c": "Skipped"}


def test_secrets_are_neither_in_keys_nor_in_step_files(engine):
    secret = pipeline({"name": "a", "env": {"PLAIN": "1", "TOKEN": "${secrets.shop.token}"}})
    engine.run(training(secret))
    (task,) = engine.started
    assert task.env == {"PLAIN": "1"}
    assert task.secrets == {"TOKEN": "shop.token"}
    assert "TOKEN" not in task.steps[0].to_json()
