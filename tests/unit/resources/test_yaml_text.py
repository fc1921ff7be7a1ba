"""YAML text becomes JSON values with lines, or problems with lines; never anything else, and never slowly."""

import json
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.resources import yaml_text
from lykeion.core.resources.write import to_yaml_text
from lykeion.core.resources.yaml_text import Document, documents
from lykeion.testing.effort import calls


def one(text: str) -> Document:
    (found,) = documents(text, "f.yaml")
    return found


def value_of(text: str):
    document = one(text)
    assert document.problems == []
    return document.value


def refusals(text: str) -> list[str]:
    return [str(problem) for document in documents(text, "f.yaml") for problem in document.problems]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("NO", "NO"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("-3", -3),
        ("+3", 3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5E-2", -0.015),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'true'", "true"),
        ('"4"', "4"),
        ("!!str 4", "4"),
        ("!!int '4'", 4),
        ("!!float 4", 4.0),
        ("! 4", "4"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("0b11", "0b11"),
        ("é", "é"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written, read):
    assert value_of(f"a: {written}") == {"a": read}
    assert type(value_of(f"a: {written}")["a"]) is type(read)


@pytest.mark.parametrize("written", [".nan", ".inf", "-.Inf", "1e999", "9" * 5000])
def test_numbers_that_json_cannot_say_are_problems(written):
    (problem,) = one(f"a: {written}").problems
    assert "no number that can be kept" in problem.message
    assert (problem.field, problem.line) == ("a", 1)
    assert len(str(problem)) < 300


def test_every_value_knows_its_line():
    document = one("a: 1\nb:\n  - x\n  - {c: 1,\n     d: 2}\n\ne: |\n  text\n  more\nf: 1\n")
    at = document.lines.at
    assert [at(path) for path in [("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d"), ("e",), ("f",)]] == [1, 2, 3, 4, 5, 7, 10]


def test_a_field_that_is_not_there_has_the_line_of_what_it_would_be_in():
    document = one("a:\n  b:\n    c: 1\n")
    assert document.lines.at(("a", "b", "missing", "deeper")) == 2
    assert document.lines.at(("a", "b", "c", "deeper")) == 3
    assert document.lines.at(("a", 3)) == 1


def test_documents_are_numbered_through_and_comments_alone_are_none():
    found = list(documents("# a comment\n---\na: 1\n---\n# nothing\n---\n\nb: 2\n...\n", "f.yaml"))
    assert [(document.value, document.lines.at(tuple(document.value))) for document in found] == [({"a": 1}, 3), ({"b": 2}, 8)]


def test_a_document_that_cannot_be_read_does_not_hide_the_next():
    found = list(documents("a: [1\n---\nb: 2\n---\nc: 'x\n", "f.yaml"))
    assert [document.readable for document in found] == [False, True, False]
    assert [document.problems[0].line for document in found if document.problems] == [1, 5]


def test_windows_line_ends_a_byte_order_mark_and_directives_are_read():
    assert value_of("\ufeff%YAML 1.2\r\n---\r\na: 1\r\nb: [x,\r\n  y]\r\n") == {"a": 1, "b": ["x", "y"]}


def test_json_is_yaml():
    assert value_of('{"a": [1, 2.5, "x", null, true], "b": {"c": {}}}') == {"a": [1, 2.5, "x", None, True], "b": {"c": {}}}


def test_duplicate_keys_are_found_at_every_depth_with_both_lines():
    document = one("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n")
    assert [(p.field, p.line, p.remedy) for p in document.problems] == [
        ("b.c", 5, "it is on line 3 too; remove one"),
        ("a", 6, "it is on line 1 too; remove one"),
    ]
    assert document.value == {"a": 1, "b": {"c": 1, "d": 2}}


@pytest.mark.parametrize("key", ["1", "true", "~", "2.5"])
def test_a_key_that_is_no_text_is_a_problem_and_read_as_written(key):
    document = one(f"{key}: x\n")
    assert "a key must be text" in document.problems[0].message
    assert document.value == {key: "x"}


def test_keys_that_are_lists_and_merge_keys_are_problems():
    assert "not a list or a mapping" in refusals("? [a]\n: 1\n")[0]
    assert "merge keys" in refusals("a: &a {b: 1}\nc:\n  <<: *a\n")[0]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['true']", "!!set {a}", "!!binary aGk=", "!mine x", "!!timestamp 2020-01-01"]
)
def test_a_tag_never_builds_anything(tag):
    assert any("tag" in text for text in refusals(f"a: {tag}\n"))


def test_a_tag_that_lies_is_a_problem():
    assert "not what its tag says" in refusals("a: !!int abc\n")[0]
    assert "not what its tag says" in refusals("a: !!bool 3\n")[0]


def test_aliases_stand_for_their_values():
    assert value_of("a: &x {b: [1]}\nc: *x\nd: &y text\ne: *y\n") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "text", "e": "text"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: *x\n", "stands for nothing"),
        ("a: &x [*x]\n", "stands inside of what it stands for"),
        ("a: &x {b: {c: *x}}\n", "stands inside of what it stands for"),
        ("a: &x 1\n---\nb: *x\n", "stands for nothing"),
    ],
)
def test_knots_and_aliases_of_nothing_are_refused(text, says):
    assert any(says in refusal for refusal in refusals(text))


