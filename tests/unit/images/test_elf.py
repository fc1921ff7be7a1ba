"""Native libraries: what ELF files ask for, whatever their form, and what of it is missing in an image."""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import which

import pytest
from elf_writer import elf
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.images.build import build
from lykeion.adapters.images.codecs import CODECS
from lykeion.adapters.images.elf import Libraries, read_natives
from lykeion.adapters.images.layers import make
from lykeion.adapters.images.recipes import Recipe
from lykeion.adapters.images.store import Store
from lykeion.core.images.elf import Elf, Natives, debian_package, missing, read_elf
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.oci import Settings

SITE = "opt/lykeion/site-packages"
SYSTEM = "usr/lib/x86_64-linux-gnu"
libraries = st.lists(st.from_regex(r"lib[a-z0-9+_.-]{1,12}\.so(\.[0-9]{1,2}){0,2}", fullmatch=True), max_size=5)


def read(data: bytes) -> Elf | None:
    return read_elf(lambda offset, size: data[offset : offset + size])


@given(
    libraries,
    st.from_regex(r"[a-z]{0,5}", fullmatch=True),
    st.lists(st.sampled_from(["$ORIGIN", "/lib", "${ORIGIN}/../x"]), max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_what_a_file_asks_for_is_read_in_either_width_and_byte_order(needed, soname, paths, wide, big):
    assert read(elf(needed, soname, ":".join(paths), wide=wide, big=big)) == Elf("x86_64", tuple(needed), soname, tuple(paths))


def test_runpath_counts_before_rpath():
    assert read(elf(runpath="/a", rpath="/b")) == Elf("x86_64", paths=("/a",))
    assert read(elf(rpath="/b")) == Elf("x86_64", paths=("/b",))


@given(st.data(), st.booleans())
def test_a_file_that_was_cut_off_or_damaged_is_broken_or_none(data, wide):
    whole = bytearray(elf(["libc.so.6", "libm.so.6"], "liba.so.1", "$ORIGIN", wide=wide))
    for _ in range(data.draw(st.integers(0, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    with suppress(ValueError):  # and nothing else
        read(cut)


@given(st.binary(max_size=80))
def test_other_files_are_none(data):
    assert read(b"#!" + data) is None


def test_object_files_and_static_programs_are_none():
    relocatable = bytearray(elf())
    relocatable[16] = 1
    assert read(bytes(relocatable)) is None
    static = bytearray(elf())
    static[64 + 56] = 4  # a note in place of the dynamic section
    assert read(bytes(static)) is None


@pytest.mark.skipif(not which("readelf"), reason="needs readelf (binutils)")
def test_real_libraries_are_read_as_readelf_reads_them():
    files = [Path(sys.executable).resolve(), *sorted(Path(__import__("numpy").__file__).parent.rglob("*.so"))[:20]]
    for file in files:
        said = subprocess.run(["readelf", "-d", "-W", str(file)], capture_output=True, text=True, check=True).stdout
        found = read(file.read_bytes())
        assert found is not None
        assert list(found.needed) == re.findall(r"\(NEEDED\).*\[(.*)\]", said)
        assert list(found.paths) == [one for text in re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", said) for one in text.split(":")]


def told(files: dict[str, Elf], links: dict[str, str] | None = None) -> list[tuple[str, tuple[str, ...], str]]:
    return [(one.library, one.needed_by, one.package) for one in missing([Natives(files, links or {})])]


def test_a_library_that_nobody_brings_is_told_with_who_needs_it_and_whose_it_is():
    files = {f"{SITE}/cv2/cv2.abi3.so": Elf("x86_64", ("libGL.so.1", "libc.so.6")), f"{SYSTEM}/libc.so.6": Elf("x86_64")}
    assert told(files) == [("libGL.so.1", (f"{SITE}/cv2/cv2.abi3.so",), "libgl1")]
    (one,) = missing([Natives(files)])
    assert str(one) == (
        f"libGL.so.1, which /{SITE}/cv2/cv2.abi3.so needs, is not in the image: add the Debian package libgl1 to the base, unless you never use it"
    )


@pytest.mark.parametrize(
    ("paths", "where"),
    [
        (("$ORIGIN",), f"{SITE}/a/liba.so.1"),
        (("${ORIGIN}/../../b/lib",), f"{SITE[:-14]}/b/lib/liba.so.1"),
        (("/nowhere", "$ORIGIN/../b.libs"), f"{SITE}/b.libs/liba.so.1"),
        (("/opt/x",), "opt/x/liba.so.1"),
        ((), f"{SYSTEM}/liba.so.1"),
        ((), "lib64/liba.so.1"),
        ((), f"{SITE}/a.libs/liba.so.1"),  # loaded by the package itself
        ((), f"{SITE}/a/deep/liba.so.1"),
    ],
)
def test_a_library_is_found_where_the_loader_looks(paths, where):
    assert told({f"{SITE}/a/x.so": Elf("x86_64", ("liba.so.1",), paths=paths), where: Elf("x86_64")}) == []


def test_a_library_of_another_package_is_not_relied_upon():
    files = {f"{SITE}/a/x.so": Elf("x86_64", ("liba.so.1",)), f"{SITE}/b/liba.so.1": Elf("x86_64")}
    (one,) = missing([Natives(files)])
    assert one.elsewhere == f"{SITE}/b/liba.so.1"
    assert f"it is /{SITE}/b/liba.so.1" in str(one)


def test_links_are_followed_through_layers_and_folders():
    base = Natives({f"{SYSTEM}/liba.so.1.2": Elf("x86_64")}, {f"{SYSTEM}/liba.so.1": "liba.so.1.2", "lib": "usr/lib", "opt/mine": "/lib"})
    user = Natives({"app/x.so": Elf("x86_64", ("liba.so.1",), paths=("/opt/mine/x86_64-linux-gnu",))})
    assert missing([base, user]) == []
    assert [one.library for one in missing([user])] == ["liba.so.1"]


def test_links_in_a_circle_lead_nowhere():
    circle = {f"{SYSTEM}/liba.so.1": "libb.so.1", f"{SYSTEM}/libb.so.1": "liba.so.1", "lib64": "lib64"}
    assert [one[0] for one in told({"app/x.so": Elf("x86_64", ("liba.so.1",))}, circle)] == ["liba.so.1"]


def test_files_of_other_machines_are_data():
    files = {f"{SITE}/a/{n}.so": Elf("x86_64") for n in range(3)} | {f"{SITE}/a/arm.so": Elf("aarch64", ("libgone.so.1",))}
    assert told(files) == []
    assert told({**files, f"{SITE}/b/x.so": Elf("x86_64", ("libonly.so.1",)), f"{SITE}/b/libonly.so.1": Elf("i386")}) != []


def test_a_path_in_place_of_a_name_is_that_path():
    files = {"app/x.so": Elf("x86_64", ("/opt/liba.so",)), "opt/liba.so": Elf("x86_64")}
    assert told(files) == []
    assert told({"app/x.so": files["app/x.so"]})[0][0] == "/opt/liba.so"


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libgomp.so.1", "libgomp1"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libssl.so.3", "libssl3"),
        ("libX11.so.6", "libx11-6"),
        ("libgtk-3.so.0", "libgtk-3-0"),
        ("libpython3.11.so.1.0", "libpython3.11"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libz.so.1", "zlib1g"),
        ("libsqlite3.so.0", "libsqlite3-0"),
        ("strange", ""),
    ],
)
def test_debian_names_a_package_after_its_library(library, package):
    assert debian_package(library) == package


def entries_of(tmp_path: Path) -> list[Entry]:
    (tmp_path / "a.so").write_bytes(elf(["libgone.so.1"]))
    return [
        Entry("app/a.so", source=str(tmp_path / "a.so"), size=(tmp_path / "a.so").stat().st_size),
        Entry("app/liba.so", "link", target="a.so"),
        Entry("app/hard.so", "hardlink", target="app/a.so"),
        Entry("app/b.so", data=b"\x7fELF and nothing more"),
        Entry("app/c.so", data=elf(["libgone.so.1"], wide=False, machine=3)),
        Entry("app/text", data=b""),
        Entry("app", "folder", 0o755),
    ]


def test_a_layer_is_looked_at_while_it_is_made_and_never_again(tmp_path):
    libraries = Libraries(Store(tmp_path / "images"))
    given = entries_of(tmp_path)
    content = Content("code", "/app", "sha256:1", lambda: given)
    assert list(libraries.watched(content).entries()) == given
    again = Content("code", "/app", "sha256:1", lambda: pytest.fail("it was read again"))
    found = libraries.natives(again)
    assert (set(found.files), found.links) == ({"app/a.so", "app/c.so"}, {"app/liba.so": "a.so", "app/hard.so": "/app/a.so"})
    assert found == read_natives(given)
    assert [one.library for one in libraries.missing([again])] == ["libgone.so.1"]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_layer_that_was_pulled_is_looked_at_as_it_is(tmp_path, codec):
    store = Store(tmp_path / "images")
    given = entries_of(tmp_path)
    layer = make(Content("base", "theirs", "sha256:1", lambda: given), codec, store).layer
    assert Libraries(store).natives(layer) == read_natives(given)
    assert Libraries(store).missing([layer]) == Libraries(store).missing([layer]) != []


def test_an_image_that_lacks_a_library_is_built_and_says_so(tmp_path):
    store = Store(tmp_path / "images")
    recipe = Recipe("mine", (Content("code", "/app", "sha256:1", lambda: entries_of(tmp_path)),), Settings())
    built = build(recipe, store)
    assert [one.library for one in built.lacking] == ["libgone.so.1"]
    assert build(recipe, store).lacking == built.lacking
