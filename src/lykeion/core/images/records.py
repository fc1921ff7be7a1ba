"""What became of a version's image: one entry of the log that lies beside the version in the repository. The newest entry counts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from lykeion.core.content import canonical, read_json
from lykeion.errors import Corrupt

FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer as people look at it. `how` it came to the registry: "there", "mounted" or "sent". `size` in bytes."""

    kind: str
    title: str
    digest: str
    size: int
    how: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image that was pushed (`reference` names it by digest), or why it was not. `tries`: failures in a row, this one with them.

    `sent`: bytes that travelled; `seconds`: from the begin of building to the end of pushing. `builder`: Lykeion's version.
    """

    state: Literal["pushed", "failed"]
    at: datetime
    reference: str = ""
    digest: str = ""
    layers: tuple[LayerRecord, ...] = ()
    sent: int = 0
    seconds: float = 0.0
    builder: str = ""
    reason: str = ""
    tries: int = 0
    missing_libraries: tuple[str, ...] = field(default=())

    @property
    def size(self) -> int:
        """Of all layers, in bytes."""
        return sum(layer.size for layer in self.layers)

    @property
    def next_try(self) -> datetime:
        """When a failed one may be tried again: the pause doubles up to an hour."""
        return self.at + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.tries - 1, 16))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}

    def to_bytes(self) -> bytes:
        return canonical(self.to_json())

    @staticmethod
    def from_bytes(data: bytes) -> "ImageRecord":
        """Raises Corrupt where it is none."""
        try:
            return ImageRecord.from_json(read_json(data))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Corrupt(f"it is no record of an image: {error!r}") from error

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> "ImageRecord":
        """Also of one that a newer Lykeion wrote: fields that this one has not are passed over."""
        known = {name: value for name, value in raw.items() if name in ImageRecord.__slots__}
        layers = tuple(
            LayerRecord(**{name: layer[name] for name in LayerRecord.__slots__ if name in layer}) for layer in raw.get("layers", ())
        )
        missing = tuple(raw.get("missing_libraries", ()))
        return ImageRecord(**{**known, "layers": layers, "missing_libraries": missing, "at": datetime.fromisoformat(raw["at"])})


def failed(reason: str, at: datetime, before: ImageRecord | None, builder: str) -> ImageRecord:
    """The record of one more failure."""
    return ImageRecord("failed", at, reason=reason, tries=(before.tries if before else 0) + 1, builder=builder)
