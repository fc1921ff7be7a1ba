"""What may be changed of a resource, and how it looks in one line."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lykeion.core.resources import (
    Condition,
    Metadata,
    Pipeline,
    PipelineRef,
    PipelineSpec,
    SearchServing,
    Serving,
    ServingSpec,
    ServingStatus,
    Step,
    Training,
    TrainingSpec,
    TrainingStatus,
)
from lykeion.core.resources.changes import Summary, check_change, is_over, plain_metadata, replaced
from lykeion.errors import Invalid

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def training(phase: str = "Pending", **spec: Any) -> Training:
    given = TrainingSpec(**({"pipeline_ref": PipelineRef(name="shop")} | spec))
    return Training(metadata=Metadata(name="run"), spec=given, status=TrainingStatus(phase=phase))


@pytest.mark.parametrize(
    ("field", "value"),
    [("pipeline_ref", PipelineRef(name="other")), ("parameters", {"a": 1}), ("steps", ("one",))],
)
def test_each_field_of_a_training_but_state_is_for_good(field: str, value: Any) -> None:
    with pytest.raises(Invalid) as raised:
        check_change(training(), training(**{field: value}))
    (problem,) = raised.value.problems
    assert problem.field.startswith("spec.")
    assert "lykeion rerun run" in problem.remedy


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Invalid) as raised:
        check_change(training(state="Cancelled"), training(parameters={"a": 1}, steps=("x",)))
    assert [problem.field for problem in raised.value.problems] == ["spec.parameters", "spec.steps", "spec.state"]


def test_cancelling_and_changing_nothing_are_allowed() -> None:
    check_change(training(), training(state="Cancelled"))
    check_change(training(parameters={"a": 1}), training(parameters={"a": 1}))


def test_a_pipeline_may_change_in_everything() -> None:
    one, two = (Pipeline(metadata=Metadata(name="p"), spec=PipelineSpec(steps=(Step(name=name, component="a:b"),))) for name in "ab")
    check_change(one, two)
    assert replaced(one, two).spec == two.spec
    assert replaced(one, two).metadata.generation == one.metadata.generation + 1
    assert replaced(one, one) == one


def test_what_the_store_says_is_not_taken_from_a_person() -> None:
    given = Metadata(name="a", labels={"x": "y"}, uid="mine", generation=7, resource_version="9", creation_timestamp=NOW)
    assert plain_metadata(given) == Metadata(name="a", labels={"x": "y"})


@pytest.mark.parametrize(
    ("phase", "over"), [("Pending", False), ("Running", False), ("Succeeded", True), ("Failed", True), ("Cancelled", True)]
)
def test_a_training_is_over_when_its_phase_says_so(phase: str, over: bool) -> None:
    assert is_over(training(phase)) is over


def test_a_serving_is_never_over_and_its_line_says_why_it_is_as_it_is() -> None:
    condition = Condition(type="Ready", status="False", reason="NoVersion")
    serving = Serving(
        metadata=Metadata(name="photos"),
        spec=ServingSpec(search=SearchServing(family="photos")),
        status=ServingStatus(conditions=(condition,)),
    )
    assert not is_over(serving)
    assert (Summary.of(serving).phase, Summary.of(serving).pipeline) == ("NoVersion", "")
    assert (Summary.of(training("Failed")).phase, Summary.of(training()).pipeline) == ("Failed", "shop")
