"""Whatever the graph and whatever fails: every step ends, in order, within its attempts, and a second run finds what succeeded."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.resources.training import ENDED, GOOD
from lykeion.core.values import Child
from lykeion.testing.builders import pipeline, training
from lykeion.testing.engine import InstantEngine, succeeded


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 8))
    steps = []
    for number in range(count):
        sources = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        retry = {"limit": draw(st.integers(0, 2)), "backoff": draw(st.sampled_from(["0s", "1s"]))}
        steps.append({"name": f"s{number}", "inputs": {f"i{source}": f"s{source}.out" for source in sources}, "retry": retry})
    order = draw(st.permutations(steps))  # steps may be written in any order
    return pipeline(*order)


@settings(max_examples=150, deadline=None)
@given(graphs(), st.randoms(use_true_random=False), st.floats(0, 0.6))
def test_every_graph_comes_to_its_end(graph, random, failing):
    attempts = {}

    def outcome(task, now):
        step = task.steps[0].step
        attempts[step] = attempts.get(step, 0) + 1
        if random.random() < failing:
            return Child(task.name, "Task", "Failed", "Error", "no luck", started=now, finished=now)
        return succeeded(task, now)

    engine = InstantEngine(outcome)
    over = engine.run(training(graph))
    status = {step.name: step for step in over.status.steps}
    limits = {step.name: step.retry.limit for step in graph.spec.steps}
    assert all(step.phase in ENDED for step in status.values())
    assert all(count <= limits[name] + 1 for name, count in attempts.items())
    assert (over.status.phase == "Succeeded") == all(step.phase in GOOD for step in status.values())
    for step in graph.spec.steps:
        makers = [status[source.split(".")[0]] for source in step.inputs.values()]
        if status[step.name].phase == "Succeeded":
            assert all(maker.phase == "Succeeded" for maker in makers)
        elif status[step.name].phase == "Skipped":
            assert any(maker.phase in ("Failed", "Skipped") for maker in makers)
    again = InstantEngine(succeeded, outputs=engine.outputs).run(training(graph, "again"))
    assert again.status.phase == "Succeeded"
    assert {step.name for step in again.status.steps if step.phase == "Cached"} == {
        name for name, s in status.items() if s.phase == "Succeeded"
    }
