"""A builder of images in memory, for tests of what decides when one is built."""

from collections.abc import Callable
from datetime import datetime

from lykeion.core.images.records import ImageRecord
from lykeion.errors import LykeionError


class MemoryImages:
    """Fulfils ports.Images. `fails(model, version)` says why a build fails, "" where it does not."""

    def __init__(self, now: Callable[[], datetime], fails: Callable[[str, int], str] = lambda _model, _version: "") -> None:
        self.now, self.fails = now, fails
        self.registry: set[str] = set()
        self.built: list[tuple[str, int]] = []

    def build(self, model: str, version: int) -> ImageRecord:
        if why := self.fails(model, version):
            raise LykeionError(why)
        self.built.append((model, version))
        reference = f"localhost:5000/{model}@sha256:{version:064}"
        self.registry.add(reference)
        return ImageRecord("pushed", self.now(), reference, reference.partition("@")[2])

    def delete(self, reference: str) -> None:
        self.registry.discard(reference)
