"""Sealing: the last act of a step. Its outputs are digested, made durable and read-only, and a manifest is renamed into place.

A folder without a manifest is half-written and never published; one with a manifest is whole, whoever dies next.
Folders stay writable, so that `rm -r` removes a home; a file that is added to an output is found when it is verified.
"""

import json
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from lykeion.adapters.volume.faults import point
from lykeion.adapters.volume.manifest import MANIFEST_FILE, Manifest, SealedFile
from lykeion.core.content import is_executable, legible
from lykeion.core.masking import Mask
from lykeion.core.pipelines.contract import RESULT_FILE, StepFile
from lykeion.durable import sync_folder

BLOCK = 1 << 16  # bytes read at a time; hashlib.file_digest fills a quarter of a megabyte with zeros for the smallest file


def lying_below(folder: str, prefix: str = "") -> Iterator[os.DirEntry[str]]:
    """The regular files below `folder` and the folders in which nothing lies, in a stable order. Raises ValueError for all else."""
    with os.scandir(f"{folder}/{prefix}") as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            inner = lying_below(folder, f"{prefix}{entry.name}/")
            yield next(inner, entry)
            yield from inner
        elif entry.is_file(follow_symlinks=False):
            yield entry
        else:
            raise ValueError(
                f"{prefix}{entry.name} is not a regular file: an output holds files and folders only, so copy what it points to"
            )


def seal_file(path: str, name: str) -> SealedFile:
    """Digest a file, make it durable and read-only, a program as one; its stat is taken last.

    Raises ValueError where it changes meanwhile.
    """
    digest = sha256()
    try:
        opened = open(path, "rb", buffering=0)  # noqa: SIM115
    except PermissionError as error:
        raise ValueError(f"{name} cannot be read by who wrote it: leave the right to read on the files of an output") from error
    with opened as file:
        before = os.fstat(file.fileno())
        while block := file.read(BLOCK):
            digest.update(block)
        executable = is_executable(before.st_mode)
        os.fchmod(file.fileno(), 0o555 if executable else 0o444)
        os.fsync(file.fileno())
        now = os.fstat(file.fileno())
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ValueError(
            f"{name} changed after the component had returned: a thread or process that it started writes on, so wait for its end"
        )
    return SealedFile(name, now.st_size, digest.hexdigest(), now.st_ino, now.st_mtime_ns, now.st_ctime_ns, executable)


def is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def seal_output(folder: str) -> tuple[SealedFile, ...]:
    """Seal all that lies below `folder`. Raises ValueError where one is neither file nor folder, cannot be read, or has a name that is not
    UTF-8, and where the folder itself is gone."""
    files, folders = [], {folder}
    if not os.path.isdir(folder):
        raise ValueError(f"the folder of the output {os.path.basename(folder)} is gone: a component writes into it, and lets it be")
    for entry in lying_below(folder):
        name = entry.path[len(folder) + 1 :]
        if not is_text(name):  # canonical JSON could not hold it
            raise ValueError(f"the name {name.encode(errors='backslashreplace').decode()} is not UTF-8: give the file another one")
        files.append(SealedFile.folder(name) if entry.is_dir() else seal_file(entry.path, name))
        folders.add(os.path.dirname(entry.path))
    for each in folders:
        sync_folder(each)
    return tuple(files)


def left_behind(folder: str) -> dict[str, Any]:
    """What `result.json` says; nothing where there is none. Raises ValueError where it cannot be kept."""
    try:
        with open(f"{folder}/{RESULT_FILE}") as file:
            said: dict[str, Any] = legible(json.load(file))
    except FileNotFoundError:
        said = {}
    if not all(isinstance(part, dict) for part in (said, *(said.get(name, {}) for name in ("metrics", "result")))):
        raise ValueError(f"{RESULT_FILE} holds something else than an object with the objects `metrics` and `result`")
    return said


def write_manifest(folder: str, manifest: Manifest) -> None:
    """Durably, by one rename."""
    beside = f"{folder}/.{MANIFEST_FILE}.{os.getpid()}"
    with open(beside, "w") as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    os.rename(beside, f"{folder}/{MANIFEST_FILE}")
    sync_folder(folder)


def seal(folder: str, step: StepFile, started: float, partition: int | None = None, mask: Mask | None = None) -> None:
    """Seal the outputs of `step` that lie in `folder`, with what `result.json` there says, secrets masked. Raises ValueError, OSError."""
    outputs = {name: seal_output(f"{folder}/{name}") for name in step.outputs}
    said = (mask or Mask()).value(left_behind(folder))
    manifest = Manifest(
        key=step.key,
        step=step.step,
        outputs=outputs,
        metrics=said.get("metrics", {}),
        result=said.get("result", {}),
        uncached=said.get("uncached", ""),
        material=step.material,
        started=started,
        created=time.time(),
        partition=partition,
        partition_count=0 if partition is None else step.partition_count,
    )
    point("before_seal")
    write_manifest(folder, manifest)
    point("after_seal")
