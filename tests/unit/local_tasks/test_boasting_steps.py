"""What a step says of itself may be anything. The engine passes over what it cannot use, and goes on with the others."""

import json

import pytest

from .conftest import key_of, task_of

ANYTHING = [
    "{",
    "[]",
    "7",
    "null",
    '"x"',
    '{"done": 1}',
    '{"done": "x", "total": 2, "unit": ""}',
    '{"done": null, "total": {}, "unit": 3}',
    "\x00",
]


def boast(name, **how):
    return task_of("boast", name=name, how=how)


@pytest.mark.parametrize("text", ANYTHING, ids=repr)
def test_progress_that_is_none_holds_nobody_up(engine, text):
    odd, good = engine.run(boast("odd", file="progress.json", text=text), task_of("make", name="good", text="1"))
    assert (odd.phase, good.phase) == ("Succeeded", "Succeeded")
    assert (odd.done, odd.total) == (0, 0)


@pytest.mark.parametrize("said", [("3", 10), (1.5, 2), (None, 1), (1, None, "items"), ([], {})], ids=repr)
def test_progress_in_no_whole_numbers_is_the_fault_of_the_step_that_says_so(engine, said):
    odd, good = engine.run(boast("odd", progress=list(said)), task_of("make", name="good", text="1"))
    assert good.phase == "Succeeded"
    assert (odd.phase, odd.reason) == ("Failed", "Error")
    assert "progress" in odd.message


@pytest.mark.parametrize("value", ["0.9", None, [1], {}], ids=repr)
def test_a_metric_that_is_no_number_is_the_fault_of_the_step_that_says_so(engine, value):
    """Kept in the status, it would keep every command of the home from reading it."""
    (child,) = engine.run(boast("odd", metrics={"recall": value}))
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert f"step.metrics['recall'] is {value!r}: a metric is a number" in child.message


@pytest.mark.parametrize("text", ANYTHING, ids=repr)
def test_an_error_that_is_none_is_an_error_all_the_same(engine, text):
    (child,) = engine.run(boast("odd", file="error.json", text=text, fail=True))
    assert (child.phase, child.reason, child.message) == ("Failed", "Error", "RuntimeError: as told")


@pytest.mark.parametrize("text", [*ANYTHING, '{"metrics": [], "result": {}}'], ids=repr)
def test_a_result_that_is_none_fails_the_step_or_is_replaced_by_its_own(engine, text):
    odd, good = engine.run(boast("odd", file="result.json", text=text), task_of("make", name="good", text="1"))
    assert good.phase == "Succeeded"
    assert odd.phase in ("Succeeded", "Failed")
    assert odd.phase == "Succeeded" or odd.message
    assert (engine.tasks.outputs.find(key_of("odd")) is not None) == (odd.phase == "Succeeded")


def kept(child) -> str:
    """What a status keeps of it; it must be JSON that everybody can read."""
    said = {"message": child.message, "unit": child.unit, "log": child.log_tail}
    said |= {name: [dict(one.metrics), dict(one.result), one.uncached] for name, one in child.results.items()}
    text = json.dumps(said, ensure_ascii=False)
    text.encode()
    return text


@pytest.mark.parametrize("where", ["error", "progress", "metric", "result", "uncached", "log"])
@pytest.mark.parametrize("outputs", [("out",), ()])
def test_bytes_that_are_no_text_are_spelled_out_wherever_a_step_says_them(engine, where, outputs):
    """The name of a file of another time in a message is enough. In a status it would end the controller."""
    (child,) = engine.run(task_of("garble", where=where) if outputs else task_of("garble_without", outputs=(), where=where))
    assert child.phase == ("Failed" if where == "error" else "Succeeded")
    assert where == "log" or r"a\udcffb" in kept(child).replace("\\\\", "\\")
    assert kept(child)


def test_a_fingerprint_that_is_no_text_is_spelled_out(engine):
    (child,) = engine.run(task_of("garble", mode="fingerprint", where=""))
    assert child.results["garble"].result == {"fingerprint": r"a\udcffb"}


def test_a_result_that_is_nested_without_end_is_the_fault_of_its_step(engine):
    (child,) = engine.run(task_of("garble", where="deep"))
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert "nested deeper than 64 levels; write what is so big to an output" in child.message
