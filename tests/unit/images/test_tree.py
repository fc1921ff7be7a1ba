"""The entries of a layer come into one order and form; what no layer may hold is told, all of it at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.entries import Entry
from lykeion.core.images.tree import arranged, below, clashes, fault, parents
from lykeion.errors import Invalid

names = st.text("abAB.é", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def file(path: str, data: bytes = b"x") -> Entry:
    return Entry(path, data=data)


@given(st.lists(paths, max_size=20))
def test_any_paths_come_out_sorted_with_all_their_folders_or_are_refused(given_paths):
    found = {path: file(path) for path in given_paths}
    nested = any(above in found for path in found for above in parents(path))
    if nested:
        with pytest.raises(Invalid, match="a folder that something lies in"):
            arranged(found.values())
        return
    made = [entry.path for entry in arranged(found.values())]
    assert made == sorted({*found, *(above for path in found for above in parents(path))})


def test_a_hard_link_is_no_folder_and_a_link_may_be_one():
    below_it = [file("a"), file("b/c")]
    with pytest.raises(Invalid, match="a folder that something lies in"):
        arranged([*below_it, Entry("b", "hardlink", target="a")])
    assert [entry.path for entry in arranged([*below_it, Entry("b", "link", target="usr/b")])] == ["a", "b", "b/c"]


@given(st.lists(paths, max_size=12, unique=True), st.randoms())
def test_the_order_in_which_entries_come_does_not_matter(given_paths, random):
    given_paths = [path for path in given_paths if not any(above in given_paths for above in parents(path))]
    shuffled = list(given_paths)
    random.shuffle(shuffled)
    assert arranged(map(file, given_paths)) == arranged(map(file, shuffled))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("../x", "'.' or '..'"),
        ("a/../../x", "'.' or '..'"),
        ("a//b", "empty part"),
        ("./a", "'.' or '..'"),
        ("a/", "empty part"),
        ("", "empty part"),
        ("a\0b", "zero byte"),
        ("n\udce9", "not UTF-8"),
        ("é" * 128, "too long"),
        ("/".join(["a" * 200] * 21), "too long"),
    ],
)
def test_a_path_that_leads_out_or_cannot_be_written_is_refused(path, why):
    assert why in fault(file(path))
    with pytest.raises(Invalid, match="cannot be put into an image"):
        arranged([file(path)])


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(Invalid) as refusal:
        arranged([file("/a"), file("b/../c"), file("d"), file("d", b"other"), Entry("e", "link"), Entry("f", "hardlink", target="g")])
    told = str(refusal.value)
    for why in ("absolute", "'..'", "there twice", "a link to nothing", "hard link to g"):
        assert why in told
    assert len(refusal.value.problems) == 5


def test_the_same_entry_twice_counts_once():
    assert arranged([file("a"), file("a")]) == [file("a")]


def test_a_folder_that_was_said_keeps_its_mode_and_others_get_the_usual_one():
    made = {entry.path: entry for entry in arranged([Entry("tmp", "folder", 0o1777), file("tmp/a/b")])}
    assert (made["tmp"].mode, made["tmp/a"].mode) == (0o1777, 0o755)


def test_a_link_may_stand_where_something_lies_below_it():
    assert [entry.type for entry in arranged([Entry("lib", "link", target="usr/lib"), file("lib/x")])] == ["link", "file"]


def test_hard_links_come_after_the_files_that_they_share():
    made = arranged([Entry("a", "hardlink", target="z"), file("z")])
    assert [entry.path for entry in made] == ["z", "a"]


@given(st.lists(paths, max_size=10))
def test_clashes_are_the_paths_that_differ_in_case_alone(given_paths):
    found = clashes(given_paths)
    naive = {one for one in given_paths for other in given_paths if one != other and one.casefold() == other.casefold()}
    assert {path for group in found.values() for path in group} == naive


def test_entries_are_moved_below_a_folder_with_their_hard_links():
    moved = list(below("app", [file("a"), Entry("b", "hardlink", target="a"), Entry("c", "link", target="/model")]))
    assert [entry.path for entry in moved] == ["app/a", "app/b", "app/c"]
    assert [entry.target for entry in moved[1:]] == ["app/a", "/model"]
