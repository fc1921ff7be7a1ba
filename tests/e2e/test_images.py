"""Images from the command line, as people and the platform make them: a real base, real packages, a real registry, other tools' readers.

Needs apt's lists of packages and an index of Python packages; skipped with the reason where one is missing.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from lykeion.testing.registries import DEBIAN, RealRegistry, registry_program
from lykeion.testing.servers import until

from .conftest import LYKEION, PHOTO_SEARCH, ROOT, Cli, command_line, draw_catalogue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]  # the first build fetches a base and packages
WORDS = ROOT / "examples" / "01-one-step"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home whose base is written down; what is fetched for it is fetched once."""
    home = tmp_path_factory.mktemp("images") / "home"
    found = command_line(home)("image", "lock", "--to", home.with_name("base.lock"), code=None)
    if found.code:
        pytest.skip(f"no base can be made here: {found.err.strip()}")
    return home


@pytest.fixture(scope="module")
def base(home) -> Path:
    return home.with_name("base.lock")


@pytest.fixture(scope="module")
def cli(home) -> Cli:
    return command_line(home)


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[RealRegistry]:
    if registry_program() is None:
        pytest.skip(f"{DEBIAN} is not installed (scripts/registry installs it)")
    with RealRegistry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def words(cli, base):
    """The training image of the first example."""
    return cli("image", "build", WORDS / "pipeline.yaml", "--base", base, "-o", "json", timeout=300).json


def test_an_image_has_the_layers_that_were_said_and_lacks_no_library(words):
    kinds = [layer["kind"] for layer in words["layers"]]
    assert (kinds[0], kinds[-2:]) == ("base", ["platform", "code"])
    assert set(kinds[1:-2]) <= {"wheel", "wheels"}
    assert words["missing_libraries"] == []


def test_building_again_makes_nothing_and_gives_the_same(cli, base, words):
    again = cli("image", "build", WORDS / "pipeline.yaml", "--base", base, "-o", "json").json
    assert again["digest"] == words["digest"]
    assert {layer["cache"] for layer in again["layers"]} == {"hit"}


def test_another_checkout_home_and_umask_give_the_same_digest(base, words, tmp_path):
    shutil.copytree(WORDS, tmp_path / "elsewhere" / "words", ignore=shutil.ignore_patterns("__pycache__"))
    before = os.umask(0o077)
    try:
        built = command_line(tmp_path / "home")(
            "image", "build", tmp_path / "elsewhere" / "words" / "pipeline.yaml", "--base", base, "-o", "json", timeout=300
        )
    finally:
        os.umask(before)
    assert built.json["digest"] == words["digest"]


def test_an_image_runs_what_the_user_says_in_the_environment_that_he_says(cli, base, words):
    given = ("--env", "MODE=quick", "--env", "HOME=/work", "--entrypoint", "python3 -c 'print(1)'", "--tag", "localhost:5000/mine:1")
    mine = cli("image", "build", WORDS / "pipeline.yaml", "--base", base, *given, "-o", "json").json
    assert {layer["cache"] for layer in mine["layers"]} == {"hit"}
    usual, changed = (cli("image", "show", name, "-o", "json").json["config"] for name in (words["name"], "localhost:5000/mine:1"))
    assert (changed["Entrypoint"], changed["Cmd"]) == (["python3", "-c", "print(1)"], [])
    assert set(changed["Env"]) - set(usual["Env"]) == {"MODE=quick", "HOME=/work"}
    assert changed["Labels"] == usual["Labels"]


def test_a_plan_says_layer_by_layer_what_would_be_made_and_sent(cli, base, words, registry):
    del words
    told = cli("image", "plan", WORDS / "pipeline.yaml", "--base", base, "--tag", f"{registry.host}/plan:1", "-o", "json").json
    assert {layer["cache"] for layer in told["layers"]} == {"hit"}
    assert [layer["travels"] for layer in told["layers"]] == [layer["size"] for layer in told["layers"]]


def test_images_are_listed_shown_pushed_pulled_and_taken_away(cli, words, registry, tmp_path):
    listed = {one["name"]: one for one in cli("image", "list", "-o", "json").json}
    assert listed[words["name"]]["digest"] == words["digest"]
    shown = cli("image", "show", words["name"], "-o", "json").json
    assert shown["config"]["User"] == "65532:65532"
    assert set(json.loads(shown["config"]["Labels"]["dev.lykeion.components"])) == {"./words.py:count", "./words.py:top"}
    pushed = cli("image", "push", words["name"], "--tag", f"{registry.host}/words:1", "-o", "json").json
    assert pushed["reference"] == f"{registry.host}/words:1@{words['digest']}"
    other = command_line(tmp_path / "other")
    assert other("image", "pull", f"{registry.host}/words:1", "-o", "json").json["digest"] == words["digest"]
    other("image", "rm", f"{registry.host}/words:1")
    assert other("image", "list", "-o", "json").json == []
    assert len(other("image", "gc", "--older-than", "0", "-o", "json").json["blobs"]) == len(words["layers"]) + 2


