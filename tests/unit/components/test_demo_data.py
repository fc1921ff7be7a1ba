"""A demo catalogue is real pictures as listings; it is fetched once, whole or not at all, and what could not be had is said."""

import io
import json
import lzma
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lykeion.components import demo_data, demo_fetch
from lykeion.components.demo_data import Picture, emoji, listing, make, openclipart
from lykeion.components.demo_fetch import member, run, unpack
from lykeion.components.tables import read_items
from lykeion.errors import Corrupt, Unavailable

FOLDER = "usr/share/openclipart/png/"


def quiet(what: str, done: int, total: int) -> None:
    assert what
    assert done >= 0
    assert total >= 0


def tar_of(entries: dict[str, bytes | None]) -> bytes:
    """A compressed tar; an entry without bytes is a link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in entries.items():
            entry = tarfile.TarInfo(name)
            if data is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data or b""))
    return lzma.compress(made.getvalue())


def deb_of(data: bytes) -> bytes:
    """An `ar` archive as Debian packages are."""
    made = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", data)):
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
    return made


def test_a_debian_package_is_unpacked_without_dpkg_or_root(tmp_path: Path, picture) -> None:
    data = tar_of(
        {
            f"./{FOLDER}animals/cat.png": picture(1),
            f"./{FOLDER}animals/same.png": None,
            "./usr/share/doc/x": b"doc",
            f"./{FOLDER}a.svg": b"<svg/>",
        }
    )
    package = io.BytesIO(deb_of(data))
    assert unpack(member(package, b"data.tar"), FOLDER, tmp_path, 1, quiet) == 1
    assert (tmp_path / "animals" / "cat.png").read_bytes() == picture(1)
    assert not (tmp_path / "animals" / "same.png").exists()


def test_a_path_that_leads_out_of_the_folder_is_not_unpacked(tmp_path: Path, picture) -> None:
    target = tmp_path / "inner"
    target.mkdir()
    assert (
        unpack(
            io.BytesIO(tar_of({f"{FOLDER}../../../../../out.png": picture(1), f"{FOLDER}../out.png": picture(2)})), FOLDER, target, 1, quiet
        )
        == 0
    )
    assert list(tmp_path.rglob("*.png")) == []


@pytest.mark.parametrize("content", [b"", b"junk", b"!<arch>\n", deb_of(b"")[:80]])
def test_what_is_no_package_is_said(content: bytes) -> None:
    with pytest.raises(Corrupt):
        member(io.BytesIO(content), b"data.tar")


def test_half_a_package_is_said(tmp_path: Path, picture) -> None:
    whole = tar_of({f"{FOLDER}{n}.png": picture(n) for n in range(50)})
    with pytest.raises(Corrupt, match="damaged"):
        unpack(io.BytesIO(whole[: len(whole) // 2]), FOLDER, tmp_path, 1, quiet)


def test_a_download_says_how_far_it_is_and_why_it_failed(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    run([sys.executable, "-c", "open('x', 'wb').write(b'x' * 1000)"], tmp_path, "fetching", 1000, lambda *now: said.append(now))
    assert {(what, total) for what, _, total in said} == {("fetching", 1000)}
    with pytest.raises(Unavailable, match="no network today"):
        run([sys.executable, "-c", "import sys; print('no network today'); sys.exit(3)"], tmp_path, "fetching", 0, quiet)


def test_openclipart_has_the_titles_and_categories_of_its_files(tmp_path: Path, picture) -> None:
    for name in ("animals/farm/big_cow-benji_01.png", "signs_and_symbols/x.png", "top.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(1))
    found = set(openclipart(tmp_path))
    assert Picture("animals/farm/big_cow-benji_01.png", "big cow benji", "animals") in found
    assert Picture("signs_and_symbols/x.png", "x", "signs and symbols") in found
    assert Picture("top.png", "top", "unsorted") in found


def test_emoji_have_their_names(tmp_path: Path, picture) -> None:
    entries = [
        {"image": f"{n}.png", "name": None if n else "GRINNING FACE", "short_name": "short", "category": "Smileys", "has_img_google": n < 2}
        for n in range(3)
    ]
    (tmp_path / "emoji.json").write_text(json.dumps(entries))
    for n in range(3):
        (tmp_path / f"{n}.png").write_bytes(picture(n))
    assert [one.title for one in emoji(tmp_path)] == ["grinning face", "short"]


def test_prices_and_dates_are_the_same_each_time_and_differ_between_items() -> None:
    rows = [listing(Picture(f"a/{n}.png", "t", "c")) for n in range(400)]
    assert rows == [listing(Picture(f"a/{n}.png", "t", "c")) for n in range(400)]
    prices = [int(row[4]) for row in rows]
    assert min(prices) >= 300
    assert max(prices) <= 100_000
    assert len(set(prices)) > 100
    assert 5 <= sum(row[5] == "sold_out" for row in rows) <= 45
    assert len({row[6] for row in rows}) > 300


def fake_fetch(picture: Callable[..., bytes], fail: bool = False) -> Callable[..., None]:
    def fetch(target: Path, progress: demo_fetch.Progress) -> None:
        (target / "animals").mkdir()
        (target / "animals" / "cat_01.png").write_bytes(picture(1))
        if fail:
            raise Unavailable("the network went away")

    return fetch


def test_the_listings_are_a_catalogue(pipeline, tmp_path: Path, picture) -> None:
    file = make(tmp_path / "demo" / "openclipart", fake_fetch(picture), openclipart, quiet)
    items = pipeline.listings(file)
    (row,) = read_items(items).to_pylist()
    assert (row["id"], row["title"], row["category"]) == ("animals/cat_01", "cat", "animals")
    pipeline.collect(items)
    assert pipeline.metrics == {"pictures": 1, "quarantined": 0}


def test_half_a_set_is_never_left(tmp_path: Path, picture) -> None:
    with pytest.raises(Unavailable):
        make(tmp_path / "demo" / "openclipart", fake_fetch(picture, fail=True), openclipart, quiet)
    assert list((tmp_path / "demo").iterdir()) == []


def test_a_set_that_is_there_is_used_without_fetching(tmp_path: Path) -> None:
    (tmp_path / "emoji").mkdir()
    (tmp_path / "emoji" / "listings.csv").write_text("id,pictures\n")
    assert demo_data.demo_listings(tmp_path, quiet) == tmp_path / "emoji" / "listings.csv"


def test_without_apt_and_npm_the_error_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match=r"apt-get.*npm.*--pictures FOLDER"):
        demo_data.demo_listings(tmp_path / "demo", quiet)
