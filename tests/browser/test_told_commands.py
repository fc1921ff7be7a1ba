"""Every command that an empty page tells is one that works: it is run as it stands there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser_catalogue import draw
from browser_nothing import nothing_yet
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
LYKEION = Path(sys.executable).with_name("lykeion")


@pytest.mark.parametrize(("path", "made"), [("/pipelines", "pipelines"), ("/trainings", "trainings"), ("/", "trainings")])
def test_a_command_that_an_empty_page_tells_does_what_the_page_says(page: Page, tmp_path: Path, path: str, made: str) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "examples" / "01-one-step", tmp_path, dirs_exist_ok=True)
    (tmp_path / "FILE").mkdir()
    for number in range(3):
        (tmp_path / "FILE" / f"{number}.png").write_bytes(draw("bags", number))
    nothing_yet(page)
    page.goto(path)
    told = page.locator("#main code").filter(has_text=re.compile("^lykeion "))
    expect(told).to_have_count(1)
    program, *words = told.inner_text().split()
    assert program == "lykeion"
    home = ["--home", str(tmp_path / "home")]
    done = subprocess.run([LYKEION, *words, *home], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run([LYKEION, "get", made, "-o", "json", *home], capture_output=True, text=True, check=True)
    assert '"kind"' in listed.stdout
