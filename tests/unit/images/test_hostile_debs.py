"""Debian packages that were damaged or made to do harm: refused with the package, or read as far as they are harmless. Nothing hangs."""

import os
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from deb_writer import PACK, archive, deb, member, named, tar
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.adapters.images.deb_files import LARGEST, unpacked
from lykeion.adapters.images.debs import lay_out
from lykeion.core.images.debs import parse_base_lock
from lykeion.core.images.entries import Entry
from lykeion.core.images.tree import arranged
from lykeion.errors import Corrupt, Invalid

FILES = [(member("./usr/lib/liba.so"), b"library" * 300), (member("./usr/lib/libb.so", tarfile.SYMTYPE, target="liba.so"), b"")]
CONTROL = PACK[""](tar([(member("./control"), b"Package: a\nVersion: 1\n")]))


def whole(packing: str) -> bytes:
    with TemporaryDirectory() as folder:
        return deb(Path(folder), "a", FILES, packing).read_bytes()


WHOLE = {packing: whole(packing) for packing in PACK}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PACK)), st.data())
def test_any_change_of_a_package_is_refused_or_harmless(packing, data):
    """As a mirror would send it whose digest somebody has locked: never another error, and never a file out of its folder."""
    raw = bytearray(WHOLE[packing])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)) | st.just(len(raw)))]
    with TemporaryDirectory() as folder:
        try:
            _, entries = unpacked(named(Path(folder) / "debs", bytes(raw)), Path(folder) / "to")
        except Corrupt:
            assert os.listdir(folder) == ["debs"]
            return
        assert all(Path(one.source).resolve().is_relative_to(Path(folder) / "to") for one in entries if one.source)
        try:
            arranged(entries)
        except Invalid:
            return


@pytest.mark.timeout(20)
@pytest.mark.parametrize("size", ["-60", "-61", "-8", "1e3", "many", ""])
def test_a_member_of_no_size_is_refused(tmp_path, size):
    header = f"{'debian-binary':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode()
    with pytest.raises(Corrupt, match="no Debian package that can be read"):
        unpacked(named(tmp_path / "debs", b"!<arch>\n" + header), tmp_path / "a")


