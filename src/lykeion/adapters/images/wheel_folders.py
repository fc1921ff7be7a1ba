"""Installed wheels, each in a folder of its own, named by its key: put there by uv for the image's platform, then taken apart.

Scripts, RECORD and stamps are made so that nothing tells where the image was built. Every file is held against the wheel's RECORD when
it is packed: uv links its cache into folders, and somebody may have edited a file there.
"""

import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

from packaging.utils import canonicalize_name

from lykeion.adapters.images.caches import touched
from lykeion.adapters.images.uv import for_target, uv
from lykeion.core.images.entries import Entry
from lykeion.core.images.locks import Lock
from lykeion.core.images.wheels import Locked, Recorded, Target, is_left_out, key, place, read_record, script, scripts, write_record
from lykeion.errors import Invalid, Problem, Unavailable

BROKEN = "the wheel is broken: build it again with a current tool"
REMEDIES = {  # by what uv says; the first that fits
    "No space left": "make room on the disk",
    "no usable wheels": "it is there as source only: build a wheel of it and name that by its URL, or leave it out",
    "no wheels with a matching": "choose a version that has a wheel for this platform, build one, or leave it out",
    "Hash mismatch": "the index has other bytes than the lock says: lock again if you trust it",
    "RECORD": BROKEN,
    "The wheel is invalid": BROKEN,
    "Failed to extract archive": BROKEN,
    "was not found": "check the name and the index (UV_INDEX_URL)",
}
CODE = (".py", ".so", ".pth")  # elsewhere than in a package's folder only these matter; a LICENSE does not


class File(NamedTuple):
    """A file as it is packed. `place`: its path in the image; `stored`: its path as it was installed."""

    place: str
    stored: str
    size: int
    sha256: str
    executable: bool


