"""What lies on the volume of a home, as the values that are decided about: kinds, names, sizes, times."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import is_held
from lykeion.core.pipelines.reachability import Kind, Thing

TRASH = "trash"


def inventory(home: Home) -> Iterator[Thing]:
    """Everything that could be collected. The order does not matter; what vanishes meanwhile is passed over."""
    for key in folders(home.outputs):
        yield thing(home, "output", key.name, key, step=step_of(key / "manifest.json"))
    for key in folders(home.partial):
        step = next((step_of(part / "manifest.json") for part in folders(key) if part.name.startswith("part-")), "")
        yield thing(home, "partial", key.name, key, step=step)
    for attempt in folders(home.staging):
        sealed = next(attempt.rglob("manifest.json"), None) is not None
        yield thing(home, "sealed" if sealed else "staging", attempt.name, attempt, held=is_held(attempt / "lock"))
    for kept in folders(home.root / "corrupt"):
        yield thing(home, "corrupt", kept.name, kept)
    yield from items(home)
    yield from models(home)
    yield from logs(home)
    yield from roots(home)


def items(home: Home) -> Iterator[Thing]:
    """The item caches. Features go by extractor: segments are put together by who writes them."""
    for prefix in folders(home.cache / "pictures"):
        for picture in files(prefix):
            if not picture.name.startswith("."):
                yield thing(home, "picture", picture.name, picture)
    for extractor in folders(home.cache / "features"):
        yield thing(home, "features", extractor.name, extractor)
    for extractor in folders(home.cache / "extractors"):
        yield thing(home, "extractor", extractor.name, extractor)
    for size in folders(home.cache / "thumbnails"):
        for prefix in folders(size):
            for picture in files(prefix):
                yield thing(home, "thumbnail", picture.stem, picture)
    for description in files(home.cache / "components"):
        yield thing(home, "description", description.name, description)


def models(home: Home) -> Iterator[Thing]:
    """Mounts, and the downloads that some of them point to: a download is as young as its mount, so that none is left dangling."""
    mounted: dict[str, Thing] = {}
    for model in folders(home.models):
        for version in versions(model):
            name = f"{model.name}/{version.name}"
            mounted[name] = thing(home, "mount", name, version)
    yield from mounted.values()
    for model in folders(home.cache / "models"):
        for version in versions(model):
            download = thing(home, "download", f"{model.name}/{version.name}", version)
            mount = mounted.get(download.name, download)
            yield replace(download, touched=max(download.touched, mount.touched))


def versions(model: Path) -> list[Path]:
    return sorted(entry for entry in listed(model) if entry.name.isdecimal())


def logs(home: Home) -> Iterator[Thing]:
    for folder in folders(home.logs):
        if folder.name != "services":
            yield thing(home, "log", folder.name, folder)
    for log in files(home.logs / "services"):
        yield thing(home, "log", log.name.partition(".log")[0].rpartition("-")[0], log)


def roots(home: Home) -> Iterator[Thing]:
    """Unpacked images. Each is touched when it is used; what is in it is as old as its image says."""
    for root in folders(home.root / "rootfs"):
        name = root.name.removeprefix(".")  # with a dot: half unpacked
        found = thing(home, "root", name, root, held=is_held(root.parent / f"{name}.lock"))
        yield replace(found, touched=datetime.fromtimestamp(root.stat().st_mtime, UTC))


def thing(home: Home, kind: Kind, name: str, path: Path, *, step: str = "", held: bool = False) -> Thing:
    size, touched = measured(path)
    return Thing(kind, name, str(path.relative_to(home.root)), size, datetime.fromtimestamp(touched, UTC), step, held)


def measured(path: Path) -> tuple[int, float]:
    """Bytes on the disk below `path`, and the newest time of anything in it. A link counts for itself."""
    size, touched = 0, 0.0
    places = [str(path)]
    while places:
        place = places.pop()
        with suppress(FileNotFoundError):
            found = os.lstat(place)
            touched = max(touched, found.st_mtime)
            if stat.S_ISDIR(found.st_mode):
                places += [entry.path for entry in os.scandir(place)]
            else:
                size += found.st_size
    return size, touched


def step_of(manifest: Path) -> str:
    """Which step made an output; "" where it does not say."""
    try:
        return str(json.loads(manifest.read_bytes())["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in listed(folder) if entry.is_dir() and not entry.is_symlink())


def files(folder: Path) -> list[Path]:
    return sorted(entry for entry in listed(folder) if entry.is_file())


def listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
