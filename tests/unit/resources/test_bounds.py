"""Numbers and texts that no engine could use are refused where they are written, by file and line, and never reach one."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lykeion.core.resources import Pipeline
from lykeion.core.resources.metadata import Duration, Memory
from lykeion.core.resources.parse import parse
from lykeion.errors import Invalid

NINES = "9" * 400
FILE = """apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  steps:
    - {name: a, component: "m:f", %s}
"""
DURATION: TypeAdapter[float] = TypeAdapter(Duration)
MEMORY: TypeAdapter[int] = TypeAdapter(Memory)


def step(written: str):
    (found,) = parse(FILE % written, "p.yaml")
    assert isinstance(found, Pipeline)
    return found.spec.steps[0]


@pytest.mark.parametrize(
    ("written", "field", "says"),
    [
        (f"timeout: {NINES}d", "timeout", "at most"),
        ("timeout: 1e300", "timeout", "at most"),
        ("timeout: -1", "timeout", "at least 0"),
        ("timeout: 5 minutes", "timeout", "write 30s, 10m, 1h30m or 2d"),
        ("timeout: 10m30", "timeout", "write 30s"),
        ("timeout: true", "timeout", "number"),
        (f"cache: {NINES}d", "cache", ""),
        ("cache: sometimes", "cache", ""),
        (f"retry: {{limit: 1, backoff: {NINES}h}}", "retry.backoff", "at most"),
        ("retry: {limit: 101}", "retry.limit", "at most 100"),
        ("retry: {limit: -1}", "retry.limit", "at least 0"),
        (f"resources: {{memory: {NINES}Gi}}", "resources.memory", "at most"),
        ("resources: {memory: 0}", "resources.memory", "at least 1"),
        ("resources: {memory: 0.1}", "resources.memory", ""),
        ("resources: {memory: lots}", "resources.memory", "write 512Mi, 2Gi or 1500M"),
        ("resources: {memory: 2GiB}", "resources.memory", "write 512Mi"),
        ("resources: {cpu: 0}", "resources.cpu", "more than 0"),
        ("parallelism: 0", "parallelism", "at least 1"),
        ("parallelism: 99999999999999999999999", "parallelism", "at most 1024"),
        ('env: {"A=B": x}', "env", "no name of a variable"),
        ('env: {"": x}', "env", "no name of a variable"),
        ('env: {A: "x\\0y"}', "env.A", "no zero byte"),
        ("env: {A: 5}", "env.A", "put it in quotes"),
    ],
    ids=lambda value: value[:40],
)
def test_what_no_engine_could_use_is_refused_where_it_stands(written, field, says):
    with pytest.raises(Invalid) as refused:
        step(written)
    assert any(f"p.yaml:6: spec.steps[0].{field}" in line and says in line for line in str(refused.value).splitlines()), refused.value


def test_what_a_shell_would_not_take_as_a_variable_is_taken():
    assert step('env: {"my.variable-1": "a b", Ä: "="}').env == {"my.variable-1": "a b", "Ä": "="}


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["ms", "s", "m", "h", "d"])), min_size=1, max_size=4))
def test_a_duration_is_the_sum_of_its_parts(parts):
    units = {
        "ms": timedelta(milliseconds=1),
        "s": timedelta(seconds=1),
        "m": timedelta(minutes=1),
        "h": timedelta(hours=1),
        "d": timedelta(days=1),
    }
    expected = sum((number * units[unit] for number, unit in parts), timedelta())
    assert DURATION.validate_python("".join(f"{number}{unit}" for number, unit in parts)) == pytest.approx(expected.total_seconds())


@given(st.decimals(0, 10**6, places=3).filter(lambda number: number >= 1), st.sampled_from(["", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_memory_is_exact_however_it_is_written(number, unit):
    factor = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}[unit]
    assert MEMORY.validate_python(f"{number:f}{unit}") == int(Decimal(number) * factor)


@given(st.text(max_size=12) | st.from_regex(r"[0-9.]{1,400}(ms|s|d|Gi|k)?", fullmatch=True))
def test_no_text_makes_reading_a_number_fail_otherwise(text):
    for kind in (DURATION, MEMORY):
        with suppress(ValidationError):
            assert kind.validate_python(text) >= 0
