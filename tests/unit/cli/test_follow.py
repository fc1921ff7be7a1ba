"""What is seen while a Training runs: lines, or a tree; with progress, rate and time left."""

import io
from datetime import timedelta

import pytest

from lykeion.cli.follow import MOST_LINES, Progress, line, plain, progress, tree
from lykeion.cli.printing import span
from lykeion.core.resources import StepStatus
from lykeion.testing.builders import NOON, pipeline, training

AT = NOON.timestamp()


def with_steps(*steps: StepStatus, phase: str = "Running"):
    made = training(pipeline(*({"name": step.name} for step in steps)), "words-1")
    return made.model_copy(update={"status": made.status.model_copy(update={"steps": steps, "phase": phase})})


def running(name: str = "a", **how) -> StepStatus:
    return StepStatus(name=name, phase="Running", started_at=NOON, unit="pictures", **how)


def test_progress_shows_how_far_how_fast_and_how_long_yet():
    told = progress(running(done=300, total=1200), AT + 10)
    assert told.endswith("300/1200 pictures · 30/s · 30s left")
    assert told.count("█") == 6


def test_progress_without_anything_done_promises_nothing():
    assert "left" not in progress(running(done=0, total=10), AT + 10)


@pytest.mark.parametrize("passed", [0, -5])
def test_a_clock_that_stands_or_goes_back_divides_nothing_by_zero(passed):
    assert "left" in progress(running(done=1, total=10), AT + passed)


def test_more_done_than_there_was_fills_the_bar_and_no_more():
    assert progress(running(done=30, total=10), AT + 10).count("█") == 24


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"phase": "Succeeded", "why": "parameter n changed"}, "✓ a              Succeeded  1m15s  ran because: parameter n changed"),
        ({"phase": "Failed", "reason": "Error", "message": "[/bold] broke"}, "✗ a              Failed     Error: [/bold] broke"),
        ({"phase": "Skipped", "message": "not asked for"}, "– a              Skipped    not asked for"),
        ({"reason": "OutOfMemory", "message": "too much", "retry_at": NOON}, "OutOfMemory: too much"),
    ],
)
def test_each_end_of_a_step_says_what_matters(step, told):
    ended = {"started_at": NOON, "finished_at": NOON + timedelta(seconds=75)}
    assert told in plain(line(StepStatus(name="a", **ended, **step), AT))


def test_the_tree_has_a_line_for_each_step():
    told = [plain(one) for one in tree(with_steps(running("a", done=1, total=2), StepStatus(name="b")), AT + 1)]
    assert told[0].strip() == "words-1  Running"
    assert [part.split()[1] for part in told[1:]] == ["a", "b"]


def test_of_very_many_steps_those_that_matter_are_shown_and_the_rest_counted():
    steps = [StepStatus(name=f"s{n}", phase="Succeeded") for n in range(200)]
    steps[150] = StepStatus(name="s150", phase="Failed", reason="Error", message="broke")
    steps[199] = running("s199", done=1, total=2)
    told = [plain(one) for one in tree(with_steps(*steps), AT + 1)]
    assert len(told) == MOST_LINES + 2
    assert any("s150" in part and "broke" in part for part in told)
    assert any("s199" in part for part in told)
    assert "170 more steps; 199 of 200 have ended" in told[-1]


def test_without_a_terminal_there_is_a_line_for_each_change_and_no_more(capsys):
    with Progress() as show:
        for done in range(5):
            show(with_steps(running("a", done=done, total=5), StepStatus(name="b")))
        show(with_steps(StepStatus(name="a", phase="Succeeded"), StepStatus(name="b", phase="Running")))
        show(
            with_steps(StepStatus(name="a", phase="Succeeded"), StepStatus(name="b", phase="Failed", reason="Error", message="[/]")),
            last=True,
        )
    told = capsys.readouterr()
    assert told.out == ""
    assert [part.split()[1:3] for part in told.err.splitlines()] == [
        ["a", "Running"],
        ["a", "Succeeded"],
        ["b", "Running"],
        ["b", "Failed"],
    ]
    assert "[/]" in told.err


def test_a_failed_attempt_that_is_tried_again_is_told_once(capsys):
    with Progress() as show:
        for attempt in (1, 1, 2):
            show(with_steps(StepStatus(name="a", attempts=attempt, retry_at=NOON, reason="Error", message=f"attempt {attempt}")))
    assert [part.rsplit("Error: ")[1] for part in capsys.readouterr().err.splitlines()] == ["attempt 1", "attempt 2"]


def test_quiet_says_nothing(capsys):
    with Progress(quiet=True) as show:
        show(with_steps(running()), last=True)
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_tree_is_drawn_ten_times_a_second_and_at_the_end(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    now = [AT]
    with Progress(clock=lambda: now[0]) as show:
        for hundredth in range(50):
            now[0] = AT + 1 + hundredth / 100
            show(with_steps(running(done=hundredth + 1, total=50)))
        drawn = terminal.getvalue().count("words-1")
        show(with_steps(StepStatus(name="a", phase="Succeeded"), phase="Succeeded"), last=True)
    assert 4 <= drawn <= 6
    assert "Succeeded" in terminal.getvalue().rsplit("words-1", 1)[1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0s"), (9.96, "10.0s"), (12, "12s"), (60, "1m"), (75, "1m15s"), (3600, "1h"), (3661, "1h1m"), (86400, "1d"), (90061, "1d1h")],
)
def test_lengths_of_time_are_told_in_two_figures(seconds, said):
    assert span(seconds) == said


def test_a_remark_is_made_once(capsys):
    with Progress() as show:
        for text in ("it waits", "it waits", "it goes on"):
            show.remark(text)
    with Progress(quiet=True) as show:
        show.remark("it waits")
    assert capsys.readouterr().err == "it waits\nit goes on\n"
