"""An object store in memory, for tests of what uses a repository."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from lykeion.errors import NotFound


class MemoryStore:
    """Fulfils ports.ObjectStore; safe among threads."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lock = Lock()

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = bytes(data)

    def create(self, key: str, data: bytes) -> bool:
        with self.lock:
            return self.objects.setdefault(key, stored := bytes(bytearray(data))) is stored

    def upload(self, key: str, chunks: Iterable[bytes], *, executable: bool = False) -> None:  # noqa: ARG002 - bytes have no mode
        self.objects[key] = b"".join(chunks)

    def adopt(self, key: str, file: Path) -> bool:  # noqa: ARG002 - memory holds bytes only
        return False

    def make_folder(self, key: str) -> None:
        """Memory has keys only."""

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFound(f"memory has no {key}")
        return self.objects[key]

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        rest = self.get(key)[start:]
        if rest:
            yield rest

    def list(self, prefix: str) -> list[tuple[str, int]]:
        below = f"{prefix}/" if prefix else ""
        return [(key, len(data)) for key, data in dict(self.objects).items() if key.startswith(below)]

    def names(self, prefix: str) -> Sequence[str]:
        below = f"{prefix}/" if prefix else ""
        return sorted({key[len(below) :].partition("/")[0] for key, _ in self.list(prefix)})

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - memory has none
        return None
