"""The log of a step: bounded, with its beginning and its end, and without the values of secrets."""

import html
import json
import os
import re
import shlex
from base64 import b64encode, urlsafe_b64encode
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.local import step_log
from lykeion.adapters.local.step_log import StepLog
from lykeion.core.masking import MASK, Mask, forms_of

from .conftest import task_of

SECRET = 'p"ss wörd/7\nsecond line'
secrets = st.lists(st.text('ab\n" é', min_size=4, max_size=12), max_size=3)


def in_pieces(mask: Mask, data: bytes, cuts) -> bytes:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return b"".join(map(mask.feed, pieces)) + mask.end()


@given(secrets, st.lists(st.text('ab\n" é', max_size=6), max_size=6), st.lists(st.integers(0, 80), max_size=8), st.data())
def test_no_secret_is_shown_however_the_text_is_cut(values, others, cuts, data):
    forms = forms_of(values)
    between = [data.draw(st.sampled_from(forms)) if forms else "" for _ in others]
    text = "".join(part for pair in zip(others, between, strict=True) for part in pair).encode()
    shown = in_pieces(Mask(values), text, cuts).replace(MASK.encode(), b"\0").decode()
    assert not any(form in shown for form in forms)


@given(secrets, st.text("xyz \n", max_size=40), st.lists(st.integers(0, 40), max_size=5))
def test_what_is_no_secret_is_shown_as_it_was(values, text, cuts):
    assert in_pieces(Mask(values), text.encode(), cuts) == text.encode()


TOKEN = "S3cr3t/Val+ue=42&x<y>'q\"z wörd"
WAYS = [
    TOKEN, json.dumps(TOKEN), json.dumps(TOKEN, ensure_ascii=False), json.dumps({"x": json.dumps(TOKEN)}), json.dumps(TOKEN).replace("/", "\\/"),
    repr(TOKEN), ascii(TOKEN), repr(TOKEN.encode()), html.escape(TOKEN), shlex.quote(TOKEN), TOKEN.encode().hex(), f"Authorization: {TOKEN}",
    quote(TOKEN), quote(TOKEN, safe=""), quote_plus(TOKEN), re.sub("%..", lambda code: code[0].lower(), quote(TOKEN)),
    b64encode(TOKEN.encode()).decode(), urlsafe_b64encode(TOKEN.encode()).decode(), b64encode(TOKEN.encode()).decode().rstrip("="),
    b64encode(f"user:{TOKEN}".encode()).decode(), b64encode(f"users:{TOKEN}".encode()).decode(), b64encode(f"u:{TOKEN}x".encode()).decode(),
]  # fmt: skip


@pytest.mark.parametrize("text", WAYS)
def test_a_secret_is_masked_as_programs_write_it(text):
    shown = Mask([TOKEN]).value({"message": text, "deep": [text], text: 1})
    assert MASK in shown["message"]
    assert not any(part in str(shown) for part in ("Val", "56616c", b64encode(b"/Val+u").decode()[2:6], "ue=42"))


@pytest.mark.parametrize("written", ['p"ss wörd/7', "second line", SECRET])
def test_each_line_of_a_secret_is_masked(written):
    assert Mask([SECRET]).value(written).strip() == MASK


def test_the_beginning_of_a_secret_at_the_end_of_a_log_is_masked():
    mask = Mask([TOKEN])
    assert mask.feed(b"it is S3cr3t/V") + mask.end() == b"it is ***"
    assert mask.feed(b"it is S3c") + mask.end() == b"it is S3c"


def test_a_short_value_is_not_masked_in_every_word():
    assert Mask(["a", "42 ", ""]).value("banana 42") == "banana 42"


class Written:
    """A log with what a worker printed to it."""

    def __init__(self, path, *pieces: bytes) -> None:
        self.log = StepLog(str(path), Mask())
        for piece in pieces:
            os.write(self.log.writer, piece)
            self.log.pump()
        os.close(self.log.writer)
        self.log.close()
        self.text = path.read_text()


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(step_log, "LONGEST", 1000)
    monkeypatch.setattr(step_log, "LAST", 100)


def test_of_a_long_log_the_beginning_and_the_end_are_kept(short, tmp_path):
    lines = [b"line %04d\n" % number for number in range(1000)]
    text = Written(tmp_path / "a.log", *lines).text
    assert text.startswith("line 0000\nline 0001\n")
    assert text.endswith("line 0998\nline 0999\n")
    assert len(text) < 1400
    assert "this log is longer than" in text
    kept = sum(line.startswith("line ") for line in text.splitlines())
    assert f"{(1000 - kept) * 10} bytes are left out" in text


def test_a_log_of_one_endless_line_is_bounded(short, tmp_path):
    text = Written(tmp_path / "a.log", *[b"x" * 50] * 100).text
    assert 1000 < len(text) < 1400


def test_a_log_that_just_fits_is_kept_whole(short, tmp_path):
    assert Written(tmp_path / "a.log", b"x" * 1000).text == "x" * 1000
    assert Written(tmp_path / "b.log", b"x" * 1001).text.endswith("\nx")


def test_a_log_without_a_place_stops_nobody(tmp_path):
    with pytest.raises(FileNotFoundError):
        Written(tmp_path / "gone" / "a.log", b"x" * 5000)
    assert not (tmp_path / "gone").exists()


def test_what_a_step_prints_without_end_is_bounded(engine, monkeypatch):
    (child,) = engine.run(task_of("print_much", megabytes=80))
    assert child.phase == "Succeeded"
    log = engine.home / "logs" / "monthly" / "print_much.log"
    assert log.stat().st_size < 34 << 20
    assert log.read_bytes().startswith(b"0 ")
    assert log.read_bytes().endswith(b"the last line\n")


def test_a_step_that_fails_after_much_has_its_reason_in_the_log_tail(engine):
    (child,) = engine.run(task_of("print_much", megabytes=40, fails=True))
    assert child.log_tail.endswith("RuntimeError: at last")


@pytest.mark.parametrize("how", ["print", "child", "error", "exception"])
def test_no_value_of_a_secret_is_in_logs_or_status(make_engine, how):
    engine = make_engine(secrets=lambda name, key: SECRET)
    (child,) = engine.run(task_of("betray", how=how, secrets={"PASSWORD": "shop.password"}))
    shown = f"{child.message}\n{child.log_tail}\n{engine.log('betray')}"
    assert MASK in shown
    assert "wörd" not in shown
    assert "second line" not in shown


def test_no_log_is_left_open(engine):
    engine.run(task_of("make"))
    (parent,) = engine.running()
    before = os.listdir(f"/proc/{parent}/fd")
    engine.run(*(task_of("make", name=f"make{number}", seconds=0.05) for number in range(6)))
    assert os.listdir(f"/proc/{parent}/fd") == before


def test_no_value_of_a_secret_is_in_what_a_step_leaves_of_itself(make_engine, home):
    engine = make_engine(secrets=lambda name, key: SECRET)
    (child,) = engine.run(task_of("confess", secrets={"PASSWORD": "shop.password"}))
    assert child.results["confess"].result == {"it": [f"is {MASK}"]}
    assert child.results["confess"].metrics == {f"of {MASK}": 1.0}
    assert [path for path in home.rglob("*") if path.is_file() and "wörd" in path.read_bytes().decode(errors="replace")] == []


@pytest.mark.parametrize("what", ["result", "metrics"])
def test_a_result_that_is_no_object_is_the_steps_failure_and_ends_nobody(engine, what):
    (child,) = engine.run(task_of("overdo", what=what))
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert "are dicts" in child.message
