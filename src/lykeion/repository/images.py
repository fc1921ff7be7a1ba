"""The records of versions' images: `<model>/images/<version>/<n>.json`, created and never changed; the highest n counts."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from lykeion.core.images.records import ImageRecord
from lykeion.errors import Conflict, Corrupt
from lykeion.repository.layout import image_key, images_folder, numbers
from lykeion.repository.logs import LONGEST_RACE

if TYPE_CHECKING:  # the ports bring pydantic's models with them, which a step that publishes can do without
    from lykeion.ports import ObjectStore


class ImageLog:
    """The records of one model's versions."""

    def __init__(self, store: "ObjectStore", model: str) -> None:
        self.store, self.model = store, model

    def versions(self) -> list[int]:
        """Those that have a record, also ones that are gone."""
        return numbers(list(self.store.names(images_folder(self.model))))

    def taken(self, version: int) -> list[int]:
        return numbers(list(self.store.names(f"{images_folder(self.model)}/{version}")))

    def last(self, version: int) -> ImageRecord | None:
        """The newest that can be read: one that is damaged is as good as none, since an image can be built again."""
        return next(self.readable(version, reversed(self.taken(version))), None)

    def history(self, version: int) -> list[ImageRecord]:
        """All records that can be read, oldest first."""
        return list(self.readable(version, self.taken(version)))

    def readable(self, version: int, numbers: Iterable[int]) -> Iterator[ImageRecord]:
        for n in numbers:
            with suppress(Corrupt):
                yield self.entry(version, n)

    def entry(self, version: int, n: int) -> ImageRecord:
        return ImageRecord.from_bytes(self.store.get(image_key(self.model, version, n)))

    def add(self, version: int, record: ImageRecord) -> int:
        """Append; returns its number. Two builders of one version leave two records that say the same."""
        n = max(self.taken(version), default=0)
        for _ in range(LONGEST_RACE):
            n += 1
            if self.store.create(image_key(self.model, version, n), record.to_bytes()):
                return n
        raise Conflict(f"the records of {self.model}@{version} grow faster than one can be added; try again")

    def drop(self, version: int) -> None:
        """Forget all records of a version that is gone."""
        self.store.delete([image_key(self.model, version, n) for n in self.taken(version)])
