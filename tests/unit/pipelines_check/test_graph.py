"""Steps run after what they need; cycles, dangling inputs and names used twice are all found, and named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.pipelines import graph
from lykeion.core.resources import ModelInput, PipelineSpec, Step
from lykeion.errors import Invalid
from lykeion.testing.effort import calls


def spec_of(**needs: str) -> PipelineSpec:
    """`spec_of(a="", b="a a")`: b takes two outputs of a."""
    return PipelineSpec(
        steps=tuple(
            Step(name=name, component="m:f", inputs={f"i{n}": f"{other}.out" for n, other in enumerate(others.split())})
            for name, others in needs.items()
        )
    )


def names(steps) -> list[str]:
    return [step.name for step in steps]


def messages(spec: PipelineSpec) -> list[str]:
    return [str(problem) for problem in graph.problems(spec)]


def test_steps_come_after_what_they_need():
    assert names(graph.order(spec_of(c="b a", b="a", a="", d=""))) == ["a", "d", "b", "c"]


def test_where_there_is_a_choice_the_file_s_order_stays():
    assert names(graph.order(spec_of(z="", y="", x="", a="z"))) == ["z", "y", "x", "a"]


def test_needs_counts_otherwise_and_not_models():
    step = Step(
        name="b",
        component="m:f",
        inputs={
            "x": "models:m@stable",
            "y": ModelInput(model="m", alias="stable", otherwise="a.out"),
            "z": ModelInput(model="m", version=3),
        },
    )
    spec = PipelineSpec(steps=(step, Step(name="a", component="m:f")))
    assert graph.needs(spec) == {"b": {"a"}, "a": set()}
    assert names(graph.order(spec)) == ["a", "b"]


def test_closure_is_all_that_a_step_needs():
    spec = spec_of(a="", b="a", c="b", d="a", e="")
    assert graph.closure(spec, ["c"]) == {"a", "b", "c"}
    assert graph.closure(spec, ["d", "e"]) == {"a", "d", "e"}
    assert graph.closure(spec, ["nobody"]) == set()


def test_a_cycle_is_named_from_its_first_step():
    assert messages(spec_of(a="", c="b", b="d", d="c a", e="c")) == [
        "spec.steps[1].inputs.i0: the steps need each other in a circle: c -> b -> d -> c (take one of these inputs out)"
    ]


def test_separate_cycles_are_all_named():
    found = messages(spec_of(a="b", b="a c", c="d", d="c", e="e"))
    assert [text.split(": ")[2].split(" (")[0] if "circle" in text else text for text in found] == [
        "a -> b -> a",
        "c -> d -> c",
        "spec.steps[4].inputs.i0: step 'e' needs its own output (take the input from another step)",
    ]


def test_a_very_long_cycle_is_told_shortly():
    count = 3000
    spec = spec_of(**{f"s{i}": f"s{(i + 1) % count}" for i in range(count)})
    (text,) = messages(spec)
    assert "s0 -> s1 -> s2 -> s3 -> s4 -> s5 -> … -> s2999 -> s0" in text


def test_an_input_from_nowhere_says_what_was_meant():
    assert messages(spec_of(items="", b="itmes")) == ["spec.steps[1].inputs.i0: there is no step 'itmes' (did you mean 'items'?)"]


def test_a_name_used_twice_says_where_the_other_is():
    spec = PipelineSpec(steps=(Step(name="a", component="m:f"), Step(name="b", component="m:f"), Step(name="a", component="m:g")))
    assert messages(spec) == ["spec.steps[2].name: 'a' is the name of another step too (rename this one or step number 1)"]


def test_a_name_used_twice_on_a_cycle_is_told_as_both():
    takes_b = Step(name="a", component="m:f", inputs={"x": "b.out"})
    spec = PipelineSpec(steps=(Step(name="a", component="m:f"), Step(name="b", component="m:f", inputs={"x": "a.out"}), takes_b))
    assert [problem.field for problem in graph.problems(spec)] == ["spec.steps[2].name", "spec.steps[2].inputs.x"]


def test_order_refuses_with_every_problem():
    with pytest.raises(Invalid) as raised:
        graph.order(spec_of(a="b", b="a", c="x", d="y"))
    assert len(raised.value.problems) == 3


SHAPES = {  # what step i of so many needs, and the cycles to be found
    "chain": (lambda i, steps: f"s{i - 1}" if i else "", 0),
    "fan": (lambda i, steps: "s0" if i else "", 0),
    "knot": (lambda i, steps: f"s{(i + 1) % steps} s{(i * 7 + 3) % steps}", 1),
    "pairs": (lambda i, steps: f"s{i ^ 1}", 2500),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_5000_steps_are_ordered_with_no_more_work_for_each_however_they_hang_together(shape):
    needs, cycles = SHAPES[shape]
    few, many = (spec_of(**{f"s{i}": needs(i, steps) for i in reversed(range(steps))}) for steps in (500, 5000))
    found = graph.problems(many)
    assert len(found) == cycles or (cycles == 1 and found)
    assert calls(lambda: graph.problems(many)) < 11 * calls(lambda: graph.problems(few))


graphs = st.integers(1, 7).flatmap(
    lambda count: st.lists(st.sets(st.integers(0, count), max_size=3), min_size=count, max_size=count)  # one name too many: dangling
)


def reaches(wanted: dict[str, set[str]], start: str, goal: str) -> bool:
    """By brute force: can `goal` be reached from what `start` needs?"""
    seen: set[str] = set()
    waiting = list(wanted.get(start, ()))
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            waiting.extend(wanted.get(here, ()))
    return False


@given(graphs)
@settings(max_examples=400, deadline=None)
def test_order_cycles_and_dangling_inputs_agree_with_brute_force(needs):
    spec = spec_of(**{f"s{i}": " ".join(f"s{other}" for other in sorted(others)) for i, others in enumerate(needs)})
    wanted = graph.needs(spec)
    dangling = sum(len(others) for others in ([other for other in others if other not in wanted] for others in wanted.values()))
    on_cycle = {name for name in wanted if reaches(wanted, name, name)}
    knots = {frozenset(o for o in on_cycle if o == n or (reaches(wanted, n, o) and reaches(wanted, o, n))) for n in on_cycle}
    cycles = graph.cycles(wanted)
    assert {knot for knot in knots if set(knot) & {n for c in cycles for n in c}} == knots
    assert len(cycles) == len(knots)
    for cycle in cycles:
        assert all(other in wanted[name] for name, other in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    assert len(graph.problems(spec)) == dangling + len(knots)
    if not dangling and not knots:
        at = {step.name: number for number, step in enumerate(graph.order(spec))}
        assert len(at) == len(wanted)
        assert all(at[other] < at[name] for name, others in wanted.items() for other in others)


@given(graphs)
@settings(max_examples=60, deadline=None)
def test_closure_agrees_with_brute_force(needs):
    spec = spec_of(**{f"s{i}": " ".join(f"s{other}" for other in sorted(others)) for i, others in enumerate(needs)})
    wanted = graph.needs(spec)
    assert graph.closure(spec, ["s0"]) == {"s0"} | {name for name in wanted if reaches(wanted, "s0", name)}