def test_what_is_in_an_image_is_listed_package_by_package(cli, words):
    written = cli("image", "sbom", words["name"]).out
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    told = json.loads(written)
    for one in told["components"]:
        url = PackageURL.from_string(one["purl"])
        assert (url.name, url.version) == (one["name"], one["version"])
    names = {one["name"] for one in told["components"]}
    assert {"lykeion", "pydantic", "pyyaml", "libc6"} <= names
    assert told["metadata"]["component"]["version"] == words["digest"]


def test_a_saved_image_is_read_by_skopeo(cli, words, tmp_path):
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed (scripts/registry installs it)")
    cli("image", "save", words["name"], "--to", tmp_path / "words.tar")
    told = subprocess.run(["skopeo", "inspect", f"oci-archive:{tmp_path}/words.tar"], capture_output=True, text=True, check=True).stdout
    assert json.loads(told)["Digest"] == words["digest"]


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("build", "photos"), 2, "neither a pipeline file nor a version"),
        (("build", "photos@stable"), 3, "there is no model photos"),
        (("build", "missing.yaml"), 2, "cannot be read"),
        (("build", str(WORDS / "pipeline.yaml"), "--codec", "lzma"), 2, "use one of zstd, gzip, none"),
        (("build", str(WORDS / "pipeline.yaml"), "--env", "MODE"), 2, "--env: 'MODE' is no variable (write NAME=VALUE)"),
        (("build", str(WORDS / "pipeline.yaml"), "--env", "A=http://me:pw@host"), 2, "A holds a name or a password in a URL"),
        (("build", str(WORDS / "pipeline.yaml"), "--entrypoint", "sh -c 'x"), 2, "--entrypoint: it is no command: No closing quotation"),
        (("build", str(WORDS / "pipeline.yaml"), "--entrypoint", ""), 2, "an image has to run something"),
        (("build", str(WORDS / "pipeline.yaml"), "--push"), 2, "it is not said which registry it goes to"),
        (("build", str(WORDS / "pipeline.yaml"), "--base", "localhost:5000/python:3"), 2, "a base is named by its digest"),
        (("show", "nothing"), 3, "there is no image 'nothing' here"),
        (("pull", "photos"), 2, "does not say which registry"),
        (("pull", "127.0.0.1:1/photos:1"), 5, "nobody answers there"),
        (("watch",), 2, "it is not said where images go"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_code(cli, given, code, told):
    assert told in cli("image", *given, code=code).err


def test_what_a_component_imports_and_nobody_names_is_said(cli, base, tmp_path):
    (tmp_path / "step.py").write_text("import pytest\nfrom lykeion import component, Output\n@component\ndef f(out: Output) -> None: ...\n")
    (tmp_path / "p.yaml").write_text(
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n  steps:\n"
        "    - {name: a, component: './step.py:f'}\n"
    )
    assert "components import pytest, which no requirements name" in cli("image", "build", tmp_path / "p.yaml", "--base", base, code=2).err


# the image builder --------------------------------------------------------------------------------------------------------------


def test_what_one_home_publishes_another_builds_and_serves(tmp_path, base, registry, monkeypatch):
    """Training and serving share nothing but the repository. The builder is killed on the way, and goes on."""
    monkeypatch.setenv("LYKEION_REPOSITORY", (tmp_path / "repository").as_uri())
    monkeypatch.setenv("LYKEION_IMAGE_BASE", str(base))
    pipeline = tmp_path / "photos.yaml"
    pipeline.write_text((ROOT / PHOTO_SEARCH).read_text().replace("track: stable}", "track: stable, image: true}"))
    catalogue = draw_catalogue(tmp_path / "catalogue")
    training, serving = command_line(tmp_path / "training"), command_line(tmp_path / "serving")
    ran = training("run", pipeline, "-p", f"listings={catalogue}", "-p", "family=drawn", "-o", "json").json
    assert {one["model"]: one["alias"] for one in ran["published"]} == {"drawn-space": "stable", "drawn": ""}
    assert training("models", "list", "drawn", "-o", "json").json[0]["deploy"]["holds"] is True

    prefix = f"{registry.host}/team"
    killed = subprocess.Popen(
        [sys.executable, "-m", "lykeion.cli.main", "image", "watch", "--home", str(tmp_path / "serving"), "--registry", prefix],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in killed.stdout:
        if "drawn-space@1: building" in line:
            break
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    env = {**os.environ, "LYKEION_HOME": str(tmp_path / "serving")}
    with (tmp_path / "up.log").open("w") as log:
        up = subprocess.Popen([LYKEION, "up", "--port", "0", "--registry", prefix], env=env, stdout=log, stderr=log)
    try:
        shown = tmp_path / "serving" / "logs" / "services" / "image-builder-0.log"

        def said() -> str:
            return shown.read_text() if shown.exists() else ""

        until(lambda: "drawn@stable names version 1" in said(), 240, f"the alias: {said()[-800:]}")
        photo = catalogue.parent / "ring-red-0.png"
        found = serving("search", "drawn", photo, "-k", "1", "-o", "json").json
        assert found["items"][0]["id"] == "ring-red-0"
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)
    records = json.loads(next((tmp_path / "repository" / "drawn" / "images" / "1").glob("*.json")).read_text())
    assert records["state"] == "pushed"
    assert records["reference"].startswith(f"{prefix}/drawn:1@sha256:")
    assert {layer["how"] for layer in records["layers"] if layer["kind"] in ("base", "wheel")} == {"mounted"}
