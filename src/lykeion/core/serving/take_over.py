"""When a version may be loaded, may answer, and may be let go, so that no query finds its index gone. Pure.

    alias moves to v2 -> load {v1, v2} -> every index worker says so -> cover {v2} -> every proxy worker says so -> load {v2}

What is known of the other side is what it was last told (its document) and which document all of its workers have acknowledged;
as long as these differ, some worker may still be at something older, so nothing is taken away.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lykeion.core.values import Child, Json, ModelVersion
from lykeion.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Told:
    """One side of a family: its service, and the document that its workers follow. None where there is none (yet)."""

    service: Child | None
    document: Child | None

    @property
    def settled(self) -> bool:
        """Every worker has applied the document as it is now."""
        if self.service is None or self.document is None:
            return False
        return bool(self.document.digest) and self.service.acknowledged.get(self.document.name) == self.document.digest

    @property
    def content(self) -> Mapping[str, Any]:
        found = self.document.content if self.document else None
        return found if isinstance(found, Mapping) else {}


def told(children: Mapping[str, Child], service: str, document: str) -> Told:
    return Told(find(children, "Service", service), find(children, "Document", document))


def find(children: Mapping[str, Child], kind: str, name: str) -> Child | None:
    return next((child for child in children.values() if child.kind == kind and child.name == name), None)


def loaded(index: Told) -> tuple[ModelVersion, ...]:
    """What the index servers were last told to hold."""
    return versions_in(index.content.get("load", ()))


def covered(proxy: Told) -> tuple[ModelVersion, ...]:
    """What the proxies were last told to ask."""
    return versions_in(proxy.content.get("indexes", ()))


def to_load(wanted: ModelVersion | None, index: Told, proxy: Told) -> tuple[ModelVersion, ...]:
    """What the index servers are to hold: what is wanted, and all that a proxy may still ask for. By version, oldest first."""
    needed = {found.digest: found for found in covered(proxy)}
    if proxy.service is not None and not proxy.settled:
        needed |= {found.digest: found for found in loaded(index)}
    if wanted is None and not needed:
        needed = {found.digest: found for found in loaded(index)}  # the alias is gone: that is no reason to stop answering
    if wanted is not None:
        needed[wanted.digest] = wanted
    return tuple(sorted(needed.values(), key=lambda version: (version.model, version.version)))


def may_answer(version: ModelVersion, index: Told) -> bool:
    """Whether every index worker holds it."""
    held = {found.digest for found in loaded(index)}
    return version.digest in held and index.settled and bool(index.service and index.service.addresses)


def versions_in(entries: Iterable[Json]) -> tuple[ModelVersion, ...]:
    """The inverse of `entry`, for several. Raises Corrupt where an entry names no version."""
    try:
        return tuple(ModelVersion(one["model"], int(one["version"]), one["digest"], one.get("metadata", {})) for one in entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"it does not name versions by model, version and digest: {type(error).__name__}: {error}") from error


def entry(version: ModelVersion) -> dict[str, Json]:
    """How a document names a version. With what decides how it is asked, so that it can be read back without the repository."""
    kept = {name: version.metadata[name] for name in ("generation", "embedding", "dimension") if name in version.metadata}
    return {"model": version.model, "version": version.version, "digest": version.digest, "metadata": kept}


def addresses(index: Told, before: Sequence[str]) -> list[str]:
    """Where the index workers answer. While none does the last known ones stay: workers come back where they were."""
    now = index.service.addresses if index.service else ()
    return sorted(now) or list(before)
