"""When a failed step is tried again and when it is given up, for any run of bad luck: against the rules written down plainly."""

from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from lykeion.core.pipelines.advance import LONGEST_BACKOFF, LOSSES_ALLOWED
from lykeion.core.values import Child
from lykeion.testing.builders import NOON, pipeline, training
from lykeion.testing.engine import InstantEngine, succeeded

LUCK = st.lists(st.sampled_from(["Error", "TimedOut", "Lost", "hopeless"]), max_size=12)


def plainly(luck, limit, backoff):
    """(phase, attempts, seconds waited): one thing after the other, then it goes well."""
    tries = losses = 0
    waited = 0.0
    for number, what in enumerate(luck, 1):
        if what == "Lost":
            losses += 1
            if losses > LOSSES_ALLOWED:
                return "Failed", number, waited
            continue
        tries += 1
        if what == "hopeless" or tries > limit:
            return "Failed", number, waited
        waited += min(backoff * 2 ** (tries - 1), LONGEST_BACKOFF)
    return "Succeeded", len(luck) + 1, waited


def story(luck, limit, backoff):
    left = list(luck)

    def outcome(task, now):
        if not left:
            return succeeded(task, now)
        what = left.pop(0)
        reason, hopeless = ("Error", True) if what == "hopeless" else (what, False)
        return Child(task.name, "Task", "Failed", reason, "bad luck", hopeless=hopeless, started=now, finished=now)

    engine = InstantEngine(outcome)
    over = engine.run(training(pipeline({"name": "a", "retry": {"limit": limit, "backoff": backoff}})))
    return over, engine


@given(LUCK, st.integers(0, 100), st.floats(0, 1000))
@example(["Lost", "Error"], 1, 1.0)
@example(["Error", "Lost", "Error", "Lost"], 2, 1.0)
@example(["Lost"] * 4, 100, 1.0)
@example(["hopeless"], 100, 1.0)
def test_a_step_is_tried_as_often_as_its_file_says_and_no_oftener(luck, limit, backoff):
    over, engine = story(luck, limit, backoff)
    phase, attempts, waited = plainly(luck, limit, backoff)
    (step,) = over.status.steps
    assert (step.phase, step.attempts) == (phase, attempts)
    assert abs((engine.now - NOON).total_seconds() - waited) < 0.001
    assert len({task.name for task in engine.started}) == attempts, "no attempt runs twice"


@given(LUCK, st.integers(0, 5), st.integers(1, 4))
def test_an_attempt_never_begins_before_its_pause_is_over(luck, limit, backoff):
    began = []

    def outcome(task, now):
        began.append(now)
        what = luck[len(began) - 1] if len(began) <= len(luck) else "Error"
        return Child(task.name, "Task", "Failed", "Lost" if what == "Lost" else "Error", "bad luck", started=now, finished=now)

    engine = InstantEngine(outcome)
    t = training(pipeline({"name": "a", "retry": {"limit": limit, "backoff": backoff}}))
    while t.status.phase not in ("Succeeded", "Failed"):
        t, _ = engine.once(t)
        engine.now += timedelta(seconds=0.3)  # looked at oftener than it says
    tries = 0
    for before, after, what in zip(began, began[1:], luck + ["Error"] * len(began), strict=False):
        tries += what != "Lost"
        if what != "Lost":
            assert after - before >= timedelta(seconds=backoff * 2 ** (tries - 1))
