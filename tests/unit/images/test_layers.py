"""A layer is the same bytes wherever it is made, is read by every tar, and is made once."""

import io
import os
import shutil
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.adapters.images.codecs import CODECS, GZIP, PLAIN, ZSTD, codec_named, unpack
from lykeion.adapters.images.layers import find, layer_key, make
from lykeion.adapters.images.store import Store
from lykeion.adapters.images.tar import header, stream
from lykeion.core.content import digest_of
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.tree import arranged, parents
from lykeion.errors import Corrupt, Invalid


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "images")


def tar_of(*entries: Entry) -> bytes:
    return b"".join(stream(arranged(entries)))


def content(*entries: Entry, kind: str = "code", key: str = "sha256:aa", title: str = "/app") -> Content:
    return Content(kind, title, key, lambda: entries)


def opened(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data))


contents = st.dictionaries(st.text("abcé", min_size=1, max_size=120), st.binary(max_size=2000), max_size=8)


@given(contents)
def test_any_files_are_read_back_by_pythons_tarfile(files):
    with opened(tar_of(*(Entry(path, data=data) for path, data in files.items()))) as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == files
        assert {(member.uid, member.gid, member.mtime, member.uname) for member in tar} <= {(0, 0, 0, "")}


PARTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=90).filter(
    lambda part: part not in (".", "..")
)
PATHS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
MODES = st.sampled_from([0o644, 0o755, 0o600, 0o1777])
ANY = st.one_of(
    st.builds(Entry, PATHS, data=st.binary(max_size=1500), mode=MODES),
    st.builds(Entry, PATHS, st.just("folder"), MODES),
    st.builds(Entry, PATHS, st.just("link"), target=PATHS | PATHS.map("/{}".format) | PATHS.map("../{}".format)),
)


@given(st.lists(ANY, max_size=8))
def test_any_entries_are_read_back_by_pythons_tarfile_as_they_were_said(entries):
    try:
        wanted = arranged(entries)
    except Invalid:
        return
    types = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link"}
    with opened(b"".join(stream(wanted))) as tar:
        read = [(member.name, types[member.type], member.linkname, member.size) for member in tar]
        modes = {member.name: member.mode for member in tar if not member.issym()}
    assert read == [(one.path, one.type, one.target, len(one.data or b"")) for one in wanted]
    assert modes == {one.path: one.mode for one in wanted if one.type != "link"}


@given(st.builds(Entry, PATHS, source=st.just("elsewhere")), st.integers(0, 1 << 45))
def test_files_of_any_size_have_a_header_that_tarfile_reads(entry, size):
    """Without the bytes: more than 8 GiB need a header of another form."""
    written = header(entry, size)
    assert len(written) % 512 == 0
    with tarfile.open(fileobj=io.BytesIO(written), mode="r|") as tar:
        member = tar.next()
    assert (member.name, member.size, member.type, member.mtime, member.uid) == (entry.path, size, tarfile.REGTYPE, 0, 0)


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
@settings(max_examples=20, deadline=None)
@given(st.lists(ANY, max_size=6))
def test_gnu_tar_unpacks_the_same(tmp_path_factory, entries):
    try:
        wanted = [entry for entry in arranged(entries) if entry.type != "link" or not entry.target.startswith("/")]
    except Invalid:
        return
    links = {entry.path for entry in wanted if entry.type == "link"}
    wanted = [entry for entry in wanted if not links.intersection(parents(entry.path))]  # what lies below one is elsewhere
    folder = tmp_path_factory.mktemp("gnu")
    command = ["tar", "-x", "--no-same-owner", "-C", str(folder), "-f", "-"]
    subprocess.run(command, input=b"".join(stream(wanted)), check=True, env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]})
    for entry in wanted:
        path = folder / entry.path
        if entry.type == "file":
            assert path.read_bytes() == entry.data
        elif entry.type == "link":
            assert os.readlink(path) == entry.target
        else:
            assert path.is_dir()


def test_files_links_and_modes_are_what_was_said(tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(3_000_001))
    entries = [
        Entry("bin/run", mode=0o755, data=b"#!"),
        Entry("big", source=str(tmp_path / "big"), size=3_000_001),
        Entry("lib", "link", target="usr/lib"),
        Entry("twin", "hardlink", target="bin/run"),
        Entry("empty", data=b""),
        Entry("tmp", "folder", 0o1777),
    ]
    with opened(tar_of(*entries)) as tar:
        found = {member.name: member for member in tar}
        assert tar.extractfile("big").read() == (tmp_path / "big").read_bytes()
    assert (found["bin/run"].mode, found["tmp"].mode, found["bin"].mode) == (0o755, 0o1777, 0o755)
    assert found["lib"].issym()
    assert found["lib"].linkname == "usr/lib"
    assert found["twin"].islnk()
    assert found["empty"].size == 0


