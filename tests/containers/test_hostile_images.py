"""Images that somebody made to do harm, or by a broken tool: refused with what is wrong, and nothing of them stays."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import layer_of, put

from lykeion.adapters.containers.images import Root
from lykeion.adapters.containers.launch import NOBODY
from lykeion.adapters.containers.rootfs import unpack_image
from lykeion.adapters.images.codecs import PLAIN, unpack
from lykeion.adapters.images.elf import Libraries
from lykeion.adapters.images.store import Store
from lykeion.core.content import digest_of
from lykeion.core.images.oci import TAR, TAR_GZIP, TAR_ZSTD, Layer, start_of
from lykeion.errors import Corrupt, Invalid, LykeionError

MEBI = 1 << 20


def tar(*infos: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format, encoding="utf-8", errors="surrogateescape") as written:
        for info in infos:
            written.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "", **headers: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.pax_headers = kind, size, target, headers
    return info


@pytest.fixture
def unpacked(tmp_path):
    """Layers -> the folder that they make; after a refusal there is nothing."""

    def unpack(*tars: bytes) -> Path:
        store = Store(tmp_path / "images")
        made = put(store, "x", *(layer_of(store, one, PLAIN) for one in tars))
        try:
            unpack_image(store, made, str(tmp_path / ".beside"), str(tmp_path / "root"))
        finally:
            assert not (tmp_path / ".beside").exists()
        return tmp_path / "root"

    return unpack


# too much -----------------------------------------------------------------------------------------------------------------------


def sparse(size: int) -> bytes:
    """A file of some kilobytes in a tar that says it has `size` bytes, all but the first of them zeros (PAX, GNU sparse 1.0)."""
    about = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "huge", "GNU.sparse.realsize": str(size)}
    info = member("GNUSparseFile.0/huge", **about)
    data = b"2\n0\n1\n%d\n0\n" % size
    body = data.ljust(512, b"\0") + b"x".ljust(512, b"\0")
    info.size = 513
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as written:
        written.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def test_a_file_of_more_bytes_than_the_disk_has_is_refused_before_it_is_written(unpacked):
    with pytest.raises(Invalid, match=r"huge cannot be unpacked: it has \d+ bytes, and the disk"):
        unpacked(sparse(1 << 50))


def test_a_file_of_more_bytes_than_are_free_is_a_full_disk(unpacked, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1 << 40, 1 << 40, MEBI))
    with pytest.raises(OSError, match=r"No space|has 1048577 bytes, and 1048576 are free"):
        unpacked(sparse(MEBI + 1))


def test_a_sparse_file_has_the_bytes_that_it_says(unpacked):
    assert (unpacked(sparse(5000)) / "huge").read_bytes() == b"x" + bytes(4999)


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_a_sparse_file_of_tar_is_read(unpacked, tmp_path, form):
    with (tmp_path / "file").open("wb") as file:
        file.write(b"a")
        file.seek(3 * MEBI)
        file.write(b"z")
    command = ["tar", "--sparse", f"--format={form}", "-C", str(tmp_path), "-cf", "-", "file"]
    packed = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(packed) < MEBI
    assert (unpacked(packed) / "file").read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize(
    ("media_type", "packed"),
    [(TAR_ZSTD, zstandard.ZstdCompressor(level=19).compress(bytes(64 * MEBI))), (TAR_GZIP, zlib.compress(bytes(64 * MEBI), 9, wbits=31))],
)
def test_what_was_packed_very_small_is_unpacked_in_small_pieces(media_type, packed):
    """A kilobyte of zstd may hold a gigabyte."""
    pieces = [len(piece) for piece in unpack(media_type, [packed])]
    assert sum(pieces) == 64 * MEBI
    assert max(pieces) <= MEBI


def test_a_layer_of_many_gzip_members_is_whole(tmp_path):
    """As eStargz and parallel gzip write them."""
    store, data = Store(tmp_path / "images"), tar(member("a", size=3000), member("b", size=70_000))
    packed = b"".join(zlib.compress(data[at : at + 1000], wbits=31) for at in range(0, len(data), 1000))
    for chunks in ([packed], [packed[at : at + 7] for at in range(0, len(packed), 7)]):
        assert b"".join(unpack(TAR_GZIP, chunks)) == data
    layer = Layer(store.add([packed], TAR_GZIP), layer_of(store, data, PLAIN).diff_id)
    unpack_image(store, put(store, "x", layer), str(tmp_path / ".beside"), str(tmp_path / "root"))
    assert (tmp_path / "root" / "b").stat().st_size == 70_000


# names --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "told"),
    [
        (member("n" * 256), "its name is too long"),
        (member("/".join(["n" * 200] * 21)), "its name is too long"),
        (member("/".join("d" * 251)), "more than 250 folders deep"),
        (member("/".join("d" * 2000)), "more than 250 folders deep"),
        (member("x", path="a\0b"), "null"),
        (member("x", tarfile.SYMTYPE, linkpath="a\0b"), "null"),
        (member("link", tarfile.SYMTYPE, target=""), "a link to nothing"),
        (member("link", tarfile.SYMTYPE, target="t" * 5000), "its name is too long"),
    ],
    ids=["a long part", "a long path", "deep", "very deep", "a zero byte", "a link with a zero byte", "an empty link", "a long link"],
)
def test_names_that_no_file_system_has_are_refused_with_the_name(unpacked, info, told):
    with pytest.raises(Invalid, match=f"cannot be unpacked: .*{told}"):
        unpacked(tar(member("before", size=1)), tar(info))


def test_links_do_not_help_to_get_deeper(unpacked):
    deep = "/".join("d" * 200)
    with pytest.raises(Invalid, match="folders deep"):
        unpacked(tar(member(deep, tarfile.DIRTYPE), member("way", tarfile.SYMTYPE, target=deep), member(f"way/{deep}/file")))


def test_names_are_bytes_and_those_that_differ_in_case_or_form_are_different_files(unpacked):
    names = ["caf\udce9", "café", "cafe\u0301", "CAFÉ", " ", "-rf", "a\nb", "\\", "con"]
    root = unpacked(tar(*(member(name, size=number) for number, name in enumerate(names)), format=tarfile.GNU_FORMAT))
    assert {name: (root / name).stat().st_size for name in names} == {name: number for number, name in enumerate(names)}


FOLDERS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map("/".join)
FILES = st.builds("{}/{}".format, FOLDERS, st.sampled_from(["f", "g"]))
ENTRIES = st.lists(
    st.tuples(st.just("file"), FILES) | st.tuples(st.just("gone"), FILES | FOLDERS) | st.tuples(st.just("opaque"), FOLDERS),
    max_size=8,
    unique=True,
)


def written(kind: str, path: str, number: int) -> tarfile.TarInfo:
    """An entry of layer `number`, whose files have so many bytes."""
    folder, _, name = path.rpartition("/")
    hidden = {"gone": f"{folder}/.wh.{name}", "opaque": f"{path}/.wh..wh..opq"}
    return member(hidden.get(kind, path), size=number if kind == "file" else 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=4))
def test_files_are_hidden_from_layers_below_alone_in_whatever_order_entries_come(tmp_path_factory, layers):
    wanted: dict[str, int] = {}
    for number, entries in enumerate(layers):
        gone = {f"{path}/" for kind, path in entries if kind == "gone"}
        opaque = {f"{path}/" for kind, path in entries if kind == "opaque"}
        wanted = {path: of for path, of in wanted.items() if not any(f"{path}/".startswith(one) for one in gone | opaque)}
        wanted |= {path: number for kind, path in entries if kind == "file"}
    home = tmp_path_factory.mktemp("over")
    store = Store(home / "images")
    tars = (tar(*(written(kind, path, number) for kind, path in entries)) for number, entries in enumerate(layers))
    unpack_image(store, put(store, "x", *(layer_of(store, one, PLAIN) for one in tars)), str(home / ".beside"), str(home / "root"))
    assert {path.relative_to(home / "root").as_posix(): path.stat().st_size for path in (home / "root").rglob("[fg]")} == wanted


# damage, and how it is started --------------------------------------------------------------------------------------------------


def test_a_damaged_layer_goes_when_it_is_found_so_that_pulling_again_helps(tmp_path):
    store = Store(tmp_path / "images")
    layer = layer_of(store, tar(member("a", size=1000)))
    made = put(store, "x", layer)
    path = store.path(layer.descriptor.digest)
    data = path.read_bytes()
    os.chmod(path, 0o644)
    path.write_bytes(data[:-4] + bytes(4))
    with pytest.raises(Corrupt, match="pull or build the image again"):
        unpack_image(store, made, str(tmp_path / ".beside"), str(tmp_path / "root"))
    assert not store.has(layer.descriptor.digest)
    layer_of(store, tar(member("a", size=1000)))
    unpack_image(store, made, str(tmp_path / ".beside"), str(tmp_path / "root"))
    assert (tmp_path / "root" / "a").stat().st_size == 1000


@pytest.mark.parametrize("data", [b"\x1f\x8bnothing", tar(member("a", size=2000))[:1200], b"x" * 2048], ids=["gzip", "cut", "noise"])
def test_a_base_whose_layer_cannot_be_read_is_said_when_libraries_are_looked_for(tmp_path, data):
    store = Store(tmp_path / "images")
    media_type = TAR_GZIP if data.startswith(b"\x1f") else TAR
    blob = store.add([data], media_type)
    with pytest.raises(Corrupt, match=r"cannot be unpacked: .*; pull or build the image again"):
        Libraries(store).missing([Layer(blob, blob.digest)])


SOUND = tar(
    member("usr", tarfile.DIRTYPE),
    member("usr/a", size=700),
    member("usr/b", tarfile.SYMTYPE, target="a"),
    member("usr/c", tarfile.LNKTYPE, target="usr/a"),
    member("usr/" + "n" * 120, size=3, note="x"),
)
PACKED = {"none": SOUND, "gzip": zlib.compress(SOUND, wbits=31), "zstd": zstandard.ZstdCompressor().compress(SOUND)}
MEDIA_TYPES = {"none": TAR, "gzip": TAR_GZIP, "zstd": TAR_ZSTD}


def test_a_header_as_long_as_no_machine_can_count_is_damage(unpacked):
    record = b"50 note=" + b"x" * 41 + b"\n"
    sound = tar(member("file", note="x" * 41))
    assert record in sound
    with pytest.raises(Corrupt, match="cannot be unpacked"):
        unpacked(sound.replace(record, b"9" * 30 + b" note=" + b"x" * 13 + b"\n"))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(PACKED)), st.data())
def test_any_change_of_a_layer_is_refused_and_leaves_nothing(tmp_path_factory, codec, data):
    """As a registry would give it whose digests are right: what it unpacks to is not what the image says."""
    raw = bytearray(PACKED[codec])
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    raw = raw[: data.draw(st.integers(at, len(raw)) | st.just(len(raw)))]
    home = tmp_path_factory.mktemp("changed")
    store = Store(home / "images")
    blob = store.add([bytes(raw)], MEDIA_TYPES[codec])
    made = put(store, "x", Layer(blob, digest_of(SOUND)))
    try:
        unpack_image(store, made, str(home / ".beside"), str(home / "root"))
        assert b"".join(unpack(MEDIA_TYPES[codec], [bytes(raw)])) == SOUND  # of a header that says nothing, or a checksum
    except (Corrupt, Invalid):
        assert os.listdir(home) == ["images"]


def rooted(tmp_path: Path, **said: object) -> Root:
    (tmp_path / "root/etc").mkdir(parents=True, exist_ok=True)
    (tmp_path / "root/etc/passwd").write_text("root:x:0:0::/:/bin/sh\nme:x:1000:1001::/:\nminus:x:-1:-1::/:\nhalf:x:7\nwords:x:a:b::/:\n")
    (tmp_path / "root/etc/group").write_text("us:x:2000:\n")
    return Root(tmp_path / "root", start_of(json.dumps({"config": said}).encode()))


@pytest.mark.parametrize(
    ("user", "ids"),
    [
        ("", (NOBODY, NOBODY)),
        ("0", (NOBODY, NOBODY)),
        ("root", (NOBODY, NOBODY)),
        ("0:us", (NOBODY, NOBODY)),
        (":us", (NOBODY, NOBODY)),
        ("1234", (1234, 1234)),
        ("1234:0", (1234, 1234)),
        ("me", (1000, 1001)),
        ("me:us", (1000, 2000)),
        ("me:7", (1000, 7)),
        ("4294967294", (4294967294, 4294967294)),
    ],
)
def test_nobody_is_root_and_users_are_those_of_the_image(tmp_path, user, ids):
    assert rooted(tmp_path, User=user).user == ids


@pytest.mark.parametrize(
    "user", ["4294967295", "9" * 30, "7:4294967295", "minus", "half", "words", "them", "me:them", "me:9999999999", "-5", "../x"]
)
def test_a_user_that_nobody_can_be_is_refused(tmp_path, user):
    with pytest.raises(Invalid, match="the image runs as"):
        assert rooted(tmp_path, User=user).user


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["Env", "Cmd", "Entrypoint", "User", "WorkingDir"])


@settings(max_examples=200)
@given(JSON | st.dictionaries(NAMES, JSON | st.lists(st.text(max_size=5), max_size=3), max_size=5))
def test_whatever_a_config_says_of_how_it_is_started_it_is_understood_or_refused(tmp_path_factory, said):
    root = tmp_path_factory.getbasetemp() / "started"
    root.mkdir(exist_ok=True)
    try:
        started = Root(root, start_of(json.dumps({"config": said}).encode()))
        assert all(isinstance(value, str) for value in started.env.values())
        assert started.working_folder.startswith("/") or (root / started.working_folder).is_dir()
        assert all(isinstance(number, int) and 0 < number < 2**32 for number in started.user)
        assert started.command(())
    except LykeionError:
        return
