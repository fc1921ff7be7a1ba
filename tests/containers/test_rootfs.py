"""Unpacking an image: layer over layer, and nothing outside the folder, whatever is written in it."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import layer_of, put

from lykeion.adapters.containers.rootfs import unpack_image, within
from lykeion.adapters.images.codecs import GZIP, PLAIN
from lykeion.adapters.images.store import Store
from lykeion.core.images.oci import Layer
from lykeion.errors import Corrupt, Invalid


def tar(*members, end: bytes = b"") -> bytes:
    """Of (name, what it is): bytes of a file, None for a folder, ">target" of a link, "=target" of a hard link, or a type of tarfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as written:
        for name, what in members:
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if what is None else 0o644
            if what is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(what, bytes) and len(what) == 1 and what in (tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.BLKTYPE):
                info.type = what
            elif isinstance(what, bytes):
                info.size = len(what)
            else:
                info.type, info.linkname = tarfile.SYMTYPE if what[0] == ">" else tarfile.LNKTYPE, what[1:]
            written.addfile(info, io.BytesIO(what) if isinstance(what, bytes) and info.isreg() else None)
    return buffer.getvalue() + end


@pytest.fixture
def unpacked(tmp_path):
    """Layers -> the folder that they make; what is beside it must stay as it is."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine")

    def unpack(*tars: bytes) -> Path:
        store = Store(tmp_path / "images")
        made = put(store, "x", *(layer_of(store, one, PLAIN if number % 2 else GZIP) for number, one in enumerate(tars)))
        try:
            unpack_image(store, made, str(tmp_path / ".beside"), str(tmp_path / "root"))
        finally:
            assert not (tmp_path / ".beside").exists()
            assert (tmp_path / "outside" / "file").read_text() == "mine"
            assert sorted(os.listdir(tmp_path / "outside")) == ["file"]
        return tmp_path / "root"

    return unpack


def names(root: Path, folder: str) -> list[str]:
    return sorted(os.listdir(root / folder))


def test_upper_layers_replace_and_hide_what_lower_ones_have(unpacked):
    root = unpacked(
        tar(("a/one", b"n1"), ("a/two", b"n2"), ("b/old", b"n3"), ("c", b"n4"), ("d/x", b"n5")),
        tar(
            ("a/.wh.one", b""), ("a/two", b"new"), ("b/new", b"n6"), ("b/.wh..wh..opq", b""), ("c", None), ("c/deep", b"n7"), (".wh.d", b"")
        ),
    )
    assert (names(root, "a"), names(root, "b"), names(root, "c")) == (["two"], ["new"], ["deep"])
    assert (root / "a/two").read_text() == "new"
    assert not (root / "d").exists()


def test_a_folder_that_is_a_link_below_is_written_through_the_link(unpacked):
    root = unpacked(tar(("usr/bin", None), ("bin", ">usr/bin"), ("sbin", ">/usr/bin")), tar(("bin/a", b"n1"), ("sbin/b", b"n2")))
    assert names(root, "usr/bin") == ["a", "b"]
    assert (root / "bin").is_symlink()


@pytest.mark.parametrize("name", ["../outside/x", "a/../../outside/x", "a/.wh...", ".wh..", "a/.wh."])
def test_names_that_lead_out_are_refused(unpacked, name):
    with pytest.raises(Invalid, match="cannot be unpacked"):
        unpacked(tar(("a/b", b"n1")), tar((name, b"n2")))


@pytest.mark.parametrize("link", [">../../outside", ">/../outside", ">../outside"])
def test_links_that_lead_out_are_followed_inside(unpacked, link):
    root = unpacked(tar(("way", link)), tar(("way/file", b"theirs")))
    assert (root / "outside" / "file").read_text() == "theirs"


def test_an_absolute_name_lies_below_the_root(unpacked):
    assert (unpacked(tar(("/outside/file", b"theirs"))) / "outside/file").read_text() == "theirs"


@pytest.mark.parametrize("target", ["=../outside/file", "=/outside/file", "=nothing", "=a/..", "=link"])
def test_hard_links_to_anything_but_a_file_of_the_image_are_refused(unpacked, target):
    with pytest.raises(Invalid, match="hard link"):
        unpacked(tar(("a", None), ("link", ">/outside/file"), ("b", target)))


def test_links_in_a_circle_are_refused(unpacked):
    with pytest.raises(Invalid, match="circle"):
        unpacked(tar(("a", ">b"), ("b", ">a")), tar(("a/file", b"")))


def test_a_file_is_no_folder(unpacked):
    with pytest.raises(Invalid, match="no folder"):
        unpacked(tar(("a", b"n1"), ("a/b", b"n2")))


def test_devices_and_pipes_are_left_out_and_nobody_becomes_anybody(unpacked):
    root = unpacked(tar(("null", tarfile.CHRTYPE), ("disk", tarfile.BLKTYPE), ("pipe", tarfile.FIFOTYPE), ("su", b"x")))
    assert not {"null", "disk", "pipe"} & set(names(root, "."))
    assert (root / "su").stat().st_mode & 0o7000 == 0


def test_places_of_mounts_are_there_and_lead_nowhere_else(unpacked):
    root = unpacked(tar(("proc", ">/outside"), ("etc/resolv.conf", ">/outside/file"), ("tmp", b"a file")))
    assert all((root / name).is_dir() and not (root / name).is_symlink() for name in ("proc", "tmp", "dev", "lykeion"))
    assert (root / "etc/resolv.conf").is_file()
    assert not (root / "etc/resolv.conf").is_symlink()


@pytest.mark.parametrize("broken", [b"\x1f\x8bnothing", tar(("a", b"1" * 600))[:700], b"x" * 2048], ids=["gzip", "cut", "noise"])
def test_what_is_no_tar_is_corrupt_and_leaves_nothing(unpacked, broken):
    with pytest.raises(Corrupt, match="cannot be unpacked"):
        unpacked(broken)


def test_a_layer_that_unpacks_to_something_else_than_its_image_says_is_corrupt(tmp_path):
    store = Store(tmp_path / "images")
    layer = layer_of(store, tar(("a", b"n1")))
    made = put(store, "x", Layer(layer.descriptor, f"sha256:{'0' * 64}"))
    with pytest.raises(Corrupt, match="unpacks to"):
        unpack_image(store, made, str(tmp_path / "beside"), str(tmp_path / "root"))
    assert not (tmp_path / "root").exists()


def test_bytes_behind_the_last_entry_count_for_the_digest(unpacked):
    assert (unpacked(tar(("a", b"n1"), end=bytes(20480))) / "a").read_bytes() == b"n1"


PARTS = st.sampled_from(["a", "b", "link", "..", ".", "", "up", "out"])


@settings(max_examples=200)
@given(st.lists(PARTS, max_size=8))
def test_no_path_leads_out_of_its_root(tmp_path_factory, parts):
    base = tmp_path_factory.getbasetemp() / "within"
    if not base.exists():
        (base / "root/a/b").mkdir(parents=True)
        for name, target in (("link", "a"), ("up", "../.."), ("out", "/../../etc")):
            (base / "root" / name).symlink_to(target)
            (base / "root/a" / name).symlink_to(target)
    assert f"{within(str(base / 'root'), '/'.join(parts))}/".startswith(f"{base}/root/")
