"""Which steps a run needs, and what they are given."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.pipelines.begin import NOT_NEEDED, needed, unknown_steps
from lykeion.core.pipelines.graph import order
from lykeion.core.pipelines.inputs import Blocked, Inputs, Waiting, gather
from lykeion.core.pipelines.signature import ParameterSignature, Signature
from lykeion.core.resources import StepStatus
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.values import Child, ModelVersion
from lykeion.testing.builders import NOON, pipeline, training
from lykeion.testing.engine import InstantEngine

FOUND = {"model": "m", "version": 3, "digest": "sha256:m"}


@st.composite
def runs(draw):
    """A pipeline whose steps take outputs and models with `otherwise`, which models exist, and what was asked for."""
    count = draw(st.integers(1, 8))
    steps = []
    for number in range(count):
        inputs = {}
        for source in draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else ():
            kind = draw(st.sampled_from(["plain", "plain", "otherwise"]))
            model = {"model": f"m{source}", "alias": "stable", "otherwise": f"s{source}.out"}
            inputs[f"i{source}"] = f"s{source}.out" if kind == "plain" else model
        steps.append({"name": f"s{number}", "inputs": inputs})
    publish = [{"output": f"s{n}.out", "model": f"m{n}"} for n in draw(st.sets(st.integers(0, count - 1), max_size=3))]
    there = {f"m{n}@stable": FOUND for n in draw(st.sets(st.integers(0, count - 1), max_size=count))}
    only = tuple(f"s{n}" for n in draw(st.sets(st.integers(0, count - 1), max_size=2)))
    return pipeline(*steps, publish=publish).spec, there, only


def naive(spec, there, only) -> set[str]:
    """Walk back from every step that is wanted for itself, over what it takes in this run."""
    named, makes_missing, takes = set(), set(), {}
    for step in spec.steps:
        takes[step.name] = set()
        for source in step.inputs.values():
            if isinstance(source, str):
                named.add(source.split(".")[0])
                takes[step.name].add(source.split(".")[0])
            else:
                maker = source.otherwise.split(".")[0]
                named.add(maker)
                makes_missing.add(maker)
                if f"{source.model}@{source.alias}" not in there:
                    takes[step.name].add(maker)
    published = {one.output.split(".")[0] for one in spec.publish}
    ends = set(only) or {name for name in takes if name not in makes_missing and (name in published or name not in named)}
    reached: set[str] = set()
    while ends:
        name = ends.pop()
        reached.add(name)
        ends |= takes[name] - reached
    return reached


@given(runs())
def test_the_steps_of_a_run_are_those_that_what_is_wanted_takes(run):
    spec, there, only = run
    assert needed(spec, order(spec), only, there) == naive(spec, there, only)


@given(runs())
def test_whatever_is_needed_a_run_comes_to_a_good_end(run):
    spec, there, only = run
    versions = {selector: ModelVersion(selector.split("@")[0], 3, "sha256:m") for selector in there}
    whole = pipeline({"name": "x"}).model_copy(update={"spec": spec})
    engine = InstantEngine(versions=versions)
    over = engine.run(training(whole, versions=versions, steps=only))
    assert over.status.phase == "Succeeded", over.status.conditions
    ran = {step.name for step in over.status.steps if step.phase == "Succeeded"}
    assert ran == naive(spec, there, only)


def test_steps_that_there_are_not_are_told_with_the_nearest():
    (problem,) = unknown_steps(pipeline({"name": "features"}).spec, ("features", "faetures"))
    assert problem.field == "spec.steps[1]"
    assert "features" in problem.remedy


STEP = pipeline({"name": "a"}, {"name": "b", "inputs": {"x": "a.out"}}).spec.steps[1]
MODEL = pipeline({"name": "a"}, {"name": "b", "inputs": {"m": {"model": "m", "alias": "stable", "otherwise": "a.out"}}}).spec.steps[1]
ALONE = pipeline({"name": "b", "inputs": {"m": "models:m@stable"}}).spec.steps[0]


def made(**how) -> dict[str, StepStatus]:
    return {"a": StepStatus(name="a", key="k", finished_at=NOON, **how)}


def test_an_output_is_given_by_its_key_and_content():
    for phase in ("Succeeded", "Cached"):
        assert gather(STEP, made(phase=phase, outputs={"out": "sha256:o"}), {}) == Inputs({"x": "outputs/k/out"}, {"x": "sha256:o"})


def test_an_output_that_is_still_being_made_is_waited_for():
    for phase in ("Waiting", "Running"):
        assert gather(STEP, made(phase=phase), {}) == Waiting("a")


def test_a_step_whose_input_will_never_be_there_is_blocked_by_another_not_by_itself():
    for how in ({"phase": "Failed"}, {"phase": "Cancelled"}, {"phase": "Skipped"}, {"phase": "Skipped", "reason": NOT_NEEDED}):
        found = gather(STEP, made(**how), {})
        assert isinstance(found, Blocked)
        assert not found.failed
        assert "a is " + how["phase"] in found.message


def test_an_output_that_its_step_did_not_leave_is_an_error():
    found = gather(STEP, made(phase="Succeeded", outputs={"other": "sha256:o"}), {})
    assert isinstance(found, Blocked)
    assert found.failed


def test_a_model_is_taken_where_it_exists_and_made_otherwise():
    there = {"m@stable": FOUND}
    assert gather(MODEL, made(phase="Skipped", reason=NOT_NEEDED), there) == Inputs(
        {"m": "models/m/3"}, {"m": "sha256:m"}, (ModelVersion("m", 3, "sha256:m"),)
    )
    assert gather(MODEL, made(phase="Succeeded", outputs={"out": "sha256:o"}), {"m@stable": {}}) == Inputs(
        {"m": "outputs/k/out"}, {"m": "sha256:o"}
    )
    missing = gather(ALONE, {}, {"m@stable": {}})
    assert isinstance(missing, Blocked)
    assert missing.failed


def test_a_failure_is_the_failure_of_one_step_and_what_follows_is_skipped():
    line = pipeline(*({"name": f"s{n}", **({"inputs": {"x": f"s{n - 1}.out"}} if n else {})} for n in range(5)))
    engine = InstantEngine()
    good = engine.outcome
    engine.outcome = lambda task, now: broken(good(task, now)) if task.steps[0].step == "s1" else good(task, now)
    over = engine.run(training(line))
    assert [step.phase for step in over.status.steps] == ["Succeeded", "Failed", "Skipped", "Skipped", "Skipped"]


def broken(child):
    return type(child)(child.name, "Task", "Failed", reason="Error", message="it broke", finished=child.finished)


def test_an_empty_fingerprint_fails_its_step():
    one = pipeline({"name": "a"})
    engine = InstantEngine()
    good = engine.outcome

    def empty(task, now):
        child = good(task, now)
        if task.steps[0].mode == "fingerprint":
            child.results["a"].result["fingerprint"] = ""
        return child

    engine.outcome = empty
    known = {"work:a": type(training(one).status.components["work:a"])("work:a", outputs={"out": ""}, fingerprint=True)}
    over = engine.run(training(one, known=known))
    assert over.status.phase == "Failed"
    assert "fingerprint is empty" in over.status.conditions[0].message


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"listings": "/shop.csv"}, "looking at what it reads: uri: there is no file (uri is the parameter listings: -p listings=…)"),
        ({}, "looking at what it reads: uri: there is no file (uri is '/shop.csv' in /p.yaml, step a)"),
    ],
)
def test_where_what_a_step_reads_is_not_there_the_parameter_and_the_place_are_told(engine, parameters, told):
    spec = pipeline({"name": "a", "with": {"uri": "/shop.csv"}})
    known = {"work:a": Signature("work:a", outputs={"out": ""}, fingerprint=True, parameters={"uri": ParameterSignature("uri")})}
    begun = training(spec, known=known, parameters=parameters)
    begun = begun.model_copy(update={"metadata": begun.metadata.model_copy(update={"annotations": {SOURCE_FILE: "/p.yaml"}})})
    engine.outcome = lambda task, now: Child(task.name, "Task", "Failed", reason="Error", message="uri: there is no file")
    assert engine.run(begun).status.steps[0].message == told
