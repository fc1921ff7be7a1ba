"""What layers were made of goes when no build has used it for a while, and nothing else does."""

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deb_writer import deb, member

from lykeion.adapters.images.caches import FOLDERS, sweep
from lykeion.adapters.images.deb_files import unpacked
from lykeion.adapters.images.pyc import Compiler
from lykeion.core.images.entries import Entry

NOW = datetime(2026, 11, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


def put(path: Path, age: timedelta, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return old(path, age)


def old(path: Path, age: timedelta) -> Path:
    os.utime(path, (0, (NOW - age).timestamp()))
    return path


def test_what_was_not_used_for_a_while_goes(tmp_path):
    put(tmp_path / "wheels/a/site/x.py", timedelta())
    gone = [old(tmp_path / "wheels/a", 2 * WEEK), put(tmp_path / "debs/b", 2 * WEEK), put(tmp_path / "compiled/ab/c.pyc", 2 * WEEK)]
    stays = [put(tmp_path / "debs/d", timedelta(days=1)), put(tmp_path / "base.lock", 9 * WEEK), put(tmp_path / "models/m/f", 9 * WEEK)]
    assert sweep(tmp_path, WEEK, NOW, dry_run=True) == 30
    assert all(path.exists() for path in gone)
    assert sweep(tmp_path, WEEK, NOW) == 30
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in stays)
    assert sweep(tmp_path, WEEK, NOW) == 0


def test_what_a_killed_sweep_left_goes_with_the_next(tmp_path):
    put(tmp_path / "wheels/.a.gone/x", timedelta())
    old(tmp_path / "wheels/.a.gone", 2 * WEEK)
    assert sweep(tmp_path, WEEK, NOW) == 10
    assert not list((tmp_path / "wheels").iterdir())


def test_a_cache_that_was_never_made_is_swept(tmp_path):
    assert sweep(tmp_path / "nothing", WEEK, NOW) == 0


@pytest.mark.parametrize("what", ["compiled", "unpacked"])
def test_what_a_build_uses_is_young_again(tmp_path, what):
    def use() -> None:
        if what == "compiled":
            Compiler(f"{sys.version_info.major}.{sys.version_info.minor}", cache=tmp_path / "compiled").compiled([Entry("a.py", data=b"")])
        else:
            unpacked(package, tmp_path / "unpacked" / package.name)

    package = deb(tmp_path / "debs", "a", [(member("./usr/x"), b"x")])
    use()
    made = next((tmp_path / what).glob("*/*.pyc" if what == "compiled" else "*"))
    old(made, 2 * WEEK)
    use()
    sweep(tmp_path, WEEK, NOW)
    assert made.exists()
    old(made, 2 * WEEK)
    sweep(tmp_path, WEEK, NOW)
    assert not made.exists()


def test_every_folder_of_the_workshop_is_swept():
    used = Path("src/lykeion/adapters/images")
    named = {"base.lock", *FOLDERS}
    texts = "".join((used / f"{name}.py").read_text() for name in ("workshop", "debs"))
    assert set(re.findall(r'self\.cache / "([a-z.]+)"', texts)) <= named
