"""What is seen while a Training runs: lines, or a tree; with progress, rate and time left."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_where_no_terminal_is_a_name_is_told_whole(capsys):
    with Progress() as show:
        show(with_steps(running(LONG, done=1, total=2)))
    assert capsys.readouterr().err.startswith(f"  ▶ {LONG} Running ")


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


LONG = "features-of-all-the-pictures-in-the-shop"
WHY = "what the component reads outside changed: /data/a/rather/long/folder/with/listings-2026-12.csv (since words-1)"
FAILURE = "TypeError: can only concatenate list (not int) to list, which somebody has to mend in words.py first"
MANY_SORTS = [
    running(LONG, done=412_345, total=1_000_000),
    StepStatus(name="pictures", phase="Succeeded", started_at=NOON, finished_at=NOON + timedelta(seconds=75), why=WHY),
    StepStatus(name="top", phase="Failed", reason="Error", message=FAILURE),
    StepStatus(name="rest", phase="Skipped", message="input counts: step top is Failed"),
    StepStatus(name=f"{LONG[:-1]}s"),
]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_nothing_is_wider_than_the_terminal_and_nothing_that_matters_is_cut(width):
    told = [plain(one) for one in tree(with_steps(*MANY_SORTS), AT + 100, width)]
    assert max(map(len, told)) <= width
    assert any("412345/1000000" in part and "left" in part for part in told)
    text = " ".join(" ".join(told).split())
    assert WHY.replace(" ", "") in text.replace(" ", "")
    assert FAILURE in text


@given(
    width=st.integers(60, 200),
    name=st.from_regex("[a-z][a-z-]{0,38}[a-z]", fullmatch=True),
    done=st.integers(0, 10**7),
    total=st.integers(1, 10**7),
    unit=st.sampled_from(["", "items", "pictures"]),
    seconds=st.integers(0, 10**6),
)
def test_at_any_width_the_count_and_the_time_left_are_there(width, name, done, total, unit, seconds):
    step = StepStatus(name=name, phase="Running", started_at=NOON, done=done, total=total, unit=unit)
    told = [plain(one) for one in tree(with_steps(step), AT + seconds, width)]
    assert max(map(len, told)) <= width
    assert f"{done}/{total}" in told[1]
    assert ("left" in told[1]) == (done > 0)


def test_names_are_shortened_before_what_is_counted():
    wide, narrow = (plain(tree(with_steps(running(LONG, done=1, total=2)), AT + 1, width)[1]) for width in (200, 90))
    assert LONG in wide
    assert "…" in narrow
    assert " · 1/s · 1.0s left" in narrow


def test_short_names_keep_their_column_beside_a_bar():
    told = [plain(one) for one in tree(with_steps(running("a", done=1, total=2), StepStatus(name="b")), AT + 1, 80)]
    assert told[2].startswith("  · b              Waiting")


SHOW = """
from datetime import UTC, datetime, timedelta
from lykeion.cli.follow import Progress
from lykeion.core.resources import StepStatus
from lykeion.testing.builders import pipeline, training

began = datetime.now(UTC) - timedelta(seconds=100)
steps = (
    StepStatus(name="features-of-all-the-pictures", phase="Running", started_at=began, unit="pictures", done=412, total=1000),
    StepStatus(name="top", phase="Failed", reason="Error", message="a reason that is " + "very " * 20 + "long"),
)
made = training(pipeline(*({"name": step.name} for step in steps)), "words-1")
with Progress() as show:
    show(made.model_copy(update={"status": made.status.model_copy(update={"steps": steps})}), last=True)
"""


@pytest.mark.parametrize("width", [60, 80])
def test_on_a_real_terminal_time_left_and_reason_are_whole(width):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")} | {"TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", SHOW], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    with suppress(OSError):  # at the end of a terminal
        while piece := os.read(ours, 65536):
            seen += piece
    os.close(ours)
    assert process.wait(timeout=30) == 0, seen
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode()).replace("\r", "\n").splitlines()
    assert max(map(len, drawn)) <= width
    assert any("412/1000" in part and part.rstrip().endswith("left") for part in drawn)
    assert " ".join(" ".join(drawn).split()).count("very") >= 20
    assert any(part.rstrip().endswith("long") for part in drawn)


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