BOMBS = {
    "billion laughs": "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
    "one long text, many times": f"a: &a {'x' * 1_000_000}\nb: [{','.join(['*a'] * 1000)}]\n",
    "deep brackets": "a: " + "[" * 100_000,
    "deep braces": "{a: " * 50_000,
    "deep indentation": "\n".join("  " * depth + "a:" for depth in range(500)),
    "deep dashes": "- " * 50_000,
    "a very large file": "a: 1\n" * 2_000_000,
    "very many values": "[" + "[]," * 400_000 + "]",
    "many anchors": "".join(f"a{i}: &a{i} [*a{max(i - 1, 0)}, *a{max(i - 1, 0)}]\n" for i in range(200)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_shortly_and_with_little_work(name):
    found: list[str] = []
    work = calls(lambda: found.extend(refusals(BOMBS[name])))
    assert len(found) == 1
    assert len(found[0]) < 400
    assert work < 6_000_000  # as much as for as many values as are allowed


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a:\n\t- b\n", 2, "a tab stands"),
        ("a: 1\n  \tb: 3\n", 2, "a tab stands"),
        ("a: 1\nb: 2\n c: 3\n", 3, "a ':' stands where it cannot"),
        ("a:\n    b: 1\n  c: 2\n", 3, "does not fit"),
        ("a:\n  - b\n c: 2\n", 3, "does not fit"),
        ("a: b: c\n", 1, "a ':' stands where it cannot"),
        ("z: 1\na: [1, 2\nb: 3\n", 2, "is not closed, or a ',' is missing before line 3"),
        ("a: {b: 1\nc: 2\n", 1, "is not closed"),
        ("x: 1\na: 'text\n", 2, "a quote is not closed"),
        ('a: "\\q"\n', 1, "a backslash"),
        ("a: @x\n", 1, "cannot begin a value"),
        ("a: `x`\n", 1, "cannot begin a value"),
        ("a: 1\nb: \x01\n", 2, "may not hold"),
        ("a: 1\nb: \x00\n", 2, "may not hold"),
        ("a: 1\nb: \ud800\n", 2, "may not hold"),
        ("a: !x!y z\n", 1, "the tag is not known"),
    ],
)
def test_what_cannot_be_read_says_the_line_and_a_way_out(text, line, says):
    (problem,) = one(text).problems
    assert says in problem.message
    assert problem.line == line


def test_a_syntax_error_says_the_file_s_line_in_a_later_document():
    assert [problem.line for document in documents("a: 1\n---\nb: 1\n\n\tc: 2\n", "f") for problem in document.problems] == [5]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=60), inner, max_size=4),
    max_leaves=12,
)
TRICKY = [
    "yes",
    "0o17",
    "1e3",
    "1:20",
    "- a",
    "a: b",
    "#x",
    "",
    " ",
    "~",
    "<<",
    "=",
    "\n",
    "a\n",
    "\na",
    " a\nb",
    "a\n\n",
    "...",
    "---",
    "\t",
    "&a",
    "*a",
    "!t",
]


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), json_values | st.sampled_from(TRICKY), max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back_the_same(value):
    document = one(to_yaml_text(value) if value else "{}")
    assert document.problems == []
    assert document.value == value
    assert json.dumps(document.value) == json.dumps(value)


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_texts_read_back_as_keys_and_values(text):
    value = {text: text, "list": [text, {text: [text]}]}
    assert value_of(to_yaml_text(value)) == value


@given(st.dictionaries(st.text(st.sampled_from("abyesno01:-. "), min_size=1, max_size=6), json_values, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_other_readers_understand_what_is_written(value):
    assert yaml.safe_load(to_yaml_text(value)) == value


PIECES = [
    "a",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "'",
    '"',
    "#",
    "|",
    ">",
    "!!int ",
    "---\n",
    "...",
    "\t",
    "1",
    "? ",
    "%",
    "\\",
    "é",
    "\x07",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=40))
@settings(max_examples=250, deadline=None)
def test_no_text_whatever_makes_it_raise(text):
    for document in documents(text, "f.yaml"):
        assert document.readable or document.problems
        assert all(
            problem.file == "f.yaml" and 1 <= problem.line <= text.count("\n") + text.count("\r") + 2 for problem in document.problems
        )
        if document.readable:
            json.dumps(document.value, allow_nan=False)


@given(st.lists(st.sampled_from(PIECES[:18]), max_size=16).map("".join))
@settings(max_examples=150, deadline=None)
def test_it_reads_what_pyyaml_s_own_loader_reads(text):
    """Against a naive version: the structure, with all scalars as text."""

    class Naive(yaml.BaseLoader):
        def flatten_mapping(self, node):
            pass

    try:
        loaded = list(yaml.load_all(text, Naive))
    except (yaml.YAMLError, TypeError, ValueError):
        return
    read = [document for document in documents(text, "f") if document.readable and not document.problems]
    if len(read) == len([one for one in loaded if one not in (None, "")]) == 1:
        assert as_text(read[0].value) == as_text(loaded[0])


def as_text(value):
    if isinstance(value, dict):
        return {str(key): as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return "" if value is None else str(value)


def test_plain_scalars_agree_with_python_s_numbers():
    for text in ("0", "-0", "12", "1.5", "1e-7", "+.5e3"):
        assert yaml_text.plain_scalar(text) == float(text)
        assert math.isfinite(yaml_text.plain_scalar(text))
