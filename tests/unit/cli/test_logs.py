"""What `logs --follow` prints, however the log comes to be written: nothing twice, nothing torn, nothing lost."""

import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.adapters.local.replica import shorten
from lykeion.cli.logs import Screen, follow


def followed(monkeypatch, folder: Path, rounds, start=b""):
    """What is printed while the logs grow by `rounds`: each a mapping of log -> bytes that it got since the round before."""
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("lykeion.cli.logs.time.sleep", lambda _: None)
    left = list(rounds)
    logs = [folder / "a.log"]
    logs[0].write_bytes(start)
    screen = Screen()
    screen.show(logs[0])

    def files():
        for name, data in (left.pop(0) if left else {}).items():
            path = folder / f"{name}.log"
            with path.open("ab") as log:
                log.write(data)
            if path not in logs:
                logs.append(path)
        return list(logs)

    follow(files, screen, lambda: len(left) > 1)
    screen.end()
    return out.getvalue()


def test_each_log_is_headed_where_it_goes_on_after_another(monkeypatch, tmp_path):
    rounds = [{"a": b"2\n"}, {"b": b"x\n", "a": b"3\n"}, {}, {"b": b"y\n"}, {"b": b"z\n"}]
    told = followed(monkeypatch, tmp_path, rounds, start=b"1\n")
    assert told == "1\n2\n3\n==> b <==\nx\ny\nz\n"


def test_what_is_written_in_the_last_moment_is_told_too(monkeypatch, tmp_path):
    assert followed(monkeypatch, tmp_path, [{"a": b"the last word\n"}]) == "the last word\n"


@settings(deadline=None)
@given(st.text("aé写真🙂\n", max_size=30), st.lists(st.integers(0, 80), max_size=6))
def test_a_character_that_came_in_two_parts_is_told_as_one(tmp_path_factory, text, cuts):
    data = text.encode()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    parts = [data[start:end] for start, end in pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        told = followed(patch, tmp_path_factory.mktemp("logs"), [{"a": part} for part in parts] or [{}])
    assert told.removesuffix("\n") == text.removesuffix("\n")


def test_bytes_that_are_no_text_are_marked_and_the_rest_is_told(monkeypatch, tmp_path):
    assert followed(monkeypatch, tmp_path, [{"a": b"a\xff"}, {"a": b"b\n"}, {"a": b"\xe5\x86"}]) == "a\ufffdb\n\ufffd\n"


def test_a_line_that_was_half_written_goes_on_and_ends_before_another_log_speaks(monkeypatch, tmp_path):
    told = followed(monkeypatch, tmp_path, [{"a": b"way"}, {"b": b"x"}, {}], start=b"half ")
    assert told == "half way\n==> b <==\nx\n"


@pytest.mark.parametrize(
    ("tail", "told"), [(None, "a\rb\n\nc\n"), (2, "\nc\n"), (3, "a\rb\n\nc\n"), (1, "c\n"), (0, ""), (9, "a\rb\n\nc\n")]
)
def test_the_last_lines_are_counted_as_they_were_written(monkeypatch, tmp_path, capsys, tail, told):
    (tmp_path / "a.log").write_bytes(b"a\rb\n\nc")
    screen = Screen()
    screen.show(tmp_path / "a.log", tail)
    screen.end()
    assert capsys.readouterr().out == told


def test_a_log_that_was_begun_anew_is_told_from_its_start(tmp_path, capsys):
    """As that of a service is, when it has grown long."""
    log = tmp_path / "photos-0.log"
    log.write_bytes(b"much was said\n" * 100)
    screen = Screen()
    screen.show(log, tail=1)
    shorten(log, longest=100)
    with log.open("ab") as file:
        file.write(b"anew\n")
    screen.show(log)
    screen.show(log)
    assert capsys.readouterr().out == "much was said\nanew\n"


ODD = "\x1b[31mred\x1b[0m \x1b[2J\x1b]52;c;cHdu\x07 10%\r20%\r\nend \x9b1m"


@given(st.lists(st.integers(0, 80), max_size=6))
@settings(deadline=None)
def test_colours_go_and_the_rest_is_made_visible_however_it_came(tmp_path_factory, cuts):
    data = ODD.encode()
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    rounds = [{"a": data[start:end]} for start, end in pairwise(places)]
    with pytest.MonkeyPatch.context() as patch:
        printed = followed(patch, tmp_path_factory.mktemp("logs"), rounds)
    assert printed == "red ␛[2J␛]52;c;cHdu␇ 10%\r20%\r\nend �1m\n"


def test_half_a_colour_at_the_end_of_a_log_is_visible(monkeypatch, tmp_path):
    assert followed(monkeypatch, tmp_path, [{"a": b"x\x1b[3"}]) == "x␛[3\n"
    assert followed(monkeypatch, tmp_path, [{"a": b"x\n\x1b"}]).endswith("x\n␛\n")


def test_raw_logs_are_as_they_were_written(monkeypatch, tmp_path):
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    (tmp_path / "a.log").write_text(ODD, newline="")
    screen = Screen(raw=True)
    screen.show(tmp_path / "a.log")
    assert out.getvalue() == ODD
