"""What a rerun does otherwise than the run that it repeats."""

from dataclasses import replace

import pytest

from lykeion.core.pipelines.repeats import differences
from lykeion.core.resources.training import TrainingStatus
from lykeion.core.values import ModelVersion
from lykeion.testing.builders import pipeline, signatures, training

A, B = {"name": "a"}, {"name": "b"}
PUBLISH = {"output": "a.out", "model": "shoes", "requires": "metrics.n >= 1"}


def begun(*steps, publish=(PUBLISH,), **given) -> TrainingStatus:
    return training(pipeline(*steps, publish=list(publish)), **given).status


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (begun(A, B), []),
        (begun(A, B, publish=[{**PUBLISH, "requires": "metrics.n >= 5"}]), ["requires was 'metrics.n >= 1', is 'metrics.n >= 5'"]),
        (begun(A, B, publish=[PUBLISH, {**PUBLISH, "model": "hats"}]), ["publish a.out as hats is new"]),
        (begun(A, B, publish=[]), ["publish a.out as shoes is not there any more"]),
        (begun(A, {**B, "env": {"N": "2"}}), ["step b: env was {}, is {'N': '2'}"]),
        (begun(A, B, {"name": "c"}), ["step c is new"]),
        (begun(A), ["step b is not there any more"]),
    ],
)
def test_each_part_of_the_pipeline_that_was_edited_is_named(now, told):
    found = differences(now, begun(A, B))
    assert len(found) == len(told)
    assert all(sentence.endswith(end) for sentence, end in zip(found, told, strict=True)), found


def test_edited_code_is_named_by_its_file():
    spec = pipeline(A)
    (component,) = known = signatures(spec.spec)
    before = {component: replace(known[component], python="3.11", sources={"work.py": "1"})}
    after = {component: replace(before[component], identity="other", sources={"work.py": "2"})}
    found = differences(training(spec, known=after).status, training(spec, known=before).status)
    assert found == [f"component {component}: work.py changed"]


def test_a_model_that_an_alias_names_otherwise_by_now_is_told():
    spec = pipeline({**A, "inputs": {"m": "models:photos@stable"}})
    three, four = ({"photos@stable": ModelVersion("photos", number, f"sha256:{number}")} for number in (3, 4))
    found = differences(training(spec, versions=four).status, training(spec, versions=three).status)
    assert found == ["model photos@stable: was version 3, is 4"]


def test_of_a_run_that_never_began_nothing_is_claimed():
    assert differences(begun(A), TrainingStatus()) == []