@dataclass(frozen=True)
class Folders:
    """The folders of wheels below `cache`, which may be deleted at any time."""

    cache: Path
    target: Target

    def folder(self, package: Locked) -> Path:
        return self.cache / key([package], self.target, "").removeprefix("sha256:")  # .pyc are not kept here

    def sizes(self, lock: Lock) -> dict[str, int]:
        """Name -> bytes of each wheel; those that are not here are installed.

        Raises Invalid with every package that cannot be installed, Unavailable where an index does not answer.
        """
        known = {one: size for one in lock.packages if (size := self._size(one))}
        if missing := tuple(one for one in lock.packages if one not in known):
            self._install(replace(lock, packages=missing))
            known |= {one: self._size(one) for one in missing}
        return {one.name: size for one, size in known.items()}

    def _size(self, package: Locked) -> int:
        """0 where it is not here."""
        try:
            size = int((self.folder(package) / "size").read_text())
            touched(self.folder(package))
            return size
        except FileNotFoundError:
            return 0

    def entries(self, package: Locked) -> Iterator[Entry]:
        """Of a wheel that is here. Who packs them holds each against what the wheel's RECORD says."""
        folder = self.folder(package)
        again = f"run uv cache clean {package.name}, delete {folder}, and build again"
        remedy = f"somebody edited it, or the wheel was built wrong: {again}; where that does not help, build the wheel anew"
        is_not = f"is not what {package.name} {package.version} says of it: {remedy}"
        for file in (File(*one) for one in json.loads((folder / "files.json").read_bytes())):
            mode = 0o755 if file.executable else 0o644
            yield Entry(file.place, mode=mode, source=f"{folder}/site/{file.stored}", size=file.size, sha256=file.sha256, is_not=is_not)

    def _install(self, lock: Lock) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        beside = Path(mkdtemp(prefix=".", dir=self.cache))
        try:
            if self._uv(lock, beside / "site"):
                raise Invalid(self._problems(lock, beside))
            self._take_apart(lock, beside)
        finally:
            shutil.rmtree(beside)

    def _uv(self, lock: Lock, site: Path) -> str:
        """Install into a folder; "" where it went well, else what uv said. Raises Unavailable."""
        arguments = ["pip", "install", *for_target(self.target), "--require-hashes", "--no-deps", "--target", str(site), "-r", "-"]
        ended = uv(arguments, lock.text, lock.folder or None)
        if ended.is_unreachable:
            raise Unavailable(f"packages cannot be fetched: {ended.said}\nTry again, or see UV_INDEX_URL.")
        return "" if ended.ok else ended.said

    def _problems(self, lock: Lock, beside: Path) -> list[Problem]:
        """What is wrong with each package, each tried alone."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            said = pool.map(lambda one: self._uv(replace(lock, packages=(one,)), beside / "tried" / one.name), lock.packages)
            return [problem_of(one, why) for one, why in zip(lock.packages, said, strict=True) if why]

    def _take_apart(self, lock: Lock, beside: Path) -> None:
        """Give each wheel of `beside/site` its folder."""
        records = read_records(lock, beside / "site")
        uses = Counter(file.path for files in records.values() for file in files)
        for package, files in records.items():
            folder = beside / "apart" / package.name
            settled = list(settle(files, beside / "site", folder, uses))
            (folder / "files.json").write_text(json.dumps(settled))
            (folder / "size").write_text(str(sum(file.size for file in settled)))
            try:
                folder.rename(self.folder(package))
            except OSError:
                if not self._size(package):
                    raise  # else another builder was faster


def problem_of(package: Locked, said: str) -> Problem:
    remedy = next((remedy for words, remedy in REMEDIES.items() if words in said), "")
    return Problem(f"{package.name} {package.version} cannot be installed: {said}", value=package.name, remedy=remedy)


def read_records(lock: Lock, site: Path) -> dict[Locked, list[Recorded]]:
    """Package -> its files, as installed. Raises Invalid with all that cannot be packed as it is."""
    found: dict[Locked, list[Recorded]] = {}
    problems: list[Problem] = []
    there = {canonicalize_name(folder.name.partition("-")[0]): folder for folder in site.glob("*.dist-info")}
    for package in lock.packages:
        try:
            listed = read_record((there[canonicalize_name(package.name)] / "RECORD").read_text())
            found[package] = [file for file in listed if not is_left_out(file.path)]
        except (KeyError, OSError, ValueError) as error:
            why = f"its RECORD cannot be used: {error}" if isinstance(error, ValueError) else "it has no RECORD"
            problems.append(Problem(f"{package.name} {package.version}: {why}", value=package.name, remedy=BROKEN))
    forms: defaultdict[str, dict[str, Locked]] = defaultdict(dict)
    for package, files in found.items():
        for file in files:
            forms[file.path].setdefault(file.sha256, package)
    clashes = {path: each for path, each in forms.items() if len(each) > 1}
    for path, each in clashes.items():
        if "/" in path or path.endswith(CODE):
            names = " and ".join(sorted(package.name for package in each.values()))
            problems.append(Problem(f"{names} both have a file {path}, and not the same one", value=path, remedy="leave one of them out"))
    if problems:
        raise Invalid(problems)
    return {package: [file for file in files if file.path not in clashes] for package, files in found.items()}


def settle(files: Sequence[Recorded], site: Path, folder: Path, uses: Mapping[str, int]) -> Iterator[File]:
    """Move a wheel's files into its folder, with its scripts and its RECORD as they are in the image. `uses`: how many have a file."""
    started = scripts(files)
    listed: list[Recorded] = []
    for below in {os.path.dirname(file.path) for file in files}:
        (folder / "site" / below).mkdir(parents=True, exist_ok=True)
    (record,) = (file.path for file in files if not file.sha256)
    for file in files:
        stored, whence = folder / "site" / file.path, site / file.path
        if file.path == record:
            continue
        executable = bool(whence.stat().st_mode & 0o100)
        if file.path in started:
            listed.append(written(stored, script(whence.read_bytes()), f"../{file.path}"))
        elif uses[file.path] > 1:
            shutil.copy2(whence, stored)
            listed.append(file)
        else:
            whence.rename(stored)
            listed.append(file)
        yield File(place(file.path, file.path in started), file.path, listed[-1].size, listed[-1].sha256, executable)
    itself = written(folder / "site" / record, write_record(listed, record).encode(), record)
    yield File(place(record, False), record, itself.size, itself.sha256, False)


def written(where: Path, data: bytes, path: str) -> Recorded:
    where.write_bytes(data)
    return Recorded(path, sha256(data).hexdigest(), len(data))
