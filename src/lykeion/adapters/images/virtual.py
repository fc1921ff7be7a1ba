"""Blobs that are not there twice: the layer of a model's file is a few bytes around the file itself (core.models.layer)."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lykeion.errors import Corrupt

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class VirtualBlob:
    """`header`, the bytes of `file`, then `trailer` zeros. The file must stay as it was when it was put here: size and mtime say so."""

    header: bytes
    file: Path
    trailer: int
    size: int  # of the file, bytes
    mtime_ns: int

    @staticmethod
    def of(header: bytes, file: Path, trailer: int) -> "VirtualBlob":
        stat = file.stat()
        return VirtualBlob(header, file, trailer, stat.st_size, stat.st_mtime_ns)

    @property
    def length(self) -> int:
        return len(self.header) + self.size + self.trailer

    def is_there(self) -> bool:
        try:
            stat = self.file.stat()
        except OSError:
            return False
        return (stat.st_size, stat.st_mtime_ns) == (self.size, self.mtime_ns)

    def read(self, start: int = 0) -> Iterator[bytes]:
        """From byte `start` on. Raises Corrupt where the file is not what it was, also while it is read."""
        if start < len(self.header):
            yield self.header[start:]
        offset = max(0, start - len(self.header))
        if offset < self.size:
            yield from self.pieces(offset)
        rest = self.length - max(start, len(self.header) + self.size)
        while rest > 0:
            yield bytes(min(rest, CHUNK))
            rest -= CHUNK

    def pieces(self, offset: int) -> Iterator[bytes]:
        try:
            with self.file.open("rb", buffering=0) as stream:
                stream.seek(offset)
                while offset < self.size and (piece := stream.read(min(CHUNK, self.size - offset))):
                    offset += len(piece)
                    yield piece
        except OSError as error:
            raise Corrupt(f"{self.file}, of which an image is made, cannot be read: {error.strerror}; publish or mount it again") from error
        if offset != self.size or not self.is_there():
            raise Corrupt(f"{self.file}, of which an image is made, changed; a published version's files must stay as they are")

    def to_json(self) -> bytes:
        told = {"header": b64encode(self.header).decode(), "file": str(self.file), "trailer": self.trailer}
        return json.dumps({**told, "size": self.size, "mtime_ns": self.mtime_ns}).encode()

    @staticmethod
    def from_json(data: bytes) -> "VirtualBlob":
        raw = json.loads(data)
        return VirtualBlob(b64decode(raw["header"]), Path(raw["file"]), raw["trailer"], raw["size"], raw["mtime_ns"])
