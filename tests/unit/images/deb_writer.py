"""Debian packages made on the spot: an `ar` archive of two tars, packed as Debian packs them."""

import gzip
import io
import lzma
import tarfile
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

import zstandard

PACK = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(path: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.linkname, info.uid, info.mtime = kind, mode, target, 1000, 1234567
    return info


def archive(parts: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def deb(folder: Path, name: str, members: Iterable[tuple[tarfile.TarInfo, bytes]], packing: str = ".xz", control: str = "") -> Path:
    """Write a package named by its digest, as the cache has them."""
    told = control or f"Package: {name}\nVersion: 1.0\nArchitecture: amd64\n"
    parts = {
        "debian-binary": b"2.0\n",
        f"control.tar{packing}": PACK[packing](tar([(member("./", tarfile.DIRTYPE), b""), (member("./control"), told.encode())])),
        f"data.tar{packing}": PACK[packing](tar(members)),
    }
    return named(folder, archive(parts))


def named(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    where = folder / sha256(data).hexdigest()
    where.write_bytes(data)
    return where
