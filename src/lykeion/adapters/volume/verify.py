"""Whether a sealed folder still holds what its manifest says. A file whose stat is as it was is believed; another is digested again."""

import os
from dataclasses import replace
from hashlib import file_digest

from lykeion.adapters.volume.manifest import FORMAT, MANIFEST_FILE, Manifest, SealedFile
from lykeion.adapters.volume.seal import lying_below
from lykeion.core.content import is_executable


def read_manifest(folder: str) -> Manifest | None:
    """None where there is none, or it is damaged."""
    try:
        with open(f"{folder}/{MANIFEST_FILE}", "rb") as file:
            return Manifest.from_json(file.read())
    except (OSError, ValueError):
        return None


def verify(folder: str, manifest: Manifest) -> Manifest | None:
    """The manifest with the stat of today where every output below `folder` is what it says, else None.

    The very same object comes back where nothing was touched.
    """
    outputs = {}
    for name, files in manifest.outputs.items():
        checked = verify_output(f"{folder}/{name}", files, manifest.format)
        if checked is None:
            return None
        outputs[name] = checked
    return manifest if outputs == manifest.outputs else replace(manifest, outputs=outputs)


def verify_output(folder: str, files: tuple[SealedFile, ...], sealed_as: int = FORMAT) -> tuple[SealedFile, ...] | None:
    """The files with the stat of today; None where one is missing, added or different. `sealed_as`: the format of their manifest."""
    expected = {file.path: file for file in files}
    checked: dict[str, SealedFile] = {}
    try:
        for entry in lying_below(folder):
            name = entry.path[len(folder) + 1 :]
            is_folder = entry.is_dir()
            name += "/" if is_folder else ""
            if name not in expected:
                if is_folder and sealed_as == 1:
                    continue
                return None
            current = expected[name] if is_folder else verify_file(entry, expected[name])
            if current is None:
                return None
            checked[name] = current
    except (OSError, ValueError):
        return None
    return tuple(checked[file.path] for file in files) if len(checked) == len(expected) else None


def verify_file(entry: os.DirEntry[str], expected: SealedFile) -> SealedFile | None:
    stat = entry.stat(follow_symlinks=False)
    if stat.st_size != expected.size:
        return None
    current = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    if current == expected.stat:
        return expected
    if is_executable(stat.st_mode) != expected.executable:
        return None
    with open(entry.path, "rb") as file:
        if file_digest(file, "sha256").hexdigest() != expected.sha256:
            return None
    return SealedFile(expected.path, stat.st_size, expected.sha256, *current, expected.executable)
