"""Images: what building and pushing them costs here and with buildah, of the same content. CPU seconds of all processes.

    .venv/bin/python benchmarks/images.py [--cache DIR] [--without-buildah]

The serving image: Debian's Python, the packages of lykeion[search], Lykeion, and a model of 1 GiB. The training image: the same without
a model, with an author's code. buildah copies what our layers hold, laid out beforehand, file by file the same; it fetches, unpacks and
compiles nothing. Needs Debian's docker-registry, and buildah with an overlay driver. A `--cache` that is kept holds Debian's packages;
what is made of Python's is made anew.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lykeion.adapters.images.build import Built, build
from lykeion.adapters.images.debs import lay_out
from lykeion.adapters.images.recipes import Recipe
from lykeion.adapters.images.store import Store
from lykeion.adapters.images.workshop import Workshop
from lykeion.adapters.registry.client import Registry
from lykeion.adapters.registry.http import Http
from lykeion.adapters.registry.push import Pushed, push
from lykeion.components.catalogue import Catalogue
from lykeion.core.images.entries import Content
from lykeion.core.images.references import Reference
from lykeion.core.images.tree import arranged
from lykeion.core.models.manifest import Manifest
from lykeion.repository import Repository, open_repository
from lykeion.testing.registries import RealRegistry
from measure import cost, table

GIBI = 1 << 30
STEP = """from lykeion import Output, component
import lykeion.components.index


@component
def note(note: Output) -> None:
    (note.path / "note.txt").write_text("{text}")
"""
PIPELINE = """apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: work}
spec:
  steps:
    - {name: note, component: "./step.py:note"}
"""
CHECKOUT = Path(__file__).parents[1]


def spent() -> float:
    """CPU seconds of this process, and of all that it started and waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def metered() -> Iterator[Callable[[], float]]:
    """CPU seconds of the block, once it is over."""
    before, ended = spent(), 0.0
    yield lambda: ended - before
    ended = spent()


class Bench:
    """One home, one registry, one repository with a model of 1 GiB."""

    def __init__(self, folder: Path, cache: Path, host: str) -> None:
        self.folder, self.cache, self.host = folder, cache, host
        self.repository: Repository = open_repository((folder / "repository").as_uri())
        self.code = folder / "code"
        self.code.mkdir(parents=True, exist_ok=True)
        self.catalogue = Catalogue(folder / "catalogue")

    def workshop(self, store: str = "images") -> Workshop:
        def refused(reference: Reference) -> None:
            raise RuntimeError(f"nothing is pulled here: {reference}")

        return Workshop(self.cache, Store(self.folder / store), refused)

    def model(self, number: int) -> Path:
        """A folder with a model of 1 GiB that nobody has seen, read-only as the outputs of steps are."""
        content = self.folder / f"content-{number}"
        content.mkdir()
        (content / "index.json").write_text("{}")
        with (content / "rows.fp16").open("wb") as rows:
            for _ in range(1024):
                rows.write(os.urandom(1 << 20))
        for file in content.iterdir():
            file.chmod(0o444)
        return content

    def serving(self, shop: Workshop, manifest: Manifest) -> Recipe:
        return shop.serving(manifest, self.repository.path(manifest.model, manifest.version, self.folder / "downloads"))

    def training(self, shop: Workshop, text: str) -> Recipe:
        """Described beforehand, as every run of the pipeline does."""
        (self.code / "step.py").write_text(STEP.format(text=text))
        return shop.training("work", self.code, (), self.catalogue.describe_all(str(self.code), ["./step.py:note"]), None)

    def send(self, shop: Workshop, built: Built, name: str, tag: str = "1") -> Pushed:
        with Registry(Http(self.host)) as registry:
            return push(shop.store, built.image, registry, Reference(self.host, name, tag))


