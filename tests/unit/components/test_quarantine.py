"""What steps set aside lies in their outputs, is counted without being read, and is told page by page."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lykeion.components import quarantine
from lykeion.components.base import partition_name
from lykeion.components.quarantine import MOST_REASONS, OTHER, Quarantine, Reason, entries, gone, in_general, reasons

ABOUT = st.fixed_dictionaries(
    {"item": st.text()},
    optional={"row": st.integers(1), "line": st.integers(1), "value": st.none() | st.text(), "picture": st.none() | st.text()},
)
REASONS = st.sampled_from(["the file is empty", "damaged: half of it", "damaged: it ends early", "not a date (write 2026-01-31)"])
THINGS = st.lists(st.tuples(REASONS, ABOUT), max_size=12)


def write(folder: Path, things) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Quarantine(folder) as bad:
        for reason, about in things:
            bad.add(reason, **about)
    assert bad.count == len(things)


@given(THINGS, st.lists(THINGS, max_size=3), st.integers(0, 20), st.integers(0, 20))
def test_counts_and_pages_are_those_of_all_that_was_written(tmp_path_factory, one, partitions, offset, limit) -> None:
    outputs = tmp_path_factory.mktemp("outputs")
    write(outputs / "k1" / "items", one)
    for number, things in enumerate(partitions):
        write(outputs / "k2" / "pictures" / partition_name(number), things)
    steps = [("items", "k1"), ("pictures", "k2")]
    written = [("items", *each) for each in one] + [("pictures", *each) for things in partitions for each in things]
    told = entries(outputs, steps, offset, limit)
    assert [(each.step, each.item, each.reason) for each in told] == [
        (step, about["item"], reason) for step, reason, about in islice(written, offset, offset + limit)
    ]
    counts = Counter((step, quarantine.kind_of(about), in_general(reason)) for step, reason, about in written)
    assert Counter({each[:3]: each.total for each in reasons(outputs, steps)}) == counts


def test_what_was_set_aside_is_named_as_its_owner_knows_it(tmp_path: Path) -> None:
    things = [
        ("no price", {"item": "7", "row": 3, "line": 9, "value": "cheap"}),
        ("twice", {"item": "7", "row": 4, "value": ""}),
        ("damaged", {"item": "8", "picture": "a/b.jpg"}),
        ("none", {"item": "9", "picture": None}),
        ("damaged", {"item": None, "picture": "ab" * 32, "number": 1}),
    ]
    write(tmp_path / "k" / "out", things)
    told = entries(tmp_path, [("s", "k")], 0, 10)
    assert [each.what for each in told] == ["line 9: cheap", "row 4", "a/b.jpg", "", "its picture 2"]
    assert [each.digest for each in told] == ["", "", "", "", "ab" * 32]
    assert [each.kind for each in reasons(tmp_path, [("s", "k")])] == ["picture", "row", "row", "item"]


def test_reasons_without_end_are_counted_together(tmp_path: Path) -> None:
    write(tmp_path / "k" / "out", [(f"reason {number}", {"item": "a", "row": 1}) for number in range(MOST_REASONS + 5)])
    told = reasons(tmp_path, [("s", "k")])
    assert told[0] == Reason("s", "row", OTHER, 5)
    assert len(told) == MOST_REASONS + 1


def test_what_is_told_of_many_is_not_read_from_all(tmp_path: Path) -> None:
    folder = tmp_path / "k" / "out"
    write(folder, [("damaged", {"item": "a", "row": 1})] * 1000)
    (folder / quarantine.FILE).write_text("")
    assert reasons(tmp_path, [("s", "k")]) == [Reason("s", "row", "damaged", 1000)]


def test_outputs_of_an_earlier_version_and_of_other_components_are_told_too(tmp_path: Path) -> None:
    folder = tmp_path / "k" / "out"
    folder.mkdir(parents=True)
    (folder / "quarantine.jsonl").write_bytes(
        json.dumps({"item": "a", "reason": "damaged: x", "picture": "a.jpg"}).encode() + b"\n\xff\n[1]\n"
    )
    assert [each[:2] for each in entries(tmp_path, [("s", "k")], 0, 9)] == [("s", "a"), ("s", ""), ("s", "")]
    assert sum(each.total for each in reasons(tmp_path, [("s", "k")])) == 3


def test_a_freed_output_is_said_to_be_gone(tmp_path: Path) -> None:
    write(tmp_path / "k" / "out", [])
    assert gone(tmp_path, [("there", "k"), ("freed", "l")]) == ["freed"]
    assert entries(tmp_path, [("freed", "l")], 0, 9) == []