def test_a_package_of_more_than_any_package_has_is_refused_before_it_is_written(tmp_path):
    """A sparse file or zeros, which take no room in the package."""
    info = member("./usr/huge")
    info.size = LARGEST + 1
    data = PACK[".xz"](info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(Corrupt, match="it holds more than 4 GiB"):
        unpacked(named(tmp_path / "debs", archive({"control.tar": CONTROL, "data.tar.xz": data})), tmp_path / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["debs"]


def test_a_control_file_without_an_end_is_not_read(tmp_path):
    control = PACK[".xz"](tar([(member("./control"), b"x" * (2 << 20))]))
    with pytest.raises(Corrupt, match="it has no control and data"):
        unpacked(named(tmp_path / "debs", archive({"control.tar.xz": control, "data.tar": PACK[""](tar(FILES))})), tmp_path / "a")


@pytest.mark.parametrize("packing", [".lz4", ".bz2", ".xz.xz", "x"])
def test_a_packing_that_is_not_known_is_named(tmp_path, packing):
    with pytest.raises(Corrupt, match=f"it is packed with {packing}, which is not known here"):
        unpacked(named(tmp_path / "debs", archive({"control.tar": CONTROL, f"data.tar{packing}": b"x"})), tmp_path / "a")


@pytest.mark.parametrize("target", ["../../../etc/passwd", "/etc/passwd", "./usr/lib/gone", "usr/lib/libb.so"])
def test_a_hard_link_to_what_is_no_file_of_the_base_gets_into_no_image(tmp_path, target):
    package = deb(tmp_path / "debs", "a", [*FILES, (member("./usr/lib/twin", tarfile.LNKTYPE, target=target), b"")])
    _, entries = unpacked(package, tmp_path / "a")
    with pytest.raises(Invalid, match="it is a hard link to"):
        arranged(entries)


def test_names_that_are_not_utf_8_and_names_without_end_get_into_no_image(tmp_path):
    odd = [(member("./usr/caf\udce9"), b"x"), (member("./usr/" + "n" * 300), b"x")]
    _, entries = unpacked(deb(tmp_path / "debs", "a", [*FILES, *odd]), tmp_path / "a")
    with pytest.raises(Invalid) as refused:
        arranged(entries)
    assert [problem.message.partition(": ")[2] for problem in refused.value.problems] == [
        "its name is not UTF-8",
        "its name is too long: 255 bytes a part and 4095 in all fit",
    ]


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_bytes_that_changed_in_the_middle_of_what_is_packed_are_told(tmp_path, packing):
    numbers = b"".join(b"%d %d\n" % (n, n * n) for n in range(40_000))
    raw = bytearray(deb(tmp_path / "whole", "a", [*FILES, (member("./usr/numbers"), numbers)], packing).read_bytes())
    for at in range(len(raw) // 2, len(raw) // 2 + 1000):
        raw[at] ^= 0xFF
    with pytest.raises(Corrupt, match="no Debian package that can be read"):
        unpacked(named(tmp_path / "debs", bytes(raw)), tmp_path / "a")


@pytest.mark.parametrize("target", ["TMP/outside", "../outside", "../../../../../../../../../../tmp"])
def test_a_file_below_a_link_is_not_laid_out_where_the_link_leads(tmp_path, target):
    """A base is also a folder on this machine, whose Python compiles."""
    (tmp_path / "outside").mkdir()
    odd = [Entry("way", "link", target=target.replace("TMP", str(tmp_path))), Entry("way/lykeion-test", data=b"theirs")]
    with pytest.raises(Corrupt, match="/way/lykeion-test lies below a link that leads out of the base"):
        lay_out(odd, tmp_path / "root")
    assert list((tmp_path / "outside").iterdir()) == []
    assert not Path("/tmp/lykeion-test").exists()


def test_a_file_below_a_link_that_stays_inside_is_laid_out_there(tmp_path):
    lay_out([Entry("usr/bin", "folder"), Entry("bin", "link", target="usr/bin"), Entry("bin/python", data=b"python")], tmp_path / "root")
    assert (tmp_path / "root/usr/bin/python").read_bytes() == b"python"


def test_a_hard_link_out_of_the_base_is_not_laid_out(tmp_path):
    (tmp_path / "secret").write_text("of this machine")
    with pytest.raises(Invalid, match="no file of this layer"):
        lay_out([Entry("twin", "hardlink", target="../secret")], tmp_path / "root")


LINES = st.lists(
    st.sampled_from(["debian bookworm amd64", "debian", "# x", "", "a=1 sha256:" + "1" * 64 + " 5 p.deb", "a=1 sha256:" + "1" * 64])
    | st.text(max_size=20)
    | st.from_regex(r"[a-z]{2,3}=[0-9.]{1,3} sha256:[0-9a-f]{64} [0-9]{1,9} [./a-z]{1,9}\.deb", fullmatch=True),
    max_size=6,
).map("\n".join)


@given(LINES)
def test_any_text_is_the_lock_of_a_base_or_refused_line_by_line(text):
    try:
        lock = parse_base_lock(text, "base.lock")
    except Invalid as refused:
        told = [problem.line for problem in refused.problems]
    else:
        told = []
        assert parse_base_lock(lock.text) == lock
        assert not any(deb.path.startswith("/") or ".." in deb.path.split("/") for deb in lock.debs)
    assert told == sorted(told, key=lambda line: line or 10**9)


def test_a_size_of_thousands_of_digits_is_refused(tmp_path):
    text = f"debian bookworm amd64\npython3.11-minimal=3.11.2 sha256:{'1' * 64} {'9' * 5000} pool/p.deb\n"
    with pytest.raises(Invalid, match=r"base\.lock:2: it is no package of a base"):
        parse_base_lock(text, "base.lock")
