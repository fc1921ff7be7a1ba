"""Bases of Debian packages: the lock, where files lie, which packages are needed, and packages read without running anything."""

import tarfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from deb_writer import archive, deb, member, named
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.images.deb_files import unpacked
from lykeion.adapters.images.debs import Debs, lay_out
from lykeion.adapters.images.pyc import Compiler
from lykeion.core.images.debs import BaseLock, Deb, is_base_lock, link_target, merged, names_in, needed, parse_base_lock, place
from lykeion.core.images.entries import Entry
from lykeion.core.images.tree import arranged
from lykeion.errors import Corrupt, Invalid

PYTHON = Deb("python3.11-minimal", "3.11.2-6+deb12u6", "1" * 64, 5, "pool/main/p/python3.11/python3.11-minimal_3.11.2-6+deb12u6_amd64.deb")
LOCK = BaseLock("debian", "bookworm", "amd64", (PYTHON,))

names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
versions = st.from_regex(r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,8}(-[0-9a-z+.]{1,6})?", fullmatch=True)
packages = st.builds(
    Deb,
    names,
    versions,
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    st.integers(0, 10**10),
    st.from_regex(r"pool/[a-z+~.]{1,9}_1\.deb", fullmatch=True),
)


@given(st.lists(packages, unique_by=lambda one: one.name, max_size=9))
def test_a_lock_that_is_written_is_read_as_it_was(debs):
    lock = replace(LOCK, debs=tuple(sorted([*(one for one in debs if ".." not in one.path.split("/")), PYTHON], key=lambda one: one.name)))
    assert parse_base_lock(lock.text) == lock
    assert is_base_lock(lock.text)


def test_everything_that_is_wrong_in_a_lock_is_told_at_once():
    line = f"libc6=2.36 sha256:{'1' * 64} 5 pool/libc6.deb"
    text = f"{line}\n{line}\nlibc7\nzlib=1 sha256:{'1' * 64} 5 https://host/pool/x.deb\nother=1 sha256:{'2' * 64} 5 ../x.deb\n"
    with pytest.raises(Invalid) as refused:
        parse_base_lock(text, "base.lock")
    told = [str(one) for one in refused.value.problems]
    assert [one.partition(": ")[0] for one in told] == [f"base.lock:{line}" for line in (2, 3, 4, 5)] + ["base.lock"]
    assert "debian bookworm amd64" in told[-1]
    with pytest.raises(Invalid, match="it has no Python"):
        parse_base_lock(f"debian bookworm amd64\n{line}\n")
    assert not is_base_lock("registry.example/python@sha256:1")


def test_its_python_its_parts_and_its_key_are_read_off_it():
    assert LOCK.python == "3.11.2"
    assert LOCK.parts == (("pkg:deb/debian/python3.11-minimal@3.11.2-6+deb12u6?arch=amd64", f"sha256:{'1' * 64}"),)
    moved = replace(LOCK, debs=(replace(PYTHON, path="elsewhere/x.deb"),))
    assert moved.key("c") == LOCK.key("c") != LOCK.key("")
    assert replace(LOCK, debs=(replace(PYTHON, sha256="2" * 64),)).key("c") != LOCK.key("c")


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("./lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("./lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"),
        ("./bin/sh", "usr/bin/sh"),
        ("./usr/bin/python3", "usr/bin/python3"),
        ("./usr/share/doc/libc6/copyright", "usr/share/doc/libc6/copyright"),
        ("./usr/share/doc/libc6/changelog.gz", ""),
        ("./usr/share/doc/", ""),
        ("./usr/share/man/man1/x.1.gz", ""),
        ("./usr/share/locale/", ""),
        ("./lib/", ""),
        ("./", ""),
        ("./libexec/x", "libexec/x"),
    ],
)
def test_files_lie_where_a_merged_usr_has_them(path, where):
    assert place(path) == where


