"""Python packages of an image: where the files of a wheel go, and which wheels share a layer.

A layer's key is made of what the lock says (name, version, hashes), so nothing must be there to find the layer again. Wheels of at
least `BIG` bytes have a layer each; the others lie in a tree by the digest of their name that splits where a branch holds more than
`GROUP` bytes. Who changes one package changes one layer, and who adds one changes one or splits one.
"""

import csv
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from lykeion.core.content import digest_of_value
from lykeion.core.images.places import PACKAGES, PYTHON, SCRIPTS

FORMAT = 1  # of what is made of a wheel
BIG = 8_000_000  # bytes, installed
GROUP = 12_000_000  # bytes, installed: about 4 MB compressed
LAYERS = 60  # at most

STAMPS = frozenset(
    {"direct_url.json", "uv_cache.json", "RECORD.jws", "RECORD.p7s"}
)  # where and when the builder got it; seals of the RECORD
SHEBANG = re.compile(rb"#!.*/(?:python|pypy)[0-9.]*[^\n/]*\n")
LONG_SHEBANG = re.compile(rb"#!/bin/sh\n'''exec' .*\n' '''\n")  # for paths that a kernel would cut


@dataclass(frozen=True, slots=True)
class Target:
    """What packages are installed for. `version`: Python's, as much of it as is known ("3.11.2")."""

    version: str
    platform: str = "x86_64-manylinux_2_28"

    @property
    def python(self) -> str:
        """The minor version: "3.11"."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True, slots=True)
class Locked:
    """A package at one version. `hashes`: those of the files that may be installed ("sha256:…"), sorted. `url`: where no index has it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    url: str = ""

    @property
    def requirement(self) -> str:
        """As a line of a requirements file."""
        return " ".join(
            [f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}", *(f"--hash={one}" for one in self.hashes)]
        )

    @property
    def part(self) -> tuple[str, str]:
        """For the SBOM: package URL, and the digest where there is one file."""
        return f"pkg:pypi/{self.name}@{self.version}", self.hashes[0] if len(self.hashes) == 1 else ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file of a wheel by its RECORD: path below site-packages, SHA-256 in hex, bytes. The RECORD does not know its own digest."""

    path: str
    sha256: str
    size: int


def key(packages: Iterable[Locked], target: Target, compiled: str) -> str:
    """Of the layer of these packages. `compiled`: the key of what makes the .pyc beside them."""
    lines = sorted([one.name, one.version, *one.hashes] for one in packages)
    return digest_of_value(
        {
            "wheels": FORMAT,
            "packages": lines,
            "python": target.python,
            "platform": target.platform,
            "pyc": compiled,
        }
    )


def layers(sizes: Mapping[str, int], most: int = LAYERS) -> list[tuple[str, ...]]:
    """Names of packages -> those that share a layer: the big ones first. `sizes` in bytes, installed."""
    scale = 1
    while True:
        big = sorted(name for name, size in sizes.items() if size >= BIG * scale)
        made = [(name,) for name in big] + branches({name: sizes[name] for name in sizes.keys() - set(big)}, GROUP * scale)
        if len(made) <= max(most, 1):
            return made
        scale *= 2


def branches(sizes: Mapping[str, int], limit: int, depth: int = 0) -> list[tuple[str, ...]]:
    """The packages in groups of at most `limit` bytes, unless one alone is more, by the bits of their names' digests."""
    if not sizes:
        return []
    if len(sizes) == 1 or sum(sizes.values()) <= limit:
        return [tuple(sorted(sizes))]
    left = {name: size for name, size in sizes.items() if not bit(name, depth)}
    right = {name: size for name, size in sizes.items() if name not in left}
    return branches(left, limit, depth + 1) + branches(right, limit, depth + 1)


def bit(name: str, depth: int) -> int:
    return int.from_bytes(sha256(name.encode()).digest()) >> (255 - depth) & 1


def read_record(text: str) -> list[Recorded]:
    """The files that a wheel's RECORD lists, itself without a digest. Raises ValueError where it is none or leads out of site-packages."""
    found: list[Recorded] = []
    for row in csv.reader(text.splitlines()):
        if not row:
            continue
        path, digest, size = row
        if path.startswith("/") or ".." in path.split("/") or "\\" in path or not path.isprintable():
            raise ValueError(f"it lists {path!r}, which leads out of the package's folder")
        algorithm, _, value = digest.partition("=")
        told = urlsafe_b64decode(value + "=" * (-len(value) % 4)) if algorithm == "sha256" else b""
        if len(told) != 32 and not is_left_out(path) and not path.endswith(".dist-info/RECORD"):
            raise ValueError(f"it has no SHA-256 of {path}")
        found.append(Recorded(path, told.hex(), int(size or 0)))
    if (itself := sum(not one.sha256 and not is_left_out(one.path) for one in found)) != 1:
        raise ValueError(f"it has no SHA-256 of {itself} files, itself among them" if itself else "it does not list itself")
    return found


def write_record(files: Iterable[Recorded], itself: str) -> str:
    """A RECORD of these files, and of `itself` without a digest."""
    lines = [
        f"{quoted(file.path)},sha256={urlsafe_b64encode(bytes.fromhex(file.sha256)).decode().rstrip('=')},{file.size}" for file in files
    ]
    return "".join(f"{line}\n" for line in sorted([*lines, f"{quoted(itself)},,"]))


def quoted(path: str) -> str:
    return '"' + path.replace('"', '""') + '"' if "," in path or '"' in path else path


def is_left_out(path: str) -> bool:
    """Compiled files are made anew, the installer's stamps are about the builder, and seals of the RECORD hold no longer."""
    folder, _, name = path.rpartition("/")
    return path.endswith(".pyc") or (name in STAMPS and folder.endswith(".dist-info"))


def scripts(files: Sequence[Recorded]) -> frozenset[str]:
    """The paths of console scripts: files of `bin`, unless that is a package of the wheel."""
    paths = {file.path for file in files}
    if "bin/__init__.py" in paths:
        return frozenset()
    return frozenset(path for path in paths if path.startswith("bin/") and path.count("/") == 1)


def place(path: str, is_script: bool) -> str:
    """Where a file of a wheel lies in the image."""
    return f"{SCRIPTS}/{path.removeprefix('bin/')}" if is_script else f"{PACKAGES}/{path}"


def script(data: bytes) -> bytes:
    """A console script that starts the image's Python, whichever the builder's was; anything else stays as it is."""
    shebang = f"#!/{PYTHON}\n".encode()
    for pattern in (LONG_SHEBANG, SHEBANG):
        if found := pattern.match(data):
            return shebang + data[found.end() :]
    return data