def ours(bench: Bench) -> dict[str, float]:
    found: dict[str, float] = {}
    shop = bench.workshop()
    content = bench.model(1)
    with metered() as used:
        manifest = bench.repository.publish("photos", content)
    found["publish"] = used()
    with metered() as used:
        built = build(bench.serving(shop, manifest), shop.store)
        bench.send(shop, built, "serving")
    found["cold"] = used()
    again = bench.workshop("images-2")  # packages are installed here, their layers are not
    with metered() as used:
        bench.send(again, build(bench.serving(again, manifest), again.store), "packed")
    found["packed"] = used()
    with metered() as used:
        told = bench.send(shop, build(bench.serving(shop, manifest), shop.store), "serving")
    found["unchanged"], found["unchanged_bytes"] = used(), told.bytes

    bench.send(shop, build(bench.training(shop, "first"), shop.store), "training")
    bench.training(shop, "second")
    with metered() as used:
        built = build(bench.training(shop, "second"), shop.store)
        told = bench.send(shop, built, "training")
    found["code"], found["code_bytes"] = used(), told.bytes
    found["code_layer"] = sum(layer.descriptor.size for layer in built.image.layers if layer.kind == "code")

    found["command"] = command(bench, STEP)
    found["plain_command"] = command(bench, STEP.replace("import lykeion.components.index\n", ""))

    manifest = bench.repository.publish("photos", bench.model(2))
    before = sum(size for _, size in shop.store.files.list(""))
    with metered() as used:
        built = build(bench.serving(shop, manifest), shop.store)
    found["model"] = used()
    found["model_disk"] = sum(size for _, size in shop.store.files.list("")) - before
    with metered() as used:
        found["model_bytes"] = bench.send(shop, built, "serving", "2").bytes
    found["model_push"] = used()
    told = bench.send(shop, built, "serving", "3")
    found["model_again"] = sum(layer.bytes for layer in told.layers)
    return found


def command(bench: Bench, step: str) -> float:
    """Code changed, built and pushed by the command line: its start and the description of the changed component with it."""
    home = bench.folder / "home"
    (home / "cache").mkdir(parents=True, exist_ok=True)
    if not (home / "cache" / "images").exists():
        (home / "cache" / "images").symlink_to(bench.cache.resolve())
    file = bench.code / "pipeline.yaml"
    file.write_text(PIPELINE)
    words = ["image", "build", file, "--home", home, "--tag", f"{bench.host}/command:1", "--push"]
    for text in ("before", "changed"):
        (bench.code / "step.py").write_text(step.format(text=text))
        used = cost([Path(sys.executable).with_name("lykeion"), *words])
    return used.cpu


def buildah(bench: Bench) -> dict[str, float]:
    """The same files from one folder for each kind of layer, and again with the changes."""
    shop, context = bench.workshop(), bench.folder / "context"
    manifest = bench.repository.manifest("photos", 1)
    parts = [part for part in bench.serving(shop, manifest).parts if isinstance(part, Content)]
    for part in parts:
        lay_out(arranged(part.entries()), context / ("base" if part.kind == "base" else "packages"))
    shutil.copytree(bench.code, context / "code")
    model = context / "model"
    model.mkdir()
    folder = bench.repository.path("photos", 1, bench.folder / "downloads")
    shutil.copytree(folder, model, dirs_exist_ok=True)
    common = "FROM scratch\nCOPY base /\nCOPY packages /\n"
    (context / "serving").write_text(f"{common}COPY model /model\n")
    (context / "training").write_text(f"{common}COPY code /app\n")
    place = ["--root", bench.folder / "buildah", "--runroot", bench.folder / "buildah-run", "--storage-driver", "overlay"]

    def run(kind: str) -> float:
        made = cost(["buildah", *place, "bud", "--layers", "--isolation", "chroot", "-t", kind, "-f", context / kind, context])
        sent = cost(["buildah", *place, "push", "--tls-verify=false", kind, f"docker://{bench.host}/buildah/{kind}:1"])
        return made.cpu + sent.cpu

    found = {"cold": run("serving"), "unchanged": run("serving")}
    run("training")
    (context / "code" / "step.py").write_text(STEP.format(text="another"))
    found["code"] = run("training")
    shutil.copyfile(bench.repository.path("photos", 2, bench.folder / "downloads") / "rows.fp16", model / "rows.fp16")
    made = cost(["buildah", *place, "bud", "--layers", "--isolation", "chroot", "-t", "serving", "-f", context / "serving", context])
    found["model"] = made.cpu
    return found


