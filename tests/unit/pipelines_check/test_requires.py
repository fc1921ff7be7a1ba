"""A gate holds or says why not; what cannot be read is refused with its column; nothing is ever executed."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.pipelines.requires import evaluate, fault, metrics_of, parse
from lykeion.errors import Invalid

METRICS = {"recall_at_10": 0.97, "items": 1200.0, "bad": 3.0, "index.rows": 7.0}


@pytest.mark.parametrize(
    "text",
    [
        "metrics.recall_at_10 >= 0.95",
        "0.95 <= metrics.recall_at_10",
        "0.9 < metrics.recall_at_10 <= 1",
        "metrics.items > 1e3 and metrics.bad < 10",
        "metrics.items > 1e6 or metrics.bad == 3",
        "not metrics.bad > 10",
        "not (metrics.bad > 10 or metrics.items < 5)",
        "metrics.bad != -3",
        "metrics.bad>-3",
        "metrics.index.rows == +7",
        "  ( ( metrics.bad == 3. ) )  ",
        "metrics.items > metrics.bad",
        "metrics.items < 0 and metrics.items > 0 or metrics.bad == 3",
    ],
)
def test_a_gate_that_holds(text):
    assert evaluate(text, METRICS) == (True, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("metrics.recall_at_10 >= 0.99", "recall_at_10 (0.97) is not >= 0.99"),
        ("0.99 <= metrics.recall_at_10", "0.99 is not <= recall_at_10 (0.97)"),
        ("metrics.bad > 5 and metrics.items < 10", "bad (3) is not > 5; items (1200) is not < 10"),
        ("metrics.bad > 5 or metrics.items < 10", "bad (3) is not > 5 and items (1200) is not < 10"),
        ("not metrics.bad < 5", "bad (3) < 5 holds, and must not"),
        ("not (metrics.bad < 5 and not metrics.bad == 4)", "(bad (3) < 5) and (not (bad (3) == 4)) holds, and must not"),
        ("0 < metrics.bad < 2", "bad (3) is not < 2"),
        ("metrics.recal_at_10 > 0", "no step reported the metric 'recal_at_10' (did you mean 'recall_at_10'?)"),
        ("not metrics.zzz > 0", "no step reported the metric 'zzz' (reported were: bad, index.rows, items, recall_at_10)"),
    ],
)
def test_a_gate_that_does_not_hold_says_why(text, why):
    assert evaluate(text, METRICS) == (False, why)


def test_a_metric_that_is_no_number_lets_nothing_through():
    for text in ("metrics.x > 0", "not metrics.x > 0", "metrics.x != 3", "metrics.x > 0 or 1 < 2"):
        assert evaluate(text, {"x": math.nan}) == (False, "x is not a number (NaN)")


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "expected metrics.NAME or a number, found the end"),
        ("metrics.x", 10, "expected a comparison such as >= 0.95, found the end"),
        ("metrics.x =", 11, "'=' cannot stand here; write == to compare"),
        ("metrics.x >=", 13, "expected metrics.NAME or a number, found the end"),
        ("metrics.x >= 0.5 metrics.y", 18, "expected and, or, or nothing more, found 'metrics.y'"),
        ("recall >= 0.5", 1, "'recall' is not known; write metrics.recall"),
        ("metric.recall >= 0.5", 1, "'metric.recall' is not known; write metrics.recall"),
        ("metrics. >= 0.5", 1, "'metrics.' is not known"),
        ("(metrics.x > 1", 15, "expected ')', found the end"),
        ("metrics.x > 1)", 14, "expected and, or, or nothing more, found ')'"),
        ("metrics.x > 1 and", 18, "expected metrics.NAME or a number, found the end"),
        ("and metrics.x > 1", 1, "expected metrics.NAME or a number, found 'and'"),
        ("metrics.x > 1,5", 14, "',' cannot stand here"),
        ("metrics.x > 1.2.3", 13, "'1' cannot stand here"),
        ("metrics.x > 0.95%", 17, "'%' cannot stand here"),
        ("__import__('os').system('true')", 1, "cannot stand here"),
        ("metrics.x > 1 if 1 else 0", 15, "expected and, or, or nothing more, found 'if'"),
        ("(" * 500 + "metrics.x > 1" + ")" * 480, 21, "more than 20 brackets"),
        ("metrics.x > 1 and " * 100 + "metrics.x > 1", 1000, "longer than 1000 characters"),
    ],
)
def test_what_cannot_be_read_says_the_column(text, column, says):
    found = fault(text)
    if "__import__" not in text:
        assert found.startswith(f"column {column}: ")
    assert says in found
    with pytest.raises(Invalid, match="column"):
        parse(text)


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["metrics.x", "1", ">=", "<", "and", "or", "not", "(", ")", "=", "-"]), max_size=12).map(" ".join)
)
@settings(max_examples=250, deadline=None)
def test_any_text_is_read_or_refused(text):
    if fault(text):
        with pytest.raises(Invalid, match="column"):
            evaluate(text, {"x": 1.0})
    else:
        holds, why = evaluate(text, {"x": 1.0})
        assert holds == (why == "")


comparisons = st.tuples(
    st.sampled_from(["metrics.a", "metrics.b", "0.5", "-2", "3"]),
    st.sampled_from([">=", "<=", "==", "!=", ">", "<"]),
    st.sampled_from(["metrics.a", "metrics.b", "1", "0.5"]),
).map(" ".join)
expressions = st.recursive(
    comparisons,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join)
        | inner.map(lambda text: f"not ({text})")
        | inner.map(lambda text: f"({text})")
    ),
    max_leaves=6,
)


@given(expressions, st.sampled_from([-2.0, 0.5, 1.0, 3.0]), st.sampled_from([-2.0, 0.5, 1.0, 3.0]))
@settings(max_examples=250, deadline=None)
def test_expressions_mean_what_they_mean_in_python(text, a, b):
    by_python = eval(text.replace("metrics.", ""), {"a": a, "b": b})
    holds, why = evaluate(text, {"a": a, "b": b})
    assert holds == by_python
    assert bool(why) != holds


def test_the_metrics_of_an_expression_are_known():
    assert list(metrics_of(parse("metrics.a > 1 and not (metrics.b < metrics.c or 1 < 2)"))) == ["a", "b", "c"]
