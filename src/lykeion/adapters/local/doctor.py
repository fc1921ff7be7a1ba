"""Checks of this machine and of one home: each says what it found and, where something is wrong, what to do. Nothing is changed."""

import os
import resource
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from hashlib import file_digest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from lykeion.adapters.containers.chosen import Containers
from lykeion.adapters.local.containment import tokened
from lykeion.adapters.local.home import CLOSE_IT, Home
from lykeion.adapters.local.locks import holder, is_held
from lykeion.adapters.local.memory import V1, V2, makeable
from lykeion.adapters.local.services import TOKEN
from lykeion.adapters.registry import REGISTRY
from lykeion.adapters.volume.verify import read_manifest
from lykeion.core.resources import KINDS
from lykeion.errors import Corrupt, LykeionError
from lykeion.ports import Resources

OLDEST_PYTHON, OLDEST_SQLITE = (3, 11), (3, 35, 0)  # SQLite: RETURNING
LEAST_ROOM = 2 * 2**30
LEAST_FILES = 1024
SAMPLE = 20  # outputs that are digested anew, the newest ones …
SAMPLE_BYTES = 2**30  # … as long as they are not more than this

EXTRAS = {
    "serve": ("starlette", "uvicorn", "prometheus_client", "msgspec"),
    "search": ("numpy", "pyarrow", "faiss", "onnxruntime", "grpc", "PIL"),
    "learn": ("numpy", "pyarrow", "sklearn", "skops"),
    "images": ("urllib3", "zstandard", "cryptography", "uv"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `ok` is None where it is worth knowing but nothing is wrong."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


def check_all(home: Home, port: int, resources: Resources, serving: bool = False) -> list[Check]:
    """Every check, the quick ones first. `serving`: the platform of this home is up, so the port is rightly taken."""
    checks: list[Callable[[], Iterator[Check]]] = [
        python,
        packages,
        lambda: folder(home),
        lambda: privacy(home),
        lambda: room(home),
        limits,
        lambda: memory_limits(home),
        containers,
        registry,
        lambda: free_port(port, serving),
        lambda: locks(home),
        lambda: strays(home, serving),
        lambda: database(home, resources),
        lambda: outputs(home),
    ]
    found = [one for check in checks for one in check()]
    return [replace(one, remedy="") if one.ok else one for one in found]


def python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", sys.version_info[:2] >= OLDEST_PYTHON, f"Python {version}", "install Python 3.11 or newer, then make setup")
    good = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    yield Check("sqlite", good, f"SQLite {sqlite3.sqlite_version}", "use a Python that is built with SQLite 3.35 or newer")
    yield Check("system", sys.platform == "linux", sys.platform, "the local engine needs Linux (pidfd, PDEATHSIG)")


def packages() -> Iterator[Check]:
    """Which optional parts are installed; none has to be."""
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        remedy = f"pip install 'lykeion[{extra}]'"
        yield Check(f"extra {extra}", None if missing else True, f"missing: {', '.join(missing)}" if missing else "installed", remedy)


def folder(home: Home) -> Iterator[Check]:
    """Whether files can be written, renamed and locked in the home."""
    probe = home.root / f".doctor-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
        probe.replace(probe.with_suffix(".renamed"))
        with probe.with_suffix(".renamed").open() as file:
            os.fsync(file.fileno())
        yield Check("home", True, f"{home.root} can be written")
    except OSError as wrong:
        yield Check(
            "home", False, f"{home.root}: {wrong.strerror}", "make it yours (chown), free some space, or choose another with --home"
        )
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
            probe.with_suffix(".renamed").unlink(missing_ok=True)


def privacy(home: Home) -> Iterator[Check]:
    yield Check("privacy", not home.exposure, home.exposure or "the home is closed to other users", CLOSE_IT)


def room(home: Home) -> Iterator[Check]:
    found = shutil.disk_usage(home.root)
    nodes = os.statvfs(home.root)
    few_nodes = nodes.f_files > 0 and nodes.f_favail < 10_000
    detail = f"{found.free / 2**30:.1f} GiB free of {found.total / 2**30:.1f}" + (f", {nodes.f_favail} files" if few_nodes else "")
    yield Check(
        "disk", found.free >= LEAST_ROOM and not few_nodes, detail, "lykeion gc --older-than 7d, or choose a larger disk with --home"
    )


def limits() -> Iterator[Check]:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield Check("open files", files >= LEAST_FILES, f"{files} at most", f"ulimit -n {LEAST_FILES}")
    yield Check("processors", True, f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} may be used")


def memory_limits(home: Home) -> Iterator[Check]:
    """How the memory limit of a step is kept: exactly by a cgroup, or roughly."""
    exact = any(makeable(place / f"lykeion-doctor-{home.token}") for place in (V1, V2))
    for place in (V1, V2):
        with suppress(OSError):
            (place / f"lykeion-doctor-{home.token}").rmdir()
    detail = "exact, by cgroups" if exact else "by address space: a step's limit counts what it maps, too"
    yield Check("memory limits", True if exact else None, detail, "delegate a cgroup to this user for exact ones")


def containers() -> Iterator[Check]:
    """What runs the images of steps; nobody needs it who has no such steps."""
    name, passed_over = Containers(Path()).found
    yield Check("containers", bool(name) or None, name or passed_over, "apt install bubblewrap")


def registry() -> Iterator[Check]:
    """Whether the registry that images go to lets us in; nothing where none is named."""
    prefix = os.environ.get(REGISTRY, "").rstrip("/")
    if not prefix:
        return
    try:
        reference = import_module("lykeion.core.images.references").parse_reference(f"{prefix}/doctor")
        with import_module("lykeion.adapters.registry.connect").registry(reference.host) as there:
            there.tags(reference.repository)
    except ModuleNotFoundError as error:
        yield Check("registry", False, f"{prefix}: {error.name} is not installed", "pip install 'lykeion[images]'")
    except LykeionError as error:
        yield Check("registry", False, str(error), f"{REGISTRY} names it")
    else:
        yield Check("registry", True, f"{prefix} answers")


def free_port(port: int, serving: bool) -> Iterator[Check]:
    if serving:
        yield Check("port", True, "the platform of this home is up")
        return
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            yield Check("port", True, f"{port} is free")
        except OSError as wrong:
            yield Check("port", False, f"{port}: {wrong.strerror}", "lykeion up --port 0 takes any free one")


def locks(home: Home) -> Iterator[Check]:
    """Who holds what. A lock whose holder is dead is free by itself."""
    held = [f"{path.name}: {holder(path)}" for path in sorted(home.locks.iterdir()) if is_held(path)]
    yield Check("locks", True, "; ".join(held) or "none is held")


def strays(home: Home, serving: bool) -> Iterator[Check]:
    """Services that run though no platform keeps them."""
    left = [] if serving else tokened(f"{TOKEN}={home.token}\0")
    detail = f"left over: processes {', '.join(map(str, left))}" if left else "none runs without a platform"
    yield Check("services", not left, detail, "lykeion up ends them when it starts; or kill them")


def database(home: Home, resources: Resources) -> Iterator[Check]:
    if not home.database.exists():
        yield Check("resources", True, "none yet")
        return
    try:
        with closing(sqlite3.connect(f"{home.database.as_uri()}?mode=ro", uri=True, timeout=10)) as opened:
            told = [row[0] for row in opened.execute("PRAGMA integrity_check(5)")]
            count = opened.execute("SELECT count(*) FROM resource").fetchone()[0] if told == ["ok"] else 0
    except sqlite3.Error as wrong:
        told, count = [str(wrong)], 0
    remedy = f"stop the platform and move {home.database} away; outputs and models stay, Pipelines have to be applied again"
    yield Check("resources", told == ["ok"], f"{count} resources, whole" if told == ["ok"] else "; ".join(told), remedy)
    if told == ["ok"]:
        yield from unreadable(resources)


def unreadable(resources: Resources) -> Iterator[Check]:
    """Resources that are damaged, or were written by a version that knew other fields: nothing moves them on."""
    damaged: list[Corrupt] = []
    for kind in KINDS:
        resources.list(kind, damaged.append)
    for wrong in damaged:
        name, _, found = str(wrong).partition(": ")
        what, _, remedy = found.partition("; ")
        yield Check(name, False, what, remedy)


def outputs(home: Home) -> Iterator[Check]:
    """The newest outputs, every byte of them: a damaged disk shows here first."""
    newest = sorted(folders_by_age(home.outputs), reverse=True)[:SAMPLE]
    damaged, looked, size = [], 0, 0
    for _, key in newest:
        manifest = read_manifest(str(key))
        files = [] if manifest is None else [(key / name / file.path, file) for name, each in manifest.outputs.items() for file in each]
        more = sum(file.size for _, file in files)
        if size + more > SAMPLE_BYTES:
            continue
        looked, size = looked + 1, size + more
        if manifest is None or not all(is_intact(path, file.sha256) for path, file in files if file.sha256):
            damaged.append(key.name)
    detail = f"damaged: {', '.join(damaged)}" if damaged else f"the newest {looked} are whole ({size / 2**20:.0f} MiB read)"
    remedy = "they are made anew when next asked for; look at the disk's own log (dmesg, smartctl)"
    yield Check("outputs", not damaged, detail, remedy)


def folders_by_age(folder: Path) -> Iterator[tuple[float, Path]]:
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):
            yield entry.stat().st_mtime, entry


def is_intact(path: Path, digest: str) -> bool:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False
