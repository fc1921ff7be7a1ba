"""What a run set aside is told at its end, and listed by `lykeion quarantine`: also where every step came from the cache."""

import pytest

ITEMS = """  parameters: {listings: {type: uri}}
  steps:
    - {name: items, component: "lykeion.components.sources:listings", with: {uri: "${parameters.listings}"}}
    - {name: pictures, component: "lykeion.components.pictures:collect", inputs: {items: items.items}}
"""
CATALOGUE = 'id,title,price,pictures\n1,Chair,2,gone.jpg\n2,Lamp,cheap,b.jpg\n3,Bed,dear,b.jpg\n4,"27 inch,3,b.jpg\n5,Sofa,1_000,b.jpg\n'


@pytest.fixture
def run(cli, write, tmp_path):
    """run("-o", "json", …): the pipeline over a catalogue of which most is wrong."""
    (tmp_path / "c.csv").write_text(CATALOGUE)
    file = write(ITEMS)
    return lambda *more: cli("run", file, "-p", f"listings={tmp_path / 'c.csv'}", *more)


def test_a_run_ends_with_how_much_was_set_aside_and_why(run):
    for told in (run().out, run().out):
        assert "set aside: 4 rows, 1 picture (lykeion quarantine p-" in told
        assert "2 rows in items: its price is not a number" in told
        assert "1 row in items: a quote opens in it and is not closed" in told
        assert "1 picture in pictures: there is no such file" in told


def test_programs_are_told_the_same(run):
    aside = run("-o", "json").json["setAside"]
    assert {"step": "pictures", "kind": "picture", "reason": "there is no such file", "total": 1} in aside
    assert sum(each["total"] for each in aside) == 5


def test_a_run_that_set_nothing_aside_does_not_speak_of_it(cli, write):
    code = "@component\ndef make(out: Output) -> None:\n    pass\n"
    told = cli("run", write('  steps: [{name: a, component: "./work.py:make"}]\n', code))
    assert "set aside" not in told.out
    assert cli("quarantine", "p-1").out == "p-1 has set nothing aside\n"
    assert cli("quarantine", "p-1", "-o", "json").json == {"total": 0, "items": []}


def test_each_thing_is_listed_with_step_item_and_reason(run, cli):
    run()
    told = cli("quarantine", "p-1", "-o", "json").json
    assert told["total"] == 5
    assert [(each["step"], each["item"], each["what"]) for each in told["items"]] == [
        ("items", "2", "line 3: cheap"),
        ("items", "3", "line 4: dear"),
        ("items", "4", 'line 5: 4,"27 inch,3,b.jpg'),
        ("items", "5", "line 6: 1_000"),
        ("pictures", "1", "gone.jpg"),
    ]
    assert all(each.keys() == {"step", "item", "what", "reason"} for each in told["items"])


def test_what_came_from_the_cache_is_listed_as_if_it_had_been_run(run, cli):
    run()
    again = run("-o", "json").json
    assert {step["state"] for step in again["steps"]} == {"Cached"}
    assert cli("quarantine", "p-2", "-o", "json").json == cli("quarantine", "p-1", "-o", "json").json


def test_a_list_is_shown_page_by_page(run, cli):
    run()
    whole = cli("quarantine", "p-1", "-o", "json").json["items"]
    page = cli("quarantine", "p-1", "-o", "json", "--limit", 2, "--offset", 1).json
    assert page == {"total": 5, "items": whole[1:3]}
    people = cli("quarantine", "p-1", "--limit", 2)
    assert "line 3: cheap" in people.out
    assert "2 of 5" in people.err


def test_what_went_with_an_output_is_said(run, cli, platform):
    run()
    for key in list(platform.outputs.keys()):
        platform.outputs.delete(key)
    told = cli("quarantine", "p-1")
    assert "what step items set aside went with its output" in told.err
    assert "what step pictures set aside went with its output" in told.err


@pytest.mark.parametrize("words", [("nope",), ("p-1", "--limit", "-1", "--offset", "-2")])
def test_a_list_that_cannot_be_shown_is_refused(run, cli, words):
    run()
    told = cli("quarantine", *words, code=3 if words == ("nope",) else 2)
    assert ("--limit" in told.err and "--offset" in told.err) or "nope" in told.err