def resident() -> float:
    """The most megabytes that this process has had in memory."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")) / 1e3


def inner_memory(bench: Bench) -> float:
    """Cold, with a model: megabytes above what the interpreter and all imports take."""
    shop, manifest, before = bench.workshop("images-3"), bench.repository.manifest("photos", 1), resident()
    bench.send(shop, build(bench.serving(shop, manifest), shop.store), "memory")
    return resident() - before


def inner_digest(bench: Bench) -> str:
    """Of the training image, from nothing but this checkout."""
    shop = bench.workshop("images-4")
    return build(bench.training(shop, "first"), shop.store).image.digest


def elsewhere(bench: Bench, base: Path) -> tuple[str, str]:
    """The digest made here, and by somebody else from another checkout with a cache of its own."""
    other = bench.folder / "another place" / "checkout"
    shutil.copytree(CHECKOUT / "src", other / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(CHECKOUT / "benchmarks", other / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    there = other.parent / "home"
    (there / "cache").mkdir(parents=True)
    shutil.copyfile(base, there / "cache" / "base.lock")
    nobody: list[str] = []
    if os.geteuid() == 0 and shutil.which("setpriv"):  # may read this Python, wherever it is installed
        subprocess.run(["chown", "-R", "65534:65534", other.parent], check=True)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        nobody += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    bench.folder.chmod(0o755)
    words = [
        *nobody,
        sys.executable,
        other / "benchmarks" / "images.py",
        "--inner",
        "digest",
        "--folder",
        there,
        "--cache",
        there / "cache",
    ]
    env = {**os.environ, "PYTHONPATH": str(other / "src"), "TZ": "Asia/Tokyo", "HOME": str(there), "UV_CACHE_DIR": str(there / "uv")}
    ran = subprocess.run([str(word) for word in words], env=env, umask=0o077, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return inner_digest(bench), json.loads(ran.stdout)


def inner(words: argparse.Namespace) -> None:
    bench = Bench(words.folder, words.cache, words.host)
    print(json.dumps(inner_memory(bench) if words.inner == "memory" else inner_digest(bench)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--without-buildah", action="store_true")
    parser.add_argument("--inner", choices=("memory", "digest"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--host", default="", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.inner:
        inner(words)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache = words.cache or folder / "cache"
        before = set_aside(cache)
        with RealRegistry(folder / "registry") as registry:
            bench = Bench(folder / "work", cache, registry.host)
            here = ours(bench)
            command = [sys.executable, __file__, "--inner", "memory", "--folder", bench.folder, "--cache", cache, "--host", registry.host]
            ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
            memory = json.loads(ran.stdout)
            there = {} if words.without_buildah or not shutil.which("buildah") else buildah(bench)
            mine, others = elsewhere(bench, cache / "base.lock")
        for made in before:
            shutil.rmtree(made)
    report(here, there, memory, mine == others)


def set_aside(cache: Path) -> list[Path]:
    """Have no packages, installed or compiled. Those that are there go only at the end: for minutes after that, ext4 makes files dearly."""
    there = [cache / made for made in ("wheels", "compiled") if (cache / made).exists()]
    return [made.rename(made.with_name(f"{made.name}-before")) for made in there]


def report(here: dict[str, float], there: dict[str, float], memory: float, same: bool) -> None:
    def row(what: str, key: str, goal: str) -> tuple[object, ...]:
        peer = there.get(key)
        return what, here[key], peer or "", f"{peer / here[key]:.0f} x" if peer else "", goal

    table(
        ("CPU-s", "here", "buildah", "ratio", "goal"),
        [
            row("cold, 1 GiB model: build + push, packages fetched and compiled", "cold", "≤ 8"),
            ("the same, packages installed before", here["packed"], there.get("cold", ""), "", ""),
            row("nothing changed: build + push", "unchanged", "≤ 0.05"),
            row("code changed: build + push", "code", "≤ 0.1, 200 x"),
            ("the same by the command, whose start it has with it", here["plain_command"], there.get("code", ""), "", ""),
            ("the same where the step imports the search components", here["command"], there.get("code", ""), "", ""),
            row("new 1 GiB model, published: build", "model", "≤ 0.02"),
            ("publishing it", here["publish"], "", "", "≤ 1.5 with the build"),
            ("pushing it", here["model_push"], "", "", ""),
        ],
    )
    print()
    table(
        ("bytes and digests", "here", "goal"),
        [
            ("sent, nothing changed", int(here["unchanged_bytes"]), "0"),
            ("sent, code changed, above its layer", int(here["code_bytes"] - here["code_layer"]), "≤ 8000"),
            ("disk, new 1 GiB model", int(here["model_disk"]), "≤ 65536"),
            ("layers sent, the registry has the model", int(here["model_again"]), "0"),
            ("peak memory, cold, MB above the imports", round(memory), "≤ 64"),
            ("digest from another checkout, user, umask, time zone, cache", "equal" if same else "DIFFERENT", "equal"),
        ],
    )


if __name__ == "__main__":
    main()
