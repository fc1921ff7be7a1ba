"""Wheels that are built wrong, or for other machines, with the real uv: what is packed is what the wheel says of itself, or it is refused."""

from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename
from wheel_files import recorded, uv_of_its_own, wheel

from lykeion.adapters.images.build import build
from lykeion.adapters.images.codecs import PLAIN
from lykeion.adapters.images.layers import make
from lykeion.adapters.images.pyc import Compiler
from lykeion.adapters.images.recipes import Recipe
from lykeion.adapters.images.store import Store
from lykeion.adapters.images.wheels import Wheels
from lykeion.core.images.locks import Lock, parse_lock
from lykeion.core.images.oci import Settings
from lykeion.core.images.wheels import Target
from lykeion.errors import Corrupt, Invalid

TARGET = Target("3.11.2")
SITE = "opt/lykeion/site-packages"
INFO = "odd-1.0.dist-info"


@pytest.fixture(autouse=True)
def nothing_of_the_machine(tmp_path_factory, monkeypatch):
    """No index and no settings but those of the test."""
    uv_of_its_own(monkeypatch, tmp_path_factory.getbasetemp() / "uv of broken wheels")


def wheels(cache: Path) -> Wheels:
    return Wheels(cache / "wheels", TARGET, Compiler("no Python"))


def lock_of(found: Path, *lines: str) -> Lock:
    return parse_lock("\n".join(["--no-index", f"--find-links '{found}'", *lines]), TARGET)


def listed(path: str, data: bytes) -> str:
    return f"{path},{recorded(data)},{len(data)}\n"


def with_record(tmp_path: Path, *lines: str, more: dict[str, bytes] | None = None) -> Lock:
    """A wheel with odd.py ("x = 1") whose RECORD has these lines beside the right ones of its metadata."""
    files = {"odd.py": b"x = 1", **(more or {})}
    wheel(tmp_path / "right", "odd", files)
    metadata = b"Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n"
    about = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = listed(f"{INFO}/METADATA", metadata) + listed(f"{INFO}/WHEEL", about) + "".join(lines) + f"{INFO}/RECORD,,\n"
    return lock_of(tmp_path / "found", wheel(tmp_path / "found", "odd", files, record=record))


ODD = listed("odd.py", b"x = 1")


@pytest.mark.parametrize(
    ("lines", "more"),
    [
        (["odd.py,md5=abc,5\n"], {}),
        (["odd.py,sha256=%%%,5\n"], {}),
        ([ODD], {"unlisted.py": b"y"}),
        ([ODD, "odd/vendored/x-1.dist-info/RECORD,,\n"], {"odd/vendored/x-1.dist-info/RECORD": b"x"}),
    ],
    ids=["another digest", "no digest", "a file that it does not list", "a RECORD within"],
)
def test_a_wheel_whose_record_does_not_vouch_for_all_of_it_is_refused_by_name(tmp_path, lines, more):
    with pytest.raises(Invalid, match=r"odd 1\.0: its RECORD cannot be used: .*the wheel is broken: build it again") as refused:
        wheels(tmp_path / "cache").contents(with_record(tmp_path, *lines, more=more))
    assert refused.value.problems[0].value == "odd"


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("odd.py\n", {}),
        (f"odd.py,{recorded(b'x = 1')},many\n", {}),
        (ODD, {"another-1.dist-info/RECORD": b"x"}),
        (ODD, {"o" * 300: b""}),
    ],
    ids=["a short line", "no number", "two wheels in one", "a name that is too long"],
)
def test_a_wheel_that_cannot_be_read_is_refused_with_the_way_out(tmp_path, line, more):
    with pytest.raises(Invalid, match=r"odd 1\.0 cannot be installed.(.|\n)*the wheel is broken: build it again"):
        wheels(tmp_path / "cache").contents(with_record(tmp_path, line, more=more))


