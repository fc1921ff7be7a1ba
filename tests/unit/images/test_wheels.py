"""Where the files of wheels go, and which wheels share a layer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.core.images.wheels import BIG, GROUP, Locked, Recorded, Target, key, layers, place, read_record, script, scripts, write_record

TARGET = Target("3.11.2")
ONE = Locked("one", "1", ("sha256:1",))
sizes_of_packages = st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.integers(0, 3 * BIG), max_size=80)


@given(sizes_of_packages)
def test_every_package_is_in_one_layer_and_big_ones_are_alone(sizes):
    made = layers(sizes)
    assert sorted(name for names in made for name in names) == sorted(sizes)
    assert all(len(names) == 1 for names in made if any(sizes[name] >= BIG for name in names))
    assert all(len(names) == 1 or sum(sizes[name] for name in names) <= GROUP for names in made)


@given(sizes_of_packages, st.data())
def test_a_new_version_of_the_same_size_moves_nothing(sizes, data):
    shuffled = list(sizes.items())
    data.draw(st.randoms()).shuffle(shuffled)
    assert layers(dict(shuffled)) == layers(sizes)


@given(sizes_of_packages, st.integers(0, BIG - 1))
def test_a_package_more_leaves_all_layers_but_its_own_branch(sizes, size):
    before, after = layers(sizes), layers({**sizes, "zz-new": size})
    (own,) = (names for names in after if "zz-new" in names)
    gone = [names for names in before if names not in after]
    assert len(gone) <= 1
    assert all(names in before for names in after if names != own) or set(own) - {"zz-new"} <= {name for names in gone for name in names}


def test_there_are_never_too_many_layers():
    many = {f"package-{number}": BIG + number for number in range(300)} | {f"small-{number}": BIG - 1 for number in range(300)}
    assert len(layers(many)) <= 60
    assert layers({}) == []


def test_a_key_is_what_the_lock_says_and_no_more():
    assert key([ONE], TARGET, "c") == key([Locked("one", "1", ("sha256:1",), "file:///home/me/one.whl")], Target("3.11.9"), "c")
    others = [
        ([Locked("one", "2", ONE.hashes)], TARGET, "c"),
        ([Locked("one", "1", ("sha256:2",))], TARGET, "c"),
        ([ONE], Target("3.12"), "c"),
    ]
    others += [([ONE], TARGET, ""), ([ONE, ONE], TARGET, "c"), ([ONE], Target("3.11", "aarch64-manylinux_2_28"), "c")]
    keys = {key(*one) for one in [([ONE], TARGET, "c"), *others]}
    assert len(keys) == len(others) + 1


def test_the_order_of_packages_is_not_in_the_key():
    many = [Locked(f"p{number}", "1", ()) for number in range(9)]
    mixed = many.copy()
    random.Random(1).shuffle(mixed)
    assert key(mixed, TARGET, "") == key(many, TARGET, "")


paths = st.lists(st.from_regex(r'[a-z,"][a-zé ,"]{0,6}', fullmatch=True), min_size=1, max_size=3).map("/".join)


@given(st.lists(st.builds(Recorded, paths, st.binary(min_size=32, max_size=32).map(bytes.hex), st.integers(0, 10**9)), unique=True))
def test_a_record_that_is_written_is_read_as_it_was(files):
    read = read_record(write_record(files, "a-1.dist-info/RECORD"))
    assert sorted(read, key=repr) == sorted([*files, Recorded("a-1.dist-info/RECORD", "", 0)], key=repr)


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "a/../../x", "a\\b", "a/\x07.py"])
def test_a_record_that_leads_out_of_its_folder_is_refused(path):
    with pytest.raises(ValueError, match="leads out"):
        read_record(f"{path},sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n")


@pytest.mark.parametrize("row", ["a.py,md5=abc,3", "a.py,,", "a.py,sha256=!,1", "a.py", "a.py,sha256=47DEQpj8,x"])
def test_a_record_that_proves_nothing_is_refused(row):
    with pytest.raises(ValueError):  # noqa: PT011
        read_record(row)


def test_a_console_script_starts_the_python_of_the_image():
    long = b"#!/bin/sh\n'''exec' \"/home/me/a very long path/bin/python\" \"$0\" \"$@\"\n' '''\nimport sys\n"
    for start in (b"#!/home/me/.venv/bin/python\nimport sys\n", b"#!/usr/bin/python3.11 -E\nimport sys\n", long):
        assert script(start) == b"#!/opt/lykeion/bin/python\nimport sys\n"
    for other in (b"#!/bin/sh\necho\n", b"\x7fELF", b"", b"import sys\n"):
        assert script(other) == other


def test_scripts_leave_the_packages_unless_bin_is_one():
    files = [Recorded(path, "", 0) for path in ("bin/tool", "bin/deep/x", "a/bin/y", "share/z")]
    assert {place(file.path, file.path in scripts(files)) for file in files} == {
        "opt/lykeion/bin/tool",
        *(f"opt/lykeion/site-packages/{path}" for path in ("bin/deep/x", "a/bin/y", "share/z")),
    }
    assert scripts([*files, Recorded("bin/__init__.py", "", 0)]) == frozenset()
