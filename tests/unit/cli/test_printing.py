"""Results for programs and for people."""

import contextlib
import io
import json
from datetime import timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lykeion.cli.printing import age, emit, rows, say, span, visible
from lykeion.testing.builders import NOON

TEXT = st.text(st.characters(categories=["L", "N", "P", "S"]) | st.sampled_from(" \n"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=8
)


@given(st.floats(0, 1e9))
def test_a_span_says_about_as_many_seconds_as_there_are(seconds):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    total, number = 0.0, ""
    for letter in span(seconds):
        if letter in units:
            total, number = total + float(number) * units[letter], ""
        else:
            number += letter
    assert total == pytest.approx(seconds, rel=0.05, abs=1.0)


def test_an_age_is_the_span_until_now():
    assert age(NOON - timedelta(minutes=5), NOON) == "5m"
    assert age(None) == ""


@given(JSON)
def test_json_and_yaml_say_the_same(value):
    said = {}
    for output in ("json", "yaml"):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            emit(value, output, "for people")
        said[output] = out.getvalue()
    assert json.loads(said["json"]) == value
    assert yaml.safe_load(said["yaml"]) == value


def test_a_table_shows_every_text_as_it_is(capsys):
    emit(None, "table", rows(("A", "B"), [("[bold]red[/bold] [/]", ":smile:"), (None, 3)], "nothing"))
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == ["A", "B"]
    assert "[bold]red[/bold] [/]  :smile:" in told[1]
    assert told[2].split() == ["3"]


def test_where_there_is_nothing_a_sentence_says_so(capsys):
    emit([], "table", rows(("A",), [], "no pipelines yet"))
    assert capsys.readouterr().out == "no pipelines yet\n"


def test_dates_are_text(capsys):
    emit({"at": NOON}, "json")
    assert json.loads(capsys.readouterr().out)["at"].startswith("2026-01-01")


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_what_json_has_no_word_for_is_null(capsys, output):
    emit({"recall": float("nan"), "losses": [float("inf"), (-float("inf"), 0.5)]}, output)
    assert yaml.safe_load(capsys.readouterr().out) == {"recall": None, "losses": [None, [None, 0.5]]}


HOSTILE = "\x1b[2J\x1b]0;PWN\x07\x1b]52;c;cHdu\x07red\x9b31m\x7f\u202etfel"
OBEYED = [chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x202E, 0x2066) if chr(code) not in "\n\t"]


def is_harmless(shown: str) -> bool:
    return not any(character in shown for character in OBEYED)


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
@pytest.mark.parametrize("at_terminal", [True, False])
def test_nothing_that_a_terminal_obeys_is_printed(capsys, monkeypatch, output, at_terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: at_terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    emit({"title": HOSTILE, HOSTILE: 1}, output, rows(("TITLE",), [(HOSTILE,)], "nothing"))
    shown = capsys.readouterr().out
    assert is_harmless(shown.replace("\x1b[1m", "").replace("\x1b[0m", "") if at_terminal and output == "table" else shown)
    if output != "table":
        assert yaml.safe_load(shown)["title"] == HOSTILE


@given(st.text())
def test_what_no_terminal_obeys_is_shown_as_it_is(text):
    assert is_harmless(visible(text))
    assert [new for new, old in zip(visible(text), text, strict=True) if old not in OBEYED and old.isprintable()] == [
        old for old in text if old not in OBEYED and old.isprintable()
    ]


def test_sentences_and_remarks_are_harmless_too(capsys):
    emit({}, "table", HOSTILE)
    say(HOSTILE)
    drawn = capsys.readouterr()
    assert is_harmless(drawn.out)
    assert is_harmless(drawn.err)
    assert "␛[2J" in drawn.out
