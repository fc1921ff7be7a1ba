"""The model repository: immutable versions, aliases that move, a journal; on any object store.

Publishing claims a number by create-only put, uploads, and puts the manifest last. It is idempotent by (model, content digest,
window): a second publisher of the same content, at the same time or after an interrupted upload, takes over the same claim, so the
files that arrived already are not sent again and one version comes of it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lykeion.core.content import FileDigest
from lykeion.core.images.records import ImageRecord
from lykeion.core.models.aliases import AliasMove
from lykeion.core.models.manifest import Claim, Manifest, Window, content_digest
from lykeion.core.models.names import RESERVED, Selector, check_alias, check_model, did_you_mean, is_label, parse_selector
from lykeion.core.models.retention import Retention, expendable
from lykeion.core.values import ModelVersion
from lykeion.errors import Conflict, Corrupt, Invalid, NotFound, Problem
from lykeion.repository import layout, mlflow
from lykeion.repository.fetch import examine, fetch
from lykeion.repository.images import ImageLog
from lykeion.repository.logs import AliasLog, Journal
from lykeion.repository.upload import Payload, measure, payload, send, stored_digest

if TYPE_CHECKING:  # the ports bring pydantic's models with them, which a step that publishes can do without
    from lykeion.ports import ObjectStore

ABANDONED = timedelta(days=1)  # a claim without a manifest is an upload that nobody will finish


def utc_now() -> datetime:
    return datetime.now(UTC)


@lru_cache(maxsize=512)
def parsed(data: bytes, where: str) -> Manifest:
    """A manifest; one that is asked for again and again is parsed and checked once. Raises Corrupt."""
    return Manifest.from_bytes(data, where)


class Repository:
    """The versions of all models in one store. Safe among processes and machines; holds no state but the journal's end."""

    def __init__(self, store: "ObjectStore", now: Callable[[], datetime] = utc_now) -> None:
        self.store = store
        self.now = now
        self.log = Journal(store)

    # reading ------------------------------------------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """The models that have a version, sorted."""
        return sorted(name for name in self.store.names("") if is_label(name) and name not in RESERVED and self.versions(name))

    def versions(self, model: str) -> list[int]:
        """The numbers of a model's versions, ascending; none for a model that is not there."""
        if self.store.local_path(check_model(model)) is not None:
            return [n for n in layout.numbers(list(self.store.names(model))) if self._is_published(model, n)]
        keys = {key for key, _ in self.store.list(model)}  # one request for a thousand objects, not one for each version
        numbers = layout.numbers(list({key.split("/")[1] for key in keys}))
        return [n for n in numbers if layout.manifest_key(model, n) in keys]

    def manifest(self, model: str, version: int) -> Manifest:
        """Raises NotFound, with what there is; Corrupt where it is not what was published."""
        key = layout.manifest_key(check_model(model), version)
        try:
            found = parsed(self.store.get(key), key)
        except NotFound as error:
            raise self._no_version(model, str(version)) from error
        if (found.model, found.version) != (model, version):
            raise Corrupt(f"{key}: it is the manifest of {found.model} {found.version}; somebody copied it: remove it, and publish anew")
        return found

    def resolve(self, selector: str) -> ModelVersion:
        """The version that "model@alias", "model@3" or "model@sha256:…" names now.

        Of several versions with one content, the newest. Raises NotFound with the nearest names.
        """
        wanted = parse_selector(selector)
        manifest = self.manifest(wanted.model, self._number(wanted))
        return ModelVersion(manifest.model, manifest.version, manifest.digest, manifest.metadata)

    def lineage(self, model: str, version: int) -> Mapping[str, Any]:
        """Where a version came from, as its publisher said: training, cache keys, window, code."""
        return self.manifest(model, version).lineage

    def journal(self, after: int = 0) -> list[dict[str, Any]]:
        """What happened after entry `after`: {"n", "kind": "published" | "alias" | "image" | "removed", "model", "version", "at", …}.

        One who follows it must still look at everything once an hour: a publisher that dies between its last two writes leaves none.
        """
        return self.log.after(after)

    # publishing ---------------------------------------------------------------------------------------------------------------

    def publish(
        self,
        model: str,
        folder: Path,
        *,
        digest: str | None = None,
        metrics: Mapping[str, float] | None = None,
        metadata: Mapping[str, Any] | None = None,
        lineage: Mapping[str, Any] | None = None,
        window: Window | None = None,
        deploy: Mapping[str, Any] | None = None,
        signature: Mapping[str, Any] | None = None,
        requirements: Sequence[str] = (),
    ) -> Manifest:
        """Make a version of the files in `folder`, or find the one that holds them already (for the same `window`).

        `digest`: what the content is known to be; Corrupt is raised where it is not that. No alias moves.
        """
        check_model(model)
        if digest is not None and (earlier := self._published(model, digest, window)):
            return earlier
        sources, folders = payload(folder)
        files = [measure(source) for source in sources]
        found = content_digest(files, folders)
        if digest not in (None, found) and folders:  # sealed by a version of Lykeion that did not know of empty folders
            folders, found = [], content_digest(files, ())
        if digest not in (None, found):
            raise Corrupt(f"{folder} is not what was to be published as {model}: its digest is {found}, not {digest}; make it again")
        draft = Manifest(
            model=model,
            version=0,
            digest=found,
            created=self.now(),
            files=tuple(files),
            folders=tuple(folders),
            window=window,
            metrics=metrics or {},
            metadata=metadata or {},
            lineage=lineage or {},
            deploy=deploy or {},
            signature=signature or {},
        )
        draft.to_bytes()  # what cannot be kept is said before anything is written
        while True:
            claim = self._claim(model, found, window)
            if manifest := self._fill(replace(draft, version=claim.version), sources, requirements):
                return manifest

    def _published(self, model: str, digest: str, window: Window | None) -> Manifest | None:
        claim = self._find_claim(model, digest, window)
        return self.manifest(model, claim.version) if claim and self._is_published(model, claim.version) else None

    def _claim(self, model: str, digest: str, window: Window | None) -> Claim:
        """The number of this content: one that it has, or the next.

        The order makes it safe: who sees the highest number, then no claim of this content, then gets the next number, is the first;
        a claim's hint is put before the claim, and claims have no gaps.
        """
        while True:
            highest = max(layout.numbers(list(self.store.names(layout.claims_folder(model)))), default=0)
            if found := self._find_claim(model, digest, window):
                return found
            claim = Claim(highest + 1, digest, window, self.now())
            self.store.put(layout.content_key(model, digest, claim.version), b"{}")
            if self.store.create(layout.claim_key(model, claim.version), claim.to_bytes()):
                return claim

    def _find_claim(self, model: str, digest: str, window: Window | None) -> Claim | None:
        claims = (self._read_claim(model, n) for n in self._hints(model, digest))
        return next((claim for claim in claims if claim and claim.is_for(digest, window)), None)

    def _read_claim(self, model: str, version: int) -> Claim | None:
        try:
            return Claim.from_bytes(version, self.store.get(layout.claim_key(model, version)))
        except NotFound:
            return None
        except Corrupt as error:
            raise Corrupt(f"{layout.claim_key(model, version)}: {error}; put back what was there") from error

    def _readable_claims(self, model: str, versions: Iterable[int]) -> Iterator[Claim]:
        """What cannot be read is nobody's to take away."""
        for version in versions:
            with suppress(Corrupt):
                if claim := self._read_claim(model, version):
                    yield claim

    def _hints(self, model: str, digest: str) -> list[int]:
        return layout.numbers(list(self.store.names(layout.contents_folder(model, digest))))

    def _fill(self, draft: Manifest, sources: Sequence[Payload], requirements: Sequence[str]) -> Manifest | None:
        """Upload what is missing, then make the version visible. None where its claim was taken away meanwhile."""
        model, version = draft.model, draft.version
        if self._is_published(model, version):
            return self.manifest(model, version)
        folder = layout.version_folder(model, version)
        there = dict(self.store.list(folder))
        for source, file in zip(sources, draft.files, strict=True):
            key = f"{folder}/{file.path}"
            if there.get(key) != file.size or stored_digest(self.store, key) != (file.size, file.sha256):
                send(self.store, key, source, file)
        for empty in draft.folders:
            self.store.make_folder(f"{folder}/{empty}")
        paths = [file.path for file in draft.files]
        beside = mlflow.describe(model, version, draft.digest, paths, draft.created, draft.signature, requirements)
        attached: list[FileDigest] = []
        for path, data in beside.items():
            attached.append(self._attach(f"{folder}/{path}", path, data))
        manifest = replace(draft, attached=tuple(attached))
        if not self.store.create(layout.manifest_key(model, version), manifest.to_bytes()):
            return self.manifest(model, version)  # another publisher of the same content was first
        claim = self._read_claim(model, version)
        if claim is None or claim.removed:
            self.store.delete([layout.manifest_key(model, version)])
            return None
        self._tell("published", model, version, digest=draft.digest, window=draft.window)
        return manifest

    def _attach(self, key: str, path: str, data: bytes) -> FileDigest:
        """Create-only: of two publishers of the same content, whose clocks differ, both name the bytes that are there."""
        self.store.create(key, data)
        size, digest = stored_digest(self.store, key)
        return FileDigest(path, size, digest)

    # aliases ------------------------------------------------------------------------------------------------------------------

    def alias(self, model: str, name: str) -> int | None:
        """The version that an alias names, None where there is no such alias."""
        last = AliasLog(self.store, check_model(model), check_alias(name)).last()
        return last.version or None if last else None

    def aliases(self, model: str) -> dict[str, int]:
        """Alias -> version."""
        there = sorted(filter(is_label, self.store.names(layout.aliases_folder(check_model(model)))))
        named = {name: self.alias(model, name) for name in there}
        return {name: version for name, version in named.items() if version}

    def history(self, model: str, name: str) -> list[AliasMove]:
        """All moves of an alias, oldest first."""
        return AliasLog(self.store, check_model(model), check_alias(name)).history()

    def move_alias(self, model: str, name: str, version: int, reason: str = "", expected: int | None = None) -> AliasMove | None:
        """Let an alias name a version; None where it does so already.

        `expected`: move it only if it names this version now (0: none); else Conflict. Raises NotFound where there is no such version.
        """
        log = AliasLog(self.store, check_model(model), check_alias(name))
        if not self._is_published(model, version):
            raise self._no_version(model, str(version))
        return self._told(log, log.move(version, reason=reason, at=self.now().isoformat(), expected=expected))

    def drop_alias(self, model: str, name: str, reason: str = "", expected: int | None = None) -> AliasMove | None:
        """Let an alias name nothing; its history stays."""
        log = AliasLog(self.store, check_model(model), check_alias(name))
        return self._told(log, log.move(0, reason=reason, at=self.now().isoformat(), expected=expected))

    def rollback(self, model: str, name: str, reason: str = "rolled back") -> int:
        """Let an alias name what it named before the last move; returns that. Raises Conflict where there is nothing to go back to."""
        log = AliasLog(self.store, check_model(model), check_alias(name))
        move = log.go_back(self.versions(model), reason=reason, at=self.now().isoformat())
        self._told(log, move)
        return move.version

    def _told(self, log: AliasLog, move: AliasMove | None) -> AliasMove | None:
        if move:
            self._tell("alias", log.model, move.version, alias=log.name, previous=move.previous, reason=move.reason)
        return move

    # images -------------------------------------------------------------------------------------------------------------------

    def images(self, model: str) -> ImageLog:
        """What became of the images of a model's versions."""
        return ImageLog(self.store, check_model(model))

    def record_image(self, model: str, version: int, record: ImageRecord) -> None:
        """Write down what became of a version's image, and tell those who follow the journal."""
        self.images(model).add(version, record)
        self._tell("image", model, version, state=record.state, reference=record.reference)

    # files --------------------------------------------------------------------------------------------------------------------

    def path(self, model: str, version: int, cache: Path) -> Path:
        """A folder with a version's files, read-only to you: the repository's own where it is on this machine, else a verified
        download into `cache`."""
        manifest = self.manifest(model, version)
        here = self.store.local_path(layout.version_folder(model, version))
        return here if here is not None else fetch(self.store, manifest, cache)

    def verify(self, model: str, version: int) -> list[Problem]:
        """What is not as it was published: every corrupted, missing or additional file, found by reading all of it."""
        try:
            manifest = self.manifest(model, version)
        except Corrupt as error:
            return [Problem(str(error), file=layout.manifest_key(model, version))]
        return examine(self.store, manifest)

    # removing -----------------------------------------------------------------------------------------------------------------

    def remove(self, model: str, version: int, *, force: bool = False, reason: str = "removed") -> None:
        """Delete a version; its number is not given again. Raises Conflict while an alias names it, unless `force` (then the alias
        is dropped)."""
        if not self._is_published(model, check_positive(version)):
            raise self._no_version(model, str(version))
        naming = [name for name, named in self.aliases(model).items() if named == version]
        if naming and not force:
            names = ", ".join(f"{model}@{name}" for name in naming)
            raise Conflict(f"{model} {version} is what {names} names; move the alias first, or remove with force to drop it")
        for name in naming:
            self.drop_alias(model, name, f"version {version} was removed by force", expected=version)
        self._discard(model, version, reason)
        self._tell("removed", model, version, reason=reason)

    def prune(
        self, model: str, keep: Retention, now: datetime | None = None, pinned: Collection[int] = (), *, dry_run: bool = False
    ) -> list[int]:
        """Remove the versions that neither an alias nor `pinned` nor `keep` holds, and what interrupted uploads left; returns the
        versions."""
        at = now or self.now()
        claims = self._readable_claims(model, self.versions(model))
        going = expendable([(claim.version, claim.at) for claim in claims], {*self.aliases(model).values(), *pinned}, keep, at)
        if not dry_run:
            for version in going:
                self.remove(model, version, reason="retention")
            self._collect(model, at)
        return going

    def _collect(self, model: str, now: datetime) -> None:
        for claim in self._readable_claims(model, layout.numbers(list(self.store.names(layout.claims_folder(model))))):
            if not claim.removed and now - claim.at >= ABANDONED and not self._is_published(model, claim.version):
                self._discard(model, claim.version, "its upload was never finished")

    def _discard(self, model: str, version: int, reason: str) -> None:
        """Claim first, so that nobody resumes it; then the manifest, so that nobody sees it; then the files."""
        claim = self._read_claim(model, version)
        if claim is not None:
            self.store.put(layout.claim_key(model, version), replace(claim, removed=reason or "removed").to_bytes())
            self.store.delete([layout.content_key(model, claim.digest, version)])
        self.store.delete([layout.manifest_key(model, version)])
        folder = layout.version_folder(model, version)
        self.store.delete([*(key for key, _ in self.store.list(folder)), folder])

    # ----------------------------------------------------------------------------------------------------------------------------

    def _number(self, wanted: Selector) -> int:
        if wanted.version:
            return wanted.version
        if wanted.alias:
            version = self.alias(wanted.model, wanted.alias)
            if version is None:
                raise self._no_alias(wanted.model, wanted.alias)
            return version
        for version in reversed(self._hints(wanted.model, wanted.digest)):
            claim = self._read_claim(wanted.model, version)
            if claim and claim.digest == wanted.digest and self._is_published(wanted.model, version):
                return version
        raise self._no_version(wanted.model, wanted.digest)

    def _is_published(self, model: str, version: int) -> bool:
        key = layout.manifest_key(model, version)
        here = self.store.local_path(key)
        if here is not None:
            return exists(here)  # False where nobody may look: reading will say so
        return key.rpartition("/")[2] in self.store.names(layout.version_folder(model, version))

    def _tell(self, kind: str, model: str, version: int, **more: Any) -> None:
        self.log.append({"kind": kind, "model": model, "version": version, "at": self.now().isoformat(), **more})

    def _no_version(self, model: str, wanted: str) -> NotFound:
        there = self.versions(model)
        if not there:
            return NotFound(f"there is no model {model}{did_you_mean(model, self.models())}")
        shown = ", ".join(map(str, there[-10:]))
        return NotFound(f"{model} has no version {wanted}; there are: {'… ' if len(there) > 10 else ''}{shown}")

    def _no_alias(self, model: str, name: str) -> NotFound:
        if not self.versions(model):
            return NotFound(f"there is no model {model}{did_you_mean(model, self.models())}")
        return NotFound(f"{model} has no alias {name}{did_you_mean(name, self.aliases(model))}")


def check_positive(version: int) -> int:
    if version < 1:
        raise Invalid([Problem("versions are counted from 1", field="version", value=version)])
    return version
