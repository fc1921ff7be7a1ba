"""Fetching the demo's pictures with apt and npm, both played by small programs: what they bring, and every way in which they do not."""

import io
import json
import sys
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lykeion.components import demo_fetch
from lykeion.components.demo_data import demo_listings
from lykeion.components.demo_fetch import EMOJI_FOLDER, OPENCLIPART_FOLDER, expected_size, fetch_emoji, fetch_openclipart, member
from lykeion.errors import Corrupt, Unavailable

Said = list[tuple[str, int, int]]


def packed(files: dict[str, bytes], mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def deb(files: dict[str, bytes]) -> bytes:
    data = packed(files, "w:xz")
    head = f"{'data.tar.xz':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n"
    return b"!<arch>\n" + head.encode() + data


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`program("npm", lines)`: what is found under that name, and nothing else is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def written(name: str, lines: str) -> None:
        python = f"#!/bin/sh\n'''exec' '{sys.executable}' \"$0\" \"$@\"\n' '''"  # whose path may have spaces
        (folder / name).write_text(f"{python}\nimport shutil, sys\nwords = sys.argv[1:]\n{lines}\n")
        (folder / name).chmod(0o755)

    return written


@pytest.fixture
def target(tmp_path: Path) -> Path:
    found = tmp_path / "demo" / "set"
    found.mkdir(parents=True)
    return found


@pytest.fixture
def said() -> Said:
    return []


def apt_that_brings(tmp_path: Path, package: bytes) -> str:
    (tmp_path / "package").write_bytes(package)
    uris = f"'http://deb.example/x.deb' x.deb {len(package)} SHA256:0"
    return f"if '--print-uris' in words: print({uris!r})\nelse: shutil.copy({str(tmp_path / 'package')!r}, 'x.deb')"


def test_openclipart_is_what_apt_brings(
    program, target: Path, tmp_path: Path, picture, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_fetch, "OPENCLIPART_FILES", 200)
    files = {f"./{OPENCLIPART_FOLDER}animals/{number}.png": picture(number % 3) for number in range(150)}
    package = deb({**files, "./usr/share/doc/openclipart/copyright": b"public domain"})
    program("apt-get", apt_that_brings(tmp_path, package))
    fetch_openclipart(target, lambda *now: said.append(now))
    assert len(list(target.rglob("*"))) == 151
    assert ("unpacking pictures", 100, 200) in said
    assert all(total == len(package) for what, _, total in said if what.startswith("fetching"))
    assert list(target.parent.iterdir()) == [target], "what was fetched is not left beside it"


def test_a_package_of_few_pictures_is_not_the_one(program, target: Path, tmp_path: Path, picture) -> None:
    program("apt-get", apt_that_brings(tmp_path, deb({f"./{OPENCLIPART_FOLDER}a.png": picture(1)})))
    with pytest.raises(Corrupt, match=r"only 1 pictures are in x\.deb"):
        fetch_openclipart(target, lambda *_: None)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("pass", "fetched nothing"),
        ("sys.exit('E: Unable to locate package')", "E: Unable to locate package"),
        ("sys.exit(7)", "it said nothing"),
    ],
)
def test_an_apt_that_fails_is_told_in_its_own_words(program, target: Path, lines: str, says: str) -> None:
    program("apt-get", lines)
    with pytest.raises(Unavailable, match=says):
        fetch_openclipart(target, lambda *_: None)


@pytest.mark.parametrize("lines", ["print('nothing')", "print('a b many')", "sys.exit(1)", "print()"])
def test_a_size_that_apt_does_not_say_is_not_known(program, tmp_path: Path, lines: str) -> None:
    program("apt-get", lines)
    assert expected_size(str(tmp_path / "bin" / "apt-get")) == 0


def test_an_apt_that_hangs_is_not_waited_for_to_say_a_size(program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("apt-get", "import time; time.sleep(600)")
    monkeypatch.setattr(demo_fetch, "PATIENCE_FOR_A_SIZE", 0.2)
    assert expected_size(str(tmp_path / "bin" / "apt-get")) == 0


def test_a_download_that_does_not_end_is_ended(program, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("apt-get", "import time\nif '--print-uris' not in words: time.sleep(600)")
    monkeypatch.setattr(demo_fetch, "PATIENCE", 0.2)
    with pytest.raises(Unavailable, match="not done after"):
        fetch_openclipart(target, lambda *_: None)


def npm_that_brings(tmp_path: Path, files: dict[str, bytes]) -> str:
    (tmp_path / "package").write_bytes(packed(files, "w:gz"))
    return f"shutil.copy({str(tmp_path / 'package')!r}, 'emoji.tgz')"


def names_of(*entries: object) -> bytes:
    return json.dumps(entries).encode()


def test_emoji_are_what_npm_brings_and_the_catalogue_is_made_of_them(program, tmp_path: Path, picture) -> None:
    """Without apt, as on most machines."""
    entry = {"image": "1.png", "name": "RED SHOE", "short_name": "shoe", "category": "Objects", "has_img_google": True}
    files = {f"{EMOJI_FOLDER}1.png": picture(1), "package/emoji.json": names_of(entry), "package/README": b"x"}
    program("npm", npm_that_brings(tmp_path, files))
    listings = demo_listings(tmp_path / "demo", lambda *_: None)
    assert listings == tmp_path / "demo" / "emoji" / "listings.csv"
    assert "red shoe" in listings.read_text()
    assert [one.name for one in (tmp_path / "demo").iterdir()] == ["emoji"]


@pytest.mark.parametrize("lines", ["pass", "sys.exit('npm ERR! network')"])
def test_an_npm_that_brings_nothing_is_said_so(program, target: Path, lines: str) -> None:
    program("npm", lines)
    with pytest.raises(Unavailable, match=r"fetched nothing|npm ERR! network"):
        fetch_emoji(target, lambda *_: None)


@pytest.mark.parametrize("names", [None, b"", b"[7]", b'[{"image": "1.png"}]'], ids=repr)
def test_a_set_that_is_not_what_it_was_is_told_with_the_way_out_and_nothing_is_left(
    program, tmp_path: Path, picture, names: bytes | None
) -> None:
    files = {f"{EMOJI_FOLDER}1.png": picture(1), **({} if names is None else {"package/emoji.json": names})}
    program("npm", npm_that_brings(tmp_path, files))
    with pytest.raises(Unavailable, match=r"emoji: .*--pictures FOLDER"):
        demo_listings(tmp_path / "demo", lambda *_: None)
    assert list((tmp_path / "demo").iterdir()) == []


@given(st.binary(max_size=200))
@example(b"x" * 60)
@example(b"x" * 48 + b"9" * 10 + b"xx")
def test_any_bytes_behind_the_head_of_a_package_are_data_or_damage(data: bytes) -> None:
    found = None
    with suppress(Corrupt):
        found = member(io.BytesIO(b"!<arch>\n" + data), b"data.tar")
    assert found is None or b"data.tar" in data