def test_links_point_to_what_they_pointed_to():
    assert link_target("./lib/x86_64-linux-gnu/libz.so.1", "libz.so.1.2.13") == "libz.so.1.2.13"
    assert link_target("./lib/systemd/x", "../../usr/share/y") == "/usr/share/y"
    assert link_target("./usr/lib/ssl/certs", "/etc/ssl/certs") == "/etc/ssl/certs"
    assert link_target("./usr/bin/python3", "../lib/x") == "../lib/x"


def test_tools_of_installing_stay_out_unless_somebody_names_them():
    records = {
        "python3": {"Depends": "libc6 (>= 2.36), python3.11 (= 3.11.2) | python3.12", "Pre-Depends": "dpkg"},
        "python3.11": {"Depends": "libssl3:any, virtual-lib"},
        "dpkg": {"Depends": "tar, libzstd1"},
        "libssl3": {"Depends": "libc6, debconf (>= 0.5) | debconf-2.0"},
        "real-lib": {"Provides": "virtual-lib (= 1), other"},
        "libc6": {},
        "tar": {},
        "libzstd1": {},
        "debconf": {},
    }
    assert needed(["python3"], records) == {"python3", "python3.11", "libssl3", "real-lib", "libc6"}
    assert needed(["python3", "dpkg"], records) == {"python3", "python3.11", "libssl3", "real-lib", "libc6", "dpkg", "libzstd1"}
    assert names_in("aa (>= 1) | b2:any [amd64], c+ <!nocheck>, ${x}") == ["aa", "b2", "c+"]


def test_two_packages_with_different_files_of_one_name_are_refused():
    folder, link = Entry("usr/lib", "folder", 0o755), Entry("usr/a", "link", target="b")
    both = merged([("a", [folder, link]), ("b", [replace(folder, mode=0o700), link])])
    assert both == [folder, link]
    with pytest.raises(Invalid, match="a and b both have /usr/x"):
        merged([("a", [Entry("usr/x", data=b"1")]), ("b", [Entry("usr/x", data=b"2")])])


FILES = [
    (member("./", tarfile.DIRTYPE, 0o755), b""),
    (member("./lib/", tarfile.DIRTYPE, 0o755), b""),
    (member("./lib/liba.so.1.0", mode=0o4755), b"library"),
    (member("./lib/liba.so.1", tarfile.SYMTYPE, target="liba.so.1.0"), b""),
    (member("./tmp/", tarfile.DIRTYPE, 0o1777), b""),
    (member("./usr/share/doc/a/changelog.gz"), b"long"),
    (member("./usr/share/zone/A"), b"zone"),
    (member("./usr/share/zone/B", tarfile.LNKTYPE, target="./usr/share/zone/A"), b""),
]


@pytest.mark.parametrize("packing", ["", ".gz", ".xz", ".zst"])
def test_a_package_is_read_however_it_is_packed(tmp_path, packing):
    control, entries = unpacked(deb(tmp_path / "debs", "a", FILES, packing), tmp_path / "a")
    assert control.startswith(b"Package: a\n")
    assert {(one.path, one.type, one.mode, one.target) for one in entries} == {
        ("usr/lib/liba.so.1.0", "file", 0o755, ""),
        ("usr/lib/liba.so.1", "link", 0o644, "liba.so.1.0"),
        ("tmp", "folder", 0o1777, ""),
        ("usr/share/zone/A", "file", 0o644, ""),
        ("usr/share/zone/B", "hardlink", 0o644, "usr/share/zone/A"),
    }
    assert Path(entries[0].source).read_bytes() == b"library"


