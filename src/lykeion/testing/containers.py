"""Images by name, in place of what finds and runs them: planning needs no more."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lykeion.errors import LykeionError, NotFound


@dataclass
class KnownImages:
    """`ports.Containers`: name -> digest, or what asking for it raises."""

    images: Mapping[str, str | LykeionError] = field(default_factory=dict)

    def pinned(self, image: str) -> str:
        found = self.images.get(image, NotFound(f"there is no image {image!r} here"))
        if isinstance(found, LykeionError):
            raise found
        return f"{image}@{found}"
