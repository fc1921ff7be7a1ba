"""The images of photo search really run: offline, on a read-only root, as nobody, with no capability.

A step is the same wherever it ran: what the training image has made is a hit for this machine, and what this machine has made is one
for the image. And the serving images of a family answer a photo with nothing but their own files.

By bubblewrap, podman, and containerd with runc. Needs root, apt and an index of Python packages; skipped with the reason where one is
missing.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lykeion.adapters.images.store import Store
from lykeion.core.images.places import DOCUMENTS, VOLUME
from lykeion.core.serving.names import cover_document, load_document
from lykeion.core.values import ModelVersion
from lykeion.testing.families import entry, write_document
from lykeion.testing.servers import ask, until

from .conftest import PHOTO_SEARCH, Indexed, command_line, draw_catalogue
from .contained import Mount, Start, bubblewrap, containerd, given_away, podman, ran, reachable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),  # the images are built, and unpacked by each runtime
    pytest.mark.skipif(os.geteuid() != 0, reason="podman's and containerd's stores of their own need root"),
]
TRAINING, INDEX, SPACE = "photo-search:latest", "photos:1", "photos-space:1"
LYKEION = "/opt/lykeion/bin/lykeion"


@pytest.fixture(scope="module")
def built(indexed, tmp_path_factory) -> Indexed:
    """The family `photos`, and its three images in the store of its home; beside it each image as one file."""
    family = indexed.copy(tmp_path_factory.mktemp("images"))
    lock = family.home.with_name("base.lock")
    found = family.cli("image", "lock", "--to", lock, code=None)
    if found.code:
        pytest.skip(f"no base can be made here: {found.err.strip()}")
    for what, name in ((PHOTO_SEARCH, TRAINING), ("photos@1", INDEX), ("photos-space@1", SPACE)):
        family.cli("image", "build", what, "--base", lock, timeout=300)
        family.cli("image", "save", name, "--to", archive(family, name))
    return family


def archive(family: Indexed, name: str) -> Path:
    return family.home.with_name(f"{name.partition(':')[0]}.tar")


@pytest.fixture(scope="module")
def by_bubblewrap(built) -> Iterator[Start]:
    with bubblewrap(Store(built.home / "images"), reachable(built.home.parent) / "rootfs", TRAINING) as start:
        yield start


@pytest.fixture(scope="module")
def by_podman(built) -> Iterator[Start]:
    with podman(*(archive(built, name) for name in (TRAINING, INDEX, SPACE))) as start:
        yield start


@pytest.fixture(scope="module")
def by_containerd(built) -> Iterator[Start]:
    with containerd(*(archive(built, name) for name in (TRAINING, INDEX, SPACE))) as start:
        yield start


# steps --------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def volume(tmp_path) -> Path:
    """A volume with a catalogue in it, which the image's user may write to."""
    home = tmp_path / "v"
    home.mkdir()
    draw_catalogue(home / "catalogue")
    return given_away(home)


def here(volume: Path) -> dict[str, dict]:
    told = command_line(volume)("run", PHOTO_SEARCH, *asked(volume)).json
    given_away(volume)
    return steps(told)


def there(start: Start, volume: Path) -> dict[str, dict]:
    """The catalogue has the same name inside: its pictures' places are part of what steps are given."""
    mounts = (Mount(volume, f"/{VOLUME}", writable=True), Mount(volume / "catalogue", volume / "catalogue"))
    return steps(json.loads(ran(*start(TRAINING, mounts, LYKEION, "run", "/app/pipeline.yaml", *asked(volume))).stdout))


def asked(volume: Path) -> tuple[str, ...]:
    return ("-p", f"listings={volume}/catalogue/listings.csv", "-q", "-o", "json")


def steps(told: dict) -> dict[str, dict]:
    assert told["phase"] == "Succeeded"
    return {step["name"]: step for step in told["steps"]}


def assert_all_run(told: dict[str, dict]) -> None:
    assert {step["state"] for step in told.values()} == {"Succeeded"}


def assert_all_found(first: dict[str, dict], then: dict[str, dict]) -> None:
    """The space is published by the first run, so the second does not need its step."""
    assert {name: step["state"] for name, step in then.items()} == {name: "Skipped" if name == "space" else "Cached" for name in first}
    assert all(step["key"] == first[name]["key"] for name, step in then.items() if name != "space")


def test_the_image_finds_all_that_this_machine_has_made(by_bubblewrap, volume):
    first = here(volume)
    assert_all_run(first)
    assert_all_found(first, there(by_bubblewrap, volume))


@pytest.mark.parametrize("runtime", ["by_podman", "by_containerd"])
def test_this_machine_finds_all_that_the_image_has_made(request, runtime, volume):
    start = request.getfixturevalue(runtime)
    first = there(start, volume)
    assert_all_run(first)
    assert_all_found(first, here(volume))


# servers ------------------------------------------------------------------------------------------------------------------------


@contextmanager
def serving(command: list[str], socket: Path, log: Path) -> Iterator[list[str]]:
    """A server in a container, once it is ready: its addresses, as they are inside. Drains it in the end."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)

    def addresses() -> list[str]:
        assert process.poll() is None, log.read_text()
        try:
            told = ask(socket, "/readyz").json
        except OSError:
            return []
        return told["addresses"] if told["ready"] else []

    try:
        yield until(addresses, 60, f"{socket} is ready")
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("runtime", ["by_podman", "by_containerd"])
def test_a_photo_finds_its_item_in_a_family_that_is_served_by_its_images(request, built, runtime):
    """Each server sees its own files, the install's documents, and a folder of sockets; nothing of the home."""
    start = request.getfixturevalue(runtime)
    photo = built.picture("ring-blue-9")
    index, space = (version_of(built, model) for model in ("photos", "photos-space"))
    with TemporaryDirectory(dir="/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        documents, of_index, of_proxy = (folder / one for one in ("documents", "index", "proxy"))
        write_document(documents, load_document("photos"), {"family": "photos", "load": [entry(index)]})
        for place in (of_index, of_proxy / "index"):
            place.mkdir(parents=True)
        given_away(folder)
        seen = (Mount(documents, f"/{DOCUMENTS}"), Mount(of_index, "/tmp", writable=True))
        inside = stack.enter_context(serving(start(INDEX, seen), of_index / "server.sock", folder / "index.log"))
        reached = [address.replace("/tmp/", "/tmp/index/") for address in inside]
        cover = {"family": "photos", "space": entry(space), "embedding": index.metadata["embedding"]}
        write_document(documents, cover_document("photos"), {**cover, "indexes": [{**entry(index), "addresses": reached}]})
        seen = (Mount(documents, f"/{DOCUMENTS}"), Mount(of_proxy, "/tmp", writable=True), Mount(of_index, "/tmp/index", writable=True))
        (address,) = stack.enter_context(serving(start(SPACE, seen), of_proxy / "server.sock", folder / "proxy.log"))
        path = str(of_proxy / Path(address).name)
        answer = ask(path, "/v1/search/photos?k=3&filter=colour:blue", "POST", photo, {"content-type": "image/png"}).json
    assert answer["items"][0]["id"] == "ring-blue-9"
    assert answer["items"][0]["score"] > 0.999
    assert {item["colour"] for item in answer["items"]} == {"blue"}
    assert answer["partial"] is False


def version_of(family: Indexed, model: str) -> ModelVersion:
    told = family.cli("models", "show", f"{model}@1", "-o", "json").json
    return ModelVersion(model, 1, told["digest"], told["metadata"])
