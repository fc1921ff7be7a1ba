"""Why a step is run again: compared with the right earlier run, by the file, package, input or version that differs."""

from dataclasses import replace

import pytest

from lykeion.core.pipelines.keys import KeyMaterial
from lykeion.core.pipelines.material import material_in
from lykeion.core.pipelines.reasons import changes_of_code, comparable
from lykeion.core.pipelines.signature import LOCK, ParameterSignature, Signature
from lykeion.core.resources.training import StepStatus
from lykeion.core.values import Child, ModelVersion
from lykeion.testing.builders import pipeline, signatures, training

CODE = Signature("/p/words.py:top", sources={"words.py": "1", "poem.txt": "2"}, environment={"numpy": "2.3", "gone": ""}, python="3.11")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sources": {"words.py": "9", "poem.txt": "2"}}, ["words.py changed"]),
        ({"sources": {"words.py": "1", "new.py": "3"}}, ["new.py is new", "poem.txt is not there any more"]),
        ({"environment": {"numpy": "2.4", "gone": ""}}, ["numpy 2.3 then, 2.4 now"]),
        ({"environment": {"numpy": "2.3", "gone": "1"}}, ["gone not installed then, 1 now"]),
        ({"environment": {"gone": ""}}, ["numpy 2.3 then, not installed now"]),
        ({"python": "3.12"}, ["Python 3.11 then, 3.12 now"]),
        ({"component": "/elsewhere/words.py:best"}, ["the function is best, was top"]),
        ({"identity": "another"}, ["Lykeion's own code changed, which the component uses"]),
    ],
)
def test_what_changed_in_the_code_is_named(change, told):
    assert changes_of_code(replace(CODE, **change), CODE) == told


def test_another_requirements_file_is_named_and_no_digest_shown():
    assert changes_of_code(replace(CODE, environment={LOCK: "b"}), replace(CODE, environment={LOCK: "a"})) == [f"the {LOCK} changed"]


def test_nothing_is_claimed_of_code_that_an_older_version_described():
    assert changes_of_code(CODE, Signature("c", sources={})) == []


def run(name: str, **steps: tuple[str, str]):
    """A run of which each step has a phase and a key."""
    made = training(pipeline(*({"name": step} for step in steps)), name)
    told = tuple(StepStatus(name=step, phase=phase, key=key) for step, (phase, key) in steps.items())
    return made.model_copy(update={"status": made.status.model_copy(update={"steps": told})})


def test_a_step_is_compared_with_the_newest_run_in_which_it_succeeded():
    failed, good, older = run("p-3", a=("Failed", "3")), run("p-2", a=("Cached", "2")), run("p-1", a=("Succeeded", "1"))
    assert comparable("a", [failed, good, older]) is good


def test_where_it_never_succeeded_the_newest_that_got_as_far_as_its_key_counts():
    skipped, failed, older = run("p-3", a=("Skipped", "")), run("p-2", a=("Failed", "2")), run("p-1", a=("Cancelled", "1"))
    assert comparable("a", [skipped, failed, older]) is failed
    assert comparable("a", [skipped]) is None
    assert comparable("b", [failed]) is None


def test_no_run_is_read_beyond_the_one_that_answers():
    def runs():
        yield run("p-1", a=("Succeeded", "1"))
        raise AssertionError

    assert comparable("a", runs()).name == "p-1"


def test_the_material_of_every_key_of_a_run_can_be_told_from_its_snapshot(engine):
    spec = pipeline(
        {"name": "a", "env": {"N": "1"}}, {"name": "b", "inputs": {"x": "a.out"}, "cache": "1h"}, {"name": "c", "cache": "never"}
    )
    over = engine.run(training(spec))
    for step in over.status.steps:
        assert material_in(over, step.name).key == step.key != ""


