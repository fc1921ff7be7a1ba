"""Which native libraries an image lacks: ELF files are read while layers are made of them, and what they say is kept by the layer's key."""

import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import IO, Any, cast

from lykeion.adapters.images.codecs import UNREADABLE, Joined, unpack
from lykeion.adapters.images.store import Store
from lykeion.core.content import canonical, digest_of_value
from lykeion.core.images.elf import MAGIC, Elf, Missing, Natives, missing, read_elf
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.oci import Layer
from lykeion.errors import Corrupt, NotFound

FORMAT = 1  # of what is kept
NATIVE = ("base", "wheel", "wheels")  # what has libraries as a rule
LARGEST = 64 << 20  # bytes of a library in somebody else's layer; what a larger one needs is not looked at


@dataclass(frozen=True)
class Libraries:
    """Looks at the layers of images in `store`, which keeps what was seen as long as the layers that it was seen in."""

    store: Store

    def watched(self, content: Content) -> Content:
        """The same content, looked at while its entries are read."""

        def entries() -> Iterable[Entry]:
            given = list(content.entries())
            self._keep(content.key, to_json(read_natives(given)))
            return given

        return replace(content, entries=entries)

    def missing(self, parts: Sequence[Content | Layer]) -> list[Missing]:
        """What these layers together need and do not have, lowest first. Raises NotFound where a layer is not in the store."""
        parts = [part for part in parts if isinstance(part, Layer) or part.kind in NATIVE or self.natives(part).files]
        together = digest_of_value(["missing", *map(name_of, parts)])  # code that changes and has no libraries changes nothing
        found = self._kept(together)
        if found is None:
            found = [asdict(one) for one in missing([self.natives(part) for part in parts])]
            self._keep(together, found)
        return [Missing(one["library"], tuple(one["needed_by"]), one["package"], one["elsewhere"]) for one in found]

    def natives(self, part: Content | Layer) -> Natives:
        """The native side of a layer."""
        told = self._kept(name_of(part))
        if told is not None:
            return from_json(told)
        found = read_natives(part.entries() if isinstance(part, Content) else self._unpacked(part))
        self._keep(name_of(part), to_json(found))
        return found

    def _unpacked(self, layer: Layer) -> Iterator[Entry]:
        """The links and libraries of a layer in the store, one after the other."""
        chunks = unpack(layer.descriptor.media_type, self.store.read(layer.descriptor.digest))
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", Joined(chunks)), mode="r|", bufsize=1 << 20) as archive:
                for member in archive:
                    path = os.path.normpath(member.name)
                    if member.issym():
                        yield Entry(path, "link", target=member.linkname)
                    elif member.islnk():
                        yield Entry(path, "hardlink", target=os.path.normpath(member.linkname))
                    elif member.isfile() and (file := archive.extractfile(member)) and (start := file.read(4)) == MAGIC:
                        yield Entry(path, data=start + file.read(LARGEST))
        except UNREADABLE as error:
            self.store.drop_damaged(layer.descriptor.digest)
            raise Corrupt(f"layer {layer.descriptor.digest} cannot be unpacked: {error}; pull or build the image again") from error

    def _kept(self, key: str) -> Any:
        try:
            told = json.loads(self.store.files.get(place(key)))
            os.utime(self.store.files.file(place(key)))  # young again, for the collection
            return told
        except (NotFound, FileNotFoundError, ValueError):  # what is damaged is looked at again
            return None

    def _keep(self, key: str, value: Any) -> None:
        self.store.files.put(place(key), canonical(value))


def name_of(part: Content | Layer) -> str:
    return part.key if isinstance(part, Content) else part.diff_id


def place(key: str) -> str:
    """Where the store keeps what was seen of a layer, or of several."""
    return f"layers/natives-{digest_of_value([FORMAT, key]).removeprefix('sha256:')}.json"


def to_json(found: Natives) -> dict[str, Any]:
    return {"files": {path: asdict(elf) for path, elf in found.files.items()}, "links": dict(found.links)}


def from_json(told: Mapping[str, Any]) -> Natives:
    files = {path: Elf(one["machine"], tuple(one["needed"]), one["soname"], tuple(one["paths"])) for path, one in told["files"].items()}
    return Natives(files, told["links"])


def read_natives(entries: Iterable[Entry]) -> Natives:
    """Of entries. A file that only begins like ELF, or is broken, is nobody's library."""
    files: dict[str, Elf] = {}
    links: dict[str, str] = {}
    for entry in entries:
        if entry.type in ("link", "hardlink"):
            links[entry.path] = entry.target if entry.type == "link" else f"/{entry.target}"
        elif entry.type == "file" and (elf := read_entry(entry)):
            files[entry.path] = elf
    return Natives(files, links)


def read_entry(entry: Entry) -> Elf | None:
    try:
        if (data := entry.data) is not None:
            return read_elf(lambda offset, size: data[offset : offset + size])
        file = os.open(entry.source, os.O_RDONLY)
        try:
            return read_elf(lambda offset, size: os.pread(file, size, offset))
        finally:
            os.close(file)
    except ValueError:
        return None