@pytest.mark.parametrize(
    "broken", [lambda data: data[: len(data) // 2], lambda _: b"no archive", lambda _: b""], ids=["cut", "noise", "empty"]
)
def test_half_a_wheel_is_refused_and_nothing_of_it_is_kept(tmp_path, broken):
    wheel(tmp_path / "found", "odd", {"odd.py": b"x" * 5000})
    (file,) = (tmp_path / "found").iterdir()
    file.write_bytes(broken(file.read_bytes()))
    digest = sha256(file.read_bytes()).hexdigest()  # the lock trusts it
    with pytest.raises(Invalid, match="the wheel is broken: build it again"):
        wheels(tmp_path / "cache").contents(lock_of(tmp_path / "found", f"odd==1.0 --hash=sha256:{digest}"))
    assert list((tmp_path / "cache" / "wheels").iterdir()) == []


@pytest.mark.parametrize("line", [listed("odd.py", b"x = 2"), f"odd.py,{recorded(b'x = 1')},7\n"], ids=["digest", "size"])
def test_a_file_that_is_not_what_the_record_says_is_never_packed(tmp_path, line):
    contents = wheels(tmp_path / "cache").contents(with_record(tmp_path, line))
    store = Store(tmp_path / "images")
    with pytest.raises(Corrupt, match=r"is not what odd 1\.0 says of it: .*build the wheel anew"):
        make(contents[0], PLAIN, store)
    assert not [key for key, _ in store.files.list("") if key.startswith("blobs/")]


@pytest.mark.parametrize("path", ["/etc/cron.d/odd", "../../outside.py", "odd/../../outside.py", "gone.py", "a\\b.py"])
def test_what_a_record_lists_and_the_wheel_has_not_is_in_no_image(tmp_path, path):
    contents = wheels(tmp_path / "cache").contents(with_record(tmp_path, ODD, listed(path, b"x = 1")))
    paths = {entry.path for entry in contents[0].entries()}
    assert {path for path in paths if "dist-info" not in path} == {f"{SITE}/odd.py"}


TAGS = (
    "cp311-cp311-manylinux_2_28_x86_64",
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp311-cp311-manylinux_2_34_x86_64",
    "cp311-cp311-manylinux_2_17_aarch64",
    "cp311-cp311-musllinux_1_2_x86_64",
    "cp311-cp311-macosx_11_0_arm64",
    "cp311-cp311-win_amd64",
    "cp312-cp312-manylinux_2_17_x86_64",
    "cp310-cp310-manylinux_2_17_x86_64",
    "cp38-abi3-manylinux_2_5_x86_64.manylinux1_x86_64",
    "cp312-abi3-manylinux_2_17_x86_64",
    "pp311-pypy311_pp73-manylinux_2_17_x86_64",
    "py3-none-manylinux_2_17_x86_64",
    "py3-none-any",
    "py2-none-any",
)
PLATFORMS = [
    tag
    for minor in range(28, 4, -1)
    for tag in (f"manylinux_2_{minor}_x86_64", {17: "manylinux2014_x86_64", 12: "manylinux2010_x86_64", 5: "manylinux1_x86_64"}.get(minor))
    if tag
]
BEST_FIRST = [*cpython_tags((3, 11), platforms=PLATFORMS), *compatible_tags((3, 11), "cp311", PLATFORMS)]
number = count()


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(TAGS), min_size=1, max_size=8))
def test_of_the_wheels_of_a_package_the_one_is_packed_that_packaging_would_choose(tmp_path_factory, tags):
    root = tmp_path_factory.mktemp("tags")
    name = f"many{next(number)}"
    lines = [wheel(root / "found", name, {f"{name}.py": tag.encode()}, tag=tag) for tag in sorted(tags)]
    hashes = [line.partition(" ")[2] for line in lines]
    lock = lock_of(root / "found", f"{name}==1.0 {' '.join(hashes)}")
    ranks = {}
    for tag in tags:
        forms = parse_wheel_filename(f"{name}-1.0-{tag}.whl")[3]
        if fitting := [BEST_FIRST.index(form) for form in forms if form in BEST_FIRST]:
            ranks[tag] = min(fitting)
    if not ranks:
        with pytest.raises(Invalid, match="choose a version that has a wheel for this platform"):
            wheels(root / "cache").contents(lock)
        return
    entries = [entry for content in wheels(root / "cache").contents(lock) for entry in content.entries()]
    (chosen,) = (Path(entry.source).read_text() for entry in entries if entry.path == f"{SITE}/{name}.py")
    assert chosen == min(ranks, key=lambda tag: ranks[tag])


def test_half_an_installation_of_a_killed_builder_is_not_taken_for_a_wheel(tmp_path):
    """A folder of the cache counts when its size stands in it, which is written last."""
    found = tmp_path / "found"
    lock = lock_of(found, wheel(found, "odd", {"odd.py": b"x = 1"}))
    made = wheels(tmp_path / "cache")
    recipe = Recipe("odd", tuple(made.contents(lock)), Settings())
    first = build(recipe, Store(tmp_path / "images"), PLAIN)
    (folder,) = (one for one in (tmp_path / "cache" / "wheels").iterdir() if not one.name.startswith("."))
    left = tmp_path / "cache" / "wheels" / ".tmpkilled"
    (left / "site").mkdir(parents=True)
    (left / "site" / "odd.py").write_text("half")
    for file in sorted(folder.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    folder.rmdir()
    again = build(Recipe("odd", tuple(wheels(tmp_path / "cache").contents(lock)), Settings()), Store(tmp_path / "others"), PLAIN)
    assert again.image.digest == first.image.digest
