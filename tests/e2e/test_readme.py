"""The README: each of its commands is run as it stands there, so that it cannot rot."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml
from PIL import Image

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LYKEION = Path(sys.executable).with_name("lykeion")
UNAVAILABLE = 5
STAYS = (".venv/bin/lykeion up", "make demo")  # commands that run until they are told to stop
CHECKOUT = re.compile(r"git clone https://\S+ && cd lykeion")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("console") for line in block.splitlines()]
IMAGES = [line for line in COMMANDS if "lykeion image" in line]


@pytest.fixture
def shell(own):
    """Runs a line of the README over a home of its own, with a real catalogue and photo where the README has a name for them."""
    photo = own.listings.with_name("PHOTO.jpg")
    Image.open(own.listings.with_name("ring-red-0.png")).save(photo)
    env = {**os.environ, "LYKEION_HOME": str(own.home)}

    def as_run(line):
        for name, path in (("CATALOGUE.csv", own.listings), ("PHOTO.jpg", photo), (".venv/bin/lykeion", LYKEION)):
            line = line.replace(name, shlex.quote(str(path)))
        return line

    def run(line):
        return subprocess.run(["bash", "-c", as_run(line)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)

    def start(line):
        return subprocess.Popen(["bash", "-c", f"exec {as_run(line)}"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)

    run.start = start
    return run


def stop(process):
    """Ctrl-C, as the README's reader would."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(30)
    finally:
        process.kill()
        process.stdout.close()


def test_there_are_commands():
    assert len(COMMANDS) >= 9
    assert CHECKOUT.fullmatch(COMMANDS[0])
    assert COMMANDS[1] == "make demo"


def test_every_command_does_what_it_says(shell):
    ran = {}
    for line in COMMANDS:
        if line in STAYS or line in IMAGES or line.startswith("make ") or CHECKOUT.fullmatch(line):
            continue
        done = shell(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        ran[line] = done.stdout
    indexed, asked, first, second, explained, listed = ran.values()
    assert "shop version 1" in indexed
    assert "ring-red-0" in asked.splitlines()[1]
    assert "2 steps, 0 cached" in first
    assert "2 steps, 1 cached" in second
    assert "n: 5 then, 7 now" in explained
    assert {"shop", "shop-space", "best-words"} <= set(listed.split())


def test_an_image_is_built_and_its_plan_says_that_all_of_it_is_there(shell):
    build, plan = IMAGES
    built = shell(build)
    if built.returncode == UNAVAILABLE:
        pytest.skip(f"no base can be made here: {built.stderr.strip()}")
    assert "words:latest sha256:" in built.stdout
    layers = shell(plan).stdout.splitlines()[1:]
    assert layers[-1].startswith("code")
    assert all(" hit " in layer for layer in layers)


def test_up_serves_what_was_indexed_until_it_is_stopped(shell, running_of, own):
    assert ".venv/bin/lykeion up" in COMMANDS
    process = shell.start(".venv/bin/lykeion up --port 0")
    assert "Lykeion is up at http://127.0.0.1:" in process.stdout.readline()
    assert stop(process) == 0
    assert running_of(own.home) == []


def planned(target: str) -> list[str]:
    """What make would run, also where make itself runs these tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "-n", target], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.splitlines()


def test_make_demo_sets_up_and_shows_the_page(shell, until, own):
    """Over a small catalogue: the address of the page is printed when the search answers."""
    plan = planned("demo")
    assert plan == ["scripts/setup", ".venv/bin/lykeion demo photo-search"]
    process = shell.start(f"{plan[1]} --listings {own.listings} --port 0")
    try:
        told = ""
        while "Search by photo at" not in told:
            told = process.stdout.readline()
            assert told, "the demo ended"
        with urlopen(told.split()[-1], timeout=30) as page:
            assert b"<html" in page.read()
    finally:
        assert stop(process) == 0


@pytest.mark.parametrize("target", [line.split()[1] for line in COMMANDS if line.startswith("make ")])
def test_make_knows_its_targets(target):
    plan = planned(target)
    assert plan[0] == "scripts/setup"
    assert all(os.access(ROOT / line, os.X_OK) for line in plan if line.startswith("scripts/"))


def test_the_first_pipeline_is_the_one_that_is_run():
    (shown,) = blocks("yaml")
    assert yaml.safe_load(shown) == yaml.safe_load((ROOT / "examples/01-one-step/pipeline.yaml").read_text())
    assert len(shown.splitlines()) <= 15


def test_what_it_links_to_is_there():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.split("#")[0]).exists()] == []
