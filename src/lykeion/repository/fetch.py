"""The way out: a version's files into a folder of this machine, verified while they arrive, and what is wrong with a stored version."""

import fcntl
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lykeion.core.content import FileDigest, is_executable
from lykeion.core.models.manifest import MANIFEST, Manifest
from lykeion.errors import Corrupt, NotFound, Problem
from lykeion.repository.layout import version_folder
from lykeion.repository.upload import CHUNK, stored_digest

if TYPE_CHECKING:  # the ports bring pydantic's models with them, which a step that publishes can do without
    from lykeion.ports import ObjectStore


def fetch(store: "ObjectStore", manifest: Manifest, cache: Path) -> Path:
    """Download a version to `cache/<model>/<version>`, once; of many processes one does it and the others wait.

    An interrupted download goes on where it stopped. Raises Corrupt where bytes are not what the manifest says.
    """
    target = cache / manifest.model / str(manifest.version)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{manifest.version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        partial = target.parent / f".{manifest.version}.partial"
        partial.mkdir(exist_ok=True)
        for file in manifest.contents():
            fetch_file(store, f"{version_folder(manifest.model, manifest.version)}/{file.path}", file, partial / file.path)
        for program in [file.path for file in manifest.files if file.executable]:
            (partial / program).chmod(0o755)
        for folder in manifest.folders:
            (partial / folder).mkdir(parents=True, exist_ok=True)
        (partial / MANIFEST).write_bytes(manifest.to_bytes())
        wanted = {MANIFEST, *(file.path for file in manifest.contents())}
        for stray in [found for found in partial.rglob("*") if found.is_file() and found.relative_to(partial).as_posix() not in wanted]:
            stray.unlink()
        partial.rename(target)
    return target


def fetch_file(store: "ObjectStore", key: str, expected: FileDigest, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content, have = sha256(), 0
    if target.exists():
        with target.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                content.update(chunk)
                have += len(chunk)
    if have > expected.size or (have == expected.size and content.hexdigest() != expected.sha256):
        target.unlink()
        content, have = sha256(), 0
    with target.open("ab") as stream:
        for chunk in store.read(key, have) if have < expected.size else ():
            content.update(chunk)
            have += len(chunk)
            if have > expected.size:
                break  # the digest tells; nobody knows how much would follow
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    if content.hexdigest() != expected.sha256:
        target.unlink()
        raise Corrupt(f"{key}: its bytes are not those that were published; `lykeion models verify` says what else is damaged")


def forget(cache: Path, model: str, version: int) -> None:
    """Remove a downloaded version from `cache`."""
    for name in (str(version), f".{version}.partial"):
        shutil.rmtree(cache / model / name, ignore_errors=True)


def examine(store: "ObjectStore", manifest: Manifest) -> list[Problem]:
    """What is not as it was published: files that are corrupted or missing, and those that nobody published."""
    folder = version_folder(manifest.model, manifest.version)
    there = dict(store.list(folder))
    problems: list[Problem] = []
    remedy = f"remove the version and publish {manifest.model} again"
    for file in manifest.contents():
        key = f"{folder}/{file.path}"
        try:
            found = stored_digest(store, key) if there.pop(key, None) is not None else None
        except NotFound:
            found = None
        if found is None:
            problems.append(Problem("missing", file=key, remedy=remedy))
        elif found != (file.size, file.sha256):
            problems.append(Problem("corrupted: its digest is not the published one", file=key, value=f"sha256:{found[1]}", remedy=remedy))
    there.pop(f"{folder}/{MANIFEST}", None)
    if (here := store.local_path(folder)) is not None:
        missing = [path for path in manifest.folders if not (here / path).is_dir()]
        problems += [Problem("missing", file=f"{folder}/{path}/", remedy=remedy) for path in missing]
        problems += [
            Problem(
                f"it can{'not' if file.executable else ''} be run, unlike when it was published",
                file=f"{folder}/{file.path}",
                remedy=remedy,
            )
            for file in manifest.files
            if (here / file.path).exists() and is_executable((here / file.path).stat().st_mode) != file.executable
        ]
    return problems + [Problem("nobody published this file", file=key, remedy="delete it") for key in sorted(there)]