def test_no_piece_of_a_tar_is_much_larger_than_a_mebibyte(tmp_path):
    (tmp_path / "big").write_bytes(bytes(5 << 20))
    made = stream(
        arranged([Entry("big", source=str(tmp_path / "big"), size=5 << 20), *(Entry(f"{n}", data=bytes(4000)) for n in range(900))])
    )
    assert max(map(len, made)) < (1 << 20) + 8192


@pytest.mark.parametrize("now", [b"", b"longer than it was"])
def test_a_file_that_changes_while_it_is_packed_is_told(tmp_path, now):
    (tmp_path / "file").write_bytes(now)
    with pytest.raises(Corrupt, match="changed while the image was built"):
        tar_of(Entry("file", source=str(tmp_path / "file"), size=5))


def test_a_file_with_other_bytes_of_the_same_length_is_told(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"new")
    entry = Entry("weights", source=str(file), size=3, sha256=sha256(b"old").hexdigest())
    with pytest.raises(Corrupt, match="changed while the image was built"):
        b"".join(stream([entry]))


def test_a_file_that_cannot_be_read_is_told_with_its_name(tmp_path):
    with pytest.raises(Corrupt, match="gone cannot be read"):
        tar_of(Entry("file", source=str(tmp_path / "gone"), size=5))


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(data=st.lists(st.binary(max_size=3000), max_size=5))
def test_what_a_codec_packs_is_unpacked_again(codec, data):
    packed = b"".join(codec.pack(data))
    assert b"".join(unpack(codec.media_type, [packed[at : at + 7] for at in range(0, len(packed), 7)])) == b"".join(data)


@pytest.mark.parametrize("codec", [ZSTD, GZIP], ids=["zstd", "gzip"])
def test_packing_twice_gives_the_same_bytes_without_a_time(codec):
    data = [os.urandom(5000), bytes(2_000_000), os.urandom(400_000)]
    packed = b"".join(codec.pack(data))
    assert packed == b"".join(codec.pack(data))
    assert codec is not GZIP or packed[4:8] == bytes(4)


def test_several_frames_of_zstd_are_one_layer():
    packed = b"".join(ZSTD.pack([b"one"])) + b"".join(ZSTD.pack([b"two"]))
    assert b"".join(unpack("application/vnd.docker.image.rootfs.diff.tar.zstd+zstd", [packed])) == b"onetwo"


def test_an_unknown_codec_or_layer_is_refused():
    with pytest.raises(Invalid, match="use one of zstd, gzip, none"):
        codec_named("lzma")
    with pytest.raises(Invalid, match="is no layer"):
        list(unpack("application/json", [b"{}"]))


def test_a_layer_is_made_once_and_found_by_its_key(store):
    first = make(content(Entry("a", data=b"1")), ZSTD, store)
    again = make(Content("code", "/app", "sha256:aa", lambda: pytest.fail("it was asked for its entries")), ZSTD, store)
    assert (first.hit, again.hit) == (False, True)
    assert first.layer == again.layer
    assert first.layer.kind == "code"
    assert digest_of(b"".join(unpack(first.layer.descriptor.media_type, store.read(first.layer.descriptor.digest)))) == first.layer.diff_id


def test_another_key_codec_or_kind_is_another_layer():
    keys = {
        layer_key(content(), ZSTD),
        layer_key(content(), GZIP),
        layer_key(content(key="sha256:bb"), ZSTD),
        layer_key(content(kind="platform"), ZSTD),
    }
    assert len(keys) == 4


def test_what_a_layer_is_called_is_no_part_of_its_key(store):
    make(content(Entry("a", data=b"1"), title="before"), ZSTD, store)
    found = find(content(title="after"), ZSTD, store)
    assert found is not None
    assert found.title == "after"


def test_a_models_layer_is_never_packed(store):
    made = make(content(Entry("model/a", data=bytes(10_000)), kind="model"), ZSTD, store)
    assert made.layer.descriptor.media_type == PLAIN.media_type
    assert made.layer.descriptor.digest == made.layer.diff_id


def test_the_same_files_elsewhere_at_another_time_and_mode_are_the_same_layer(store, tmp_path):
    layers = []
    for name, mode, when in (("here", 0o644, 1), ("there", 0o600, 2_000_000_000)):
        (tmp_path / name).mkdir()
        place = tmp_path / name / "x.py"
        place.write_bytes(b"print()\n")
        place.chmod(mode)
        os.utime(place, (when, when))
        layers.append(make(content(Entry("app/x.py", source=str(place), size=8), key=f"sha256:{name}"), ZSTD, store).layer)
    assert layers[0] == layers[1]
