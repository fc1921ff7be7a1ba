"""What a component's function is called with: what its signature names, whatever stands around it."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.components.base import Input, Output, Range, Step, Window, arguments

STEP = Step("s", Path("cache"))
OFFERED: dict[str, Any] = {"a": Input(Path("a")), "out": Output(Path("out")), "n": 3}


def plain(a: Input, out: Output, *, n: int = 1) -> None: ...
def without_annotations(a, out, *, n=1): ...
def with_a_step(out: Output, step: Step) -> None: ...
def with_perhaps_a_step(out: Output, me: Step | None = None) -> None: ...
def with_a_window(out: Output, *, when: Window | None) -> None: ...
def with_a_range(out: Output, *, n: Annotated[int, Range(1, 9)]) -> None: ...
def with_less(*, n: int) -> None: ...
def with_a_default_that_nobody_gives(out: Output, *, extra: str = "x") -> None: ...
def with_locals(out: Output) -> None:
    n = 4
    del n


def logged(function: Callable[..., None]) -> Callable[..., None]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    return call


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (plain, {"a", "out", "n"}),
        (without_annotations, {"a", "out", "n"}),
        (with_a_step, {"out", "step"}),
        (with_perhaps_a_step, {"out", "me"}),
        (with_a_window, {"out", "when"}),
        (with_a_range, {"out", "n"}),
        (with_less, {"n"}),
        (with_a_default_that_nobody_gives, {"out"}),
        (with_locals, {"out"}),
    ],
)
@pytest.mark.parametrize("around", [lambda function: function, logged])
def test_a_function_gets_what_it_names(function, names, around):
    chosen = arguments(around(function), OFFERED, STEP)
    assert chosen.keys() == names
    assert all(chosen[name] is OFFERED[name] for name in names & OFFERED.keys())
    around(function)(**chosen)


def test_a_step_is_known_by_its_type_and_not_by_its_name():
    assert arguments(with_perhaps_a_step, {"me": 1, "out": 2}, STEP)["me"] is STEP


@given(st.sets(st.sampled_from(["a", "out", "n", "other", "function"])))
def test_nothing_that_is_not_named_is_given(offered):
    assert arguments(plain, dict.fromkeys(offered, 0), STEP).keys() == offered & {"a", "out", "n"}
