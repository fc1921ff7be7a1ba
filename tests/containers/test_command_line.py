"""A pipeline with a step that runs an image, as a person runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from image_files import busybox, layer_of, put

from lykeion.adapters.images.store import Store
from lykeion.adapters.registry.connect import registry
from lykeion.adapters.registry.push import push
from lykeion.core.images.entries import Entry
from lykeion.core.images.references import parse_reference
from lykeion.testing.registries import DEBIAN, RealRegistry, registry_program

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/container-step/pipeline.yaml"
LYKEION = Path(sys.executable).with_name("lykeion")


@pytest.fixture
def lykeion(home, runtime, needs_busybox):
    def run(*words: str, code: int = 0, **env: str):
        told = {**os.environ, "LYKEION_HOME": str(home), "LYKEION_CONTAINERS": runtime, **env}
        ran = subprocess.run([LYKEION, *words], capture_output=True, text=True, cwd=ROOT, env=told, timeout=100, check=False)
        assert ran.returncode == code, ran.stderr + ran.stdout
        return json.loads(ran.stdout) if code == 0 and "json" in words else ran.stdout + ran.stderr

    return run


def states(told) -> dict[str, str]:
    return {step["name"]: step["state"] for step in told["steps"]}


def test_an_image_of_the_home_runs_and_is_cached_by_what_it_is(lykeion, store, home):
    put(store, "busybox:1", layer_of(store, busybox()))
    first = lykeion("run", EXAMPLE, "-p", "image=busybox:1", "-o", "json")
    assert states(first) == {"poem": "Succeeded", "count": "Succeeded"}
    (key,) = (step["key"] for step in first["steps"] if step["name"] == "count")
    assert (home / "outputs" / key / "words" / "count.txt").read_text().strip() == "9"
    store.tag("another-name", store.tags()["busybox:1"])
    assert states(lykeion("run", EXAMPLE, "-p", "image=another-name", "-o", "json")) == {"poem": "Cached", "count": "Cached"}
    changed = layer_of(store, [*busybox(), Entry("etc/changed", data=b"")])
    put(store, "busybox:1", changed)
    told = lykeion("explain", EXAMPLE, "-p", "image=busybox:1", "-o", "json")
    assert [step["why"] for step in told if step["name"] == "count"] == ["the image or the command changed (since container-step-2)"]


def test_an_image_that_is_not_there_is_told_before_anything_runs(lykeion, store):
    put(store, "busybox:1", layer_of(store, busybox()))
    said = lykeion("run", EXAMPLE, "-p", "image=busibox:1", code=2)
    assert "there is no image 'busibox:1' here; did you mean busybox:1?" in said
    assert "pipeline.yaml:13" in said


def test_a_registry_that_does_not_answer_is_told(lykeion):
    assert "127.0.0.1:9" in lykeion("run", EXAMPLE, "-p", "image=127.0.0.1:9/busybox:1", code=5)


def test_where_nothing_runs_images_it_is_said_what_to_install(lykeion):
    said = lykeion("run", EXAMPLE, "-p", "image=busybox:1", code=5, PATH="/nowhere")
    assert "images cannot be run on this machine" in said
    assert "apt install" in said


def test_the_doctor_says_what_runs_images(lykeion, runtime):
    assert [check["detail"] for check in lykeion("doctor", "-o", "json") if check["name"] == "containers"] == [runtime]


def test_an_image_of_a_registry_is_pulled_when_it_is_needed_and_found_by_its_digest(lykeion, home, tmp_path):
    if registry_program() is None:
        pytest.skip(f"{DEBIAN} is not installed (scripts/registry installs it)")
    elsewhere = Store(tmp_path / "elsewhere")
    made = put(elsewhere, "busybox:1", layer_of(elsewhere, busybox()))
    with RealRegistry(tmp_path / "registry") as server:
        to = parse_reference(f"{server.host}/tools/busybox:1")
        with registry(to.host) as there:
            push(elsewhere, made, there, to)
        assert states(lykeion("run", EXAMPLE, "-p", f"image={to}", "-o", "json")) == {"poem": "Succeeded", "count": "Succeeded"}
        assert "tools/absent" in lykeion("run", EXAMPLE, "-p", f"image={server.host}/tools/absent:1", code=2)
    told = lykeion("run", EXAMPLE, "-p", f"image={to.at(made.digest)}", "-o", "json")
    assert states(told) == {"poem": "Cached", "count": "Cached"}
    assert server.host in lykeion("run", EXAMPLE, "-p", f"image={to}", code=5)  # a tag may have moved, and nobody says where to
