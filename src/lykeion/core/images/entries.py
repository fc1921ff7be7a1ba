"""What a layer is made of, before anything is read: its entries, and the key under which the finished layer is found again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["base", "wheel", "wheels", "platform", "code", "settings", "model"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a layer. `path` is relative to the image's root, with "/", without "." and ".."; owner and time are always the same.

    A file's bytes are `data`, or those of the file `source` on this machine (`size` bytes; `sha256` in hex, where it must be still that
    when it is packed, else it `is_not` what it should be, which is told in these words). `target`: where a link points, as it is
    written; of a hard link the path of the entry that it shares.
    """

    path: str
    type: Literal["file", "folder", "link", "hardlink"] = "file"
    mode: int = 0o644
    data: bytes | None = None
    source: str = ""
    size: int = 0
    sha256: str = ""
    is_not: str = "changed while the image was built; build again when nobody writes to it"
    target: str = ""

    @property
    def content(self) -> object:
        """What is the same of two files that are one wherever they lie."""
        return self.type, self.mode, self.target, self.sha256 or (self.data, self.source), self.size


@dataclass(frozen=True, slots=True)
class Content:
    """One layer to be. `key` ("sha256:…") is the digest of all that decides its bytes, codec left out; `entries` is asked only on a miss.

    `title` tells people what it is ("faiss-cpu 1.13.2", "38 wheels", "/app"); `parts` lists it for the SBOM: (package URL, digest or "").
    """

    kind: Kind
    title: str
    key: str
    entries: Callable[[], Iterable[Entry]]
    parts: tuple[tuple[str, str], ...] = ()