def test_the_material_of_a_key_that_is_not_known_or_was_made_otherwise_is_not_told(engine):
    begun = training(pipeline({"name": "a"}))
    assert material_in(begun, "a") is None
    assert material_in(begun, "b") is None
    assert material_in(run("p", a=("Succeeded", "made otherwise")), "a") is None


def again(engine, first, second):
    """`second`, run after `first`, of which nothing is left on the volume."""
    over = engine.run(first)
    engine.outputs.clear()
    engine.previous = {step.name: over for step in over.status.steps}
    return engine.run(second)


def test_after_a_collection_that_is_the_reason(engine):
    spec = pipeline({"name": "a"})
    assert again(engine, training(spec, "p-1"), training(spec, "p-2")).status.steps[0].why == "the result of p-1 is no longer on the volume"


def test_what_a_step_that_ran_again_made_otherwise_is_put_down_to_that_step(engine):
    spec = pipeline({"name": "a", "cache": "never"}, {"name": "b", "inputs": {"x": "a.out"}})
    over = again(engine, training(spec, "p-1"), training(spec, "p-2"))
    assert over.status.steps[1].why == "input x changed: step a was run again and made something else (since p-1)"


def test_a_step_that_failed_with_the_same_key_says_so(engine):
    spec = pipeline({"name": "a"})
    good, engine.outcome = engine.outcome, lambda task, now: Child(task.name, "Task", "Failed", reason="Error", message="no")
    over = engine.run(training(spec, "p-1"))
    engine.previous, engine.outcome = {"a": over}, good
    assert engine.run(training(spec, "p-2")).status.steps[0].why == "it failed in p-1, with the same code, parameters and inputs"


def test_an_input_that_names_another_version_says_which(engine):
    spec = pipeline({"name": "a", "inputs": {"m": "models:photos@stable"}})
    versions = [{"photos@stable": ModelVersion("photos", number, f"sha256:{number}")} for number in (3, 4)]
    over = again(engine, training(spec, "p-1", versions=versions[0]), training(spec, "p-2", versions=versions[1]))
    assert over.status.steps[0].why == "input m changed: photos@stable was version 3, is 4 (since p-1)"


def test_a_component_that_is_named_otherwise_and_an_edited_lock_are_told():
    then = Signature(component="/p/models/net.py:fit", python="3.11", environment={LOCK: "sha256:1"})
    assert changes_of_code(replace(then, component="models.net:fit"), then) == ["the component is models.net:fit, was net.py:fit"]
    assert changes_of_code(replace(then, environment={LOCK: "sha256:2"}), then, "shop.lock") == ["shop.lock changed"]


def test_what_is_read_outside_is_named_by_its_place(engine):
    spec = pipeline({"name": "a", "with": {"uri": "shop.csv"}})
    reads = {
        one: replace(told, fingerprint=True, parameters={"uri": ParameterSignature("uri")}) for one, told in signatures(spec.spec).items()
    }
    over = engine.run(training(spec, "p-1", known=reads))
    step = over.status.steps[0].model_copy(update={"fingerprint": "as it was"})
    changed = KeyMaterial.of({**material_in(over, "a").to_dict(), "fingerprint": "as it was"})
    step = step.model_copy(update={"key": changed.key})
    engine.previous = {"a": over.model_copy(update={"status": over.status.model_copy(update={"steps": (step,)})})}
    engine.outputs.clear()
    once_more = engine.run(training(spec, "p-2", known=reads))
    assert once_more.status.steps[0].why == "what the component reads outside changed: shop.csv (since p-1)"
    other = pipeline({"name": "a", "with": {"uri": "other.csv"}})
    engine.outputs.clear()
    elsewhere = engine.run(training(other, "p-3", known=reads))
    assert elsewhere.status.steps[0].why == "uri was shop.csv, is other.csv (since p-1)"


def test_a_step_that_is_never_cached_says_that_and_compares_nothing(engine):
    spec = pipeline({"name": "a", "cache": "never"})
    assert engine.run(training(spec)).status.steps[0].why.startswith("the step is not cached")