def test_what_was_unpacked_is_read_again_without_the_package(tmp_path):
    package = deb(tmp_path / "debs", "a", FILES)
    first = unpacked(package, tmp_path / "a")
    package.unlink()
    assert unpacked(package, tmp_path / "a") == first


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (member("../../etc/passwd"), "leads out of the image"),
        (member("/etc/passwd"), "leads out of the image"),
        (member("./dev/sda", tarfile.BLKTYPE), "is a device"),
        (member("./usr/pipe", tarfile.FIFOTYPE), "is a device"),
    ],
)
def test_a_package_that_holds_what_no_image_may_is_refused(tmp_path, bad, why):
    with pytest.raises(Corrupt, match=why):
        unpacked(deb(tmp_path / "debs", "a", [*FILES, (bad, b"")]), tmp_path / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["debs"]


@pytest.mark.parametrize("cut", [0, 4, 30, 70, 200, -20000, -40000])
def test_half_a_package_is_told(tmp_path, cut):
    big = [*FILES, (member("./usr/big"), bytes(range(256)) * 400)]
    whole = deb(tmp_path / "whole", "a", big, "").read_bytes()
    with pytest.raises(Corrupt, match="delete it and build again"):
        unpacked(named(tmp_path / "debs", whole[:cut]), tmp_path / "a")


@given(st.binary(max_size=300))
def test_bytes_that_are_no_package_are_told(data):
    with TemporaryDirectory() as folder, pytest.raises(Corrupt):
        unpacked(named(Path(folder), archive({"debian-binary": b"2.0\n", "data.tar.xz": data})), Path(folder) / "to")


def test_a_package_that_is_not_what_its_name_says_is_told(tmp_path):
    package = deb(tmp_path / "debs", "a", FILES)
    package.write_bytes(package.read_bytes() + b"\n")
    with pytest.raises(Corrupt, match="is not what its name says"):
        unpacked(package, tmp_path / "a")


def base_of(tmp_path: Path) -> Debs:
    """A base of two packages that are in the cache already."""
    found = []
    for name, members in {
        "python3.11-minimal": FILES,
        "ca-certificates": [
            (member(f"./usr/share/ca-certificates/mozilla/{one}.crt"), f"-----BEGIN {one}-----".encode()) for one in ("b", "a")
        ]
        + [(member("./etc/passwd"), b"theirs")],
    }.items():
        file = deb(tmp_path / "cache" / "debs", name, members)
        found.append(Deb(name, "3.11.2-1", file.name, file.stat().st_size, f"pool/{name}.deb"))
    return Debs(tmp_path / "cache", BaseLock("debian", "bookworm", "amd64", tuple(sorted(found, key=lambda one: one.name))))


def test_a_base_is_what_installing_would_have_made(tmp_path):
    entries = {entry.path: entry for entry in arranged(base_of(tmp_path).entries())}
    assert {path: entries[path].target for path in ("bin", "sbin", "lib", "lib64")} == {
        "bin": "usr/bin",
        "sbin": "usr/sbin",
        "lib": "usr/lib",
        "lib64": "usr/lib64",
    }
    assert b"nonroot:x:65532:65532" in (entries["etc/passwd"].data or b"")
    assert entries["etc/ssl/certs/ca-certificates.crt"].data == b"-----BEGIN a-----\n-----BEGIN b-----\n"
    assert (entries["var/lib/dpkg/status.d/ca-certificates"].data or b"").startswith(b"Package: ca-certificates")
    assert entries["usr/lib/liba.so.1.0"].mode == 0o755


def test_a_base_is_the_same_in_another_cache(tmp_path):
    def read(entries: list[Entry]) -> list[tuple[object, ...]]:
        return [
            (one.path, one.type, one.mode, one.target, one.data or (one.source and Path(one.source).read_bytes()))
            for one in arranged(entries)
        ]

    (tmp_path / "elsewhere").mkdir()
    assert read(base_of(tmp_path).entries()) == read(base_of(tmp_path / "elsewhere").entries())


def test_a_base_that_is_a_hit_is_not_read(tmp_path):
    content = Debs(tmp_path / "nothing", LOCK).content(Compiler("3.11"))
    assert (content.kind, content.title) == ("base", "Debian bookworm, Python 3.11.2, 1 packages")
    assert not (tmp_path / "nothing").exists()


def test_entries_are_laid_out_as_files(tmp_path):
    lay_out(base_of(tmp_path).entries(), tmp_path / "root")
    assert (tmp_path / "root/lib/liba.so.1").read_bytes() == b"library"
    assert (tmp_path / "root/usr/share/zone/B").samefile(tmp_path / "root/usr/share/zone/A")
