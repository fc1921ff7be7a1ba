"""A registry's blobs, manifests and referrers. One object speaks to one host and is used by one thread.

Source: OCI distribution specification 1.1. Blobs are sent in chunks that are taken up again where a connection was cut.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from urllib3.exceptions import HTTPError

from lykeion.adapters.images.store import Meter
from lykeion.adapters.registry.http import FIRST_PAUSE, TRIES, Answer, Body, Http, discard, unreachable
from lykeion.core.content import digest_of, read_json
from lykeion.core.images.oci import INDEX, MANIFEST, Descriptor, index
from lykeion.core.images.references import DIGEST
from lykeion.errors import Conflict, Corrupt, NotFound, Unavailable

CHUNK = 64 << 20  # bytes sent in one request
PIECE = 1 << 20
DOCUMENT = 4 << 20  # bytes a manifest may have
ACCEPT = ", ".join(
    [
        MANIFEST,
        INDEX,
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)
Read = Callable[[int], Iterator[bytes]]  # the bytes from an offset on


@dataclass(frozen=True, slots=True)
class Sent:
    """How a blob came to a registry, and how many bytes travelled for it."""

    how: Literal["there", "mounted", "sent"]
    bytes: int = 0


class Registry:
    """See `Http` for the arguments."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    # blobs --------------------------------------------------------------------------------------------------------------------

    def has_blob(self, repository: str, digest: str) -> bool:
        answer = self.http.ask("HEAD", f"/v2/{repository}/blobs/{digest}", scope=pulling(repository), good=(200, 404))
        discard(answer)
        return answer.status == 200

    def upload(self, repository: str, blob: Descriptor, read: Read, mount_from: Sequence[str] = ()) -> Sent:
        """Bring a blob there, from one of `mount_from` where it is there, repositories of the same registry.

        Raises Corrupt where the registry finds that the bytes are not what the digest says.
        """
        scope = pushing(repository)
        for other in mount_from:
            where = f"/v2/{repository}/blobs/uploads/?{urlencode({'mount': blob.digest, 'from': other})}"
            answer = self.http.ask("POST", where, scope=f"{scope} {pulling(other)}", good=(201, 202, 401, 403, 404))
            discard(answer)
            if answer.status == 201:
                return Sent("mounted")
            if answer.status == 202:  # it has it not there, and began an upload
                self.forget(place_of(answer, self.http.host), scope)
        return Sent("sent", Upload(self.http, repository, blob, read).run())

    def forget(self, place: str, scope: str) -> None:
        discard(self.http.ask("DELETE", place, scope=scope, good=range(200, 500)))

    def blob(self, repository: str, digest: str, start: int = 0) -> Iterator[bytes]:
        """From byte `start` on. A connection that is cut is taken up where it was. Raises NotFound.

        Whoever takes the bytes over compares their digest.
        """
        at, tries = start, 0
        while True:
            headers = {"Range": f"bytes={at}-"} if at else {}
            answer = self.http.ask(
                "GET", f"/v2/{repository}/blobs/{digest}", scope=pulling(repository), good=(200, 206, 416), headers=headers
            )
            if answer.status == 416:  # there is nothing behind `at`
                discard(answer)
                return
            skip = at if answer.status == 200 else 0
            try:
                for piece in answer.stream(PIECE):
                    passed, skip = piece[skip:], max(0, skip - len(piece))
                    at += len(passed)
                    yield passed
                return
            except HTTPError as error:
                tries += 1
                if tries >= TRIES:
                    raise unreachable(self.http.host, error) from error
            finally:
                answer.close()

    # manifests ----------------------------------------------------------------------------------------------------------------

    def manifest(self, repository: str, reference: str) -> tuple[bytes, Descriptor]:
        """By tag or digest. Raises NotFound; Corrupt where it is not what was asked for."""
        where = f"/v2/{repository}/manifests/{reference}"
        answer = self.http.ask("GET", where, scope=pulling(repository), good=(200,), headers={"Accept": ACCEPT})
        data = whole(answer, self.http.host)
        digest = digest_of(data)
        if reference.startswith("sha256:") and digest != reference:
            raise Corrupt(f"{self.http.host} gives {digest} for {repository}@{reference}; it, or a cache before it, is damaged")
        media_type = answer.headers.get("Content-Type", MANIFEST).partition(";")[0].strip()
        return data, Descriptor(media_type, digest, len(data))

    def layers(self, repository: str, reference: str) -> list[Descriptor]:
        """The blobs of an image or artifact. Raises NotFound, Corrupt."""
        try:
            return [Descriptor.from_json(raw) for raw in read_json(self.manifest(repository, reference)[0])["layers"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{self.http.host}: {repository}@{reference} is no image or artifact: {error!r}") from error

    def digest(self, repository: str, reference: str) -> str | None:
        """What a tag names now; None where there is none. Costs no pull."""
        where = f"/v2/{repository}/manifests/{reference}"
        answer = self.http.ask("HEAD", where, scope=pulling(repository), good=(200, 404), headers={"Accept": ACCEPT})
        discard(answer)
        if answer.status == 404:
            return None
        told = answer.headers.get("Docker-Content-Digest", "")
        return told if DIGEST.fullmatch(told) else self.manifest(repository, reference)[1].digest

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str = MANIFEST) -> Descriptor:
        """By tag or digest, when all its blobs are there. Raises Corrupt where the registry has other bytes than it was sent."""
        digest = digest_of(data)
        headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
        where = f"/v2/{repository}/manifests/{reference}"
        answer = self.http.ask("PUT", where, scope=pushing(repository), good=(201,), headers=headers, body=lambda: (data,))
        discard(answer)
        if (there := answer.headers.get("Docker-Content-Digest", digest)) != digest:
            raise Corrupt(f"{self.http.host} made {there} of the manifest {digest}; a proxy before it changes what is sent")
        subject = read_json(data).get("subject")
        if subject and "OCI-Subject" not in answer.headers:
            self.refer(repository, subject["digest"], data, Descriptor(media_type, digest, len(data)))
        return Descriptor(media_type, digest, len(data))

    def delete(self, repository: str, digest: str) -> None:
        """A manifest, with its tags; its blobs go when the registry collects them. One that is not there is passed over."""
        try:
            answer = self.http.ask("DELETE", f"/v2/{repository}/manifests/{digest}", scope=deleting(repository), good=(200, 202, 404))
        except Conflict as error:
            raise Unavailable(f"{self.http.host} does not let images be deleted; allow it there, or let its own retention do it") from error
        discard(answer)

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository, none for one that is not there."""
        found: set[str] = set()
        place, before = f"/v2/{repository}/tags/list", set[str]()
        while place not in before:
            before.add(place)
            answer = self.http.ask("GET", place, scope=pulling(repository), good=(200, 404))
            data = whole(answer, self.http.host)
            if answer.status == 404:
                return []
            found.update(map(str, listed(data, "tags", self.http.host)))
            place = next_page(answer.headers.get("Link", "")) or place
        return sorted(found)

    # what speaks of an image ----------------------------------------------------------------------------------------------------

    def referrers(self, repository: str, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """The manifests whose subject is `digest`, of one type or of all; also from a registry that has no such list."""
        answer = self.http.ask("GET", f"/v2/{repository}/referrers/{digest}", scope=pulling(repository), good=(200, 400, 404, 405))
        data, knows = whole(answer, self.http.host), answer.status == 200
        if not knows:
            data = self.index_of_referrers(repository, digest)
        found = [Descriptor.from_json(raw) for raw in listed(data, "manifests", self.http.host)]

        def fits(one: Descriptor) -> bool:
            """A list that clients write may be wrong about types: cosign 3.0 puts another one there than into its manifest."""
            return one.artifact_type == artifact_type or (not knows and self.artifact_type(repository, one.digest) == artifact_type)

        return [one for one in found if not artifact_type or fits(one)]

    def artifact_type(self, repository: str, digest: str) -> str:
        """What a manifest says that it is; "" where it is gone, or does not say it."""
        try:
            return str(read_json(self.manifest(repository, digest)[0]).get("artifactType", ""))
        except NotFound:
            return ""

    def index_of_referrers(self, repository: str, digest: str) -> bytes:
        """The tag that stands for the list where a registry has none (the specification's "referrers tag schema")."""
        try:
            return self.manifest(repository, digest.replace(":", "-"))[0]
        except NotFound:
            return index([])

    def refer(self, repository: str, subject: str, data: bytes, descriptor: Descriptor) -> None:
        artifact_type = str(read_json(data).get("artifactType", ""))
        listing = listed(self.index_of_referrers(repository, subject), "manifests", self.http.host)
        there = [Descriptor.from_json(raw) for raw in listing]
        mine = Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, artifact_type=artifact_type)
        if mine.digest not in {one.digest for one in there}:
            self.put_manifest(repository, subject.replace(":", "-"), index([*there, mine]), INDEX)


class Upload:
    """One blob on its way. After a cut connection the registry is asked how much of it it has; one that forgot it gets it anew
    (distribution 2 forgets an upload that was cut within a chunk).
    """

    def __init__(self, http: Http, repository: str, blob: Descriptor, read: Read) -> None:
        self.http, self.repository, self.blob, self.read = http, repository, blob, read
        self.scope = pushing(repository)
        self.place = ""
        self.sent = 0  # bytes that travelled, also in vain

    def run(self) -> int:
        """How many bytes travelled."""
        for number in range(TRIES):
            self.begin()
            try:
                self.send()
                break
            except (Unavailable, NotFound):
                if number + 1 == TRIES:
                    raise
                self.http.pause(FIRST_PAUSE * 2.0**number)
        return self.sent

    def begin(self) -> None:
        where = f"/v2/{self.repository}/blobs/uploads/"
        answer = self.http.ask("POST", where, scope=self.scope, good=(202,), headers={"Content-Length": "0"})
        discard(answer)
        self.place = place_of(answer, self.http.host)

    def send(self) -> None:
        if self.blob.size <= CHUNK:
            self.finish(lambda: self.read(0), self.blob.size)
            return
        at = failed = 0
        while at < self.blob.size:
            end = min(at + CHUNK, self.blob.size)
            try:
                self.chunk(at, end)
                at = end
            except (Unavailable, Conflict):  # a registry that is elsewhere than we think says 416
                failed += 1
                if failed == TRIES:
                    raise
                self.http.pause(FIRST_PAUSE * 2.0 ** (failed - 1))  # a registry needs a moment to notice that a connection was cut
                at = self.where()
        self.finish(None, 0)

    def chunk(self, at: int, end: int) -> None:
        headers = {"Content-Length": str(end - at), "Content-Range": f"{at}-{end - 1}"}
        answer = self.ask("PATCH", self.place, 202, headers, lambda: limited(self.read(at), end - at))
        self.place = answer.headers.get("Location", self.place)

    def where(self) -> int:
        """How many bytes the registry has. Raises NotFound where it knows nothing of the upload any more."""
        answer = self.http.ask("GET", self.place, scope=self.scope, good=(204,))
        discard(answer)
        self.place = answer.headers.get("Location", self.place)
        last = answer.headers.get("Range", "").rpartition("-")[2]
        if not last.isdecimal():
            raise NotFound(f"{self.http.host} does not say how much of {self.blob.digest} it has; push it again")
        return int(last) + 1 if int(last) else 0

    def finish(self, body: Body | None, length: int) -> None:
        where = f"{self.place}{'&' if '?' in self.place else '?'}digest={quote(self.blob.digest)}"
        try:
            self.ask("PUT", where, 201, {"Content-Length": str(length)}, body)
        except Conflict as error:
            meter = Meter(self.read(0))  # registries name the reason in ways of their own: DIGEST_INVALID, BLOB_UPLOAD_INVALID
            deque(meter, maxlen=0)
            if meter.digest != self.blob.digest:
                raise Corrupt(f"the bytes of {self.blob.digest} are not what its digest says; build or pull the image again") from error
            raise

    def ask(self, method: str, place: str, good: int, headers: dict[str, str], body: Body | None) -> Answer:
        """Once: bytes that were sent in vain are not sent again before it is known how many arrived."""
        said = {"Content-Type": "application/octet-stream", **headers}
        counted = (lambda: self.counted(body())) if body else None
        answer = self.http.ask(method, place, scope=self.scope, good=(good,), headers=said, body=counted, once=True)
        discard(answer)
        return answer

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.sent += len(piece)
            yield piece


def limited(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    """The first `length` bytes."""
    for piece in pieces:
        yield piece[:length]
        length -= len(piece)
        if length <= 0:
            return


def whole(answer: Answer, host: str) -> bytes:
    """A document's bytes. Raises Unavailable where it is cut off, or too large to be one."""
    try:
        data = answer.read(DOCUMENT + 1)
    except HTTPError as error:
        answer.close()
        raise unreachable(host, error) from error
    if len(data) > DOCUMENT:
        answer.close()
        raise Unavailable(f"{host} answers with more than {DOCUMENT >> 20} MiB where a manifest was asked for; is it a registry?")
    return data


def listed(data: bytes, name: str, host: str) -> list[Any]:
    """What a document lists under a name; nothing where it does not have it. Raises Unavailable for what is no such document."""
    try:
        found = read_json(data).get(name) or []
    except (ValueError, AttributeError):
        found = None
    if not isinstance(found, list):
        raise Unavailable(f"{host} answers with something else than a list of {name}; is it a registry?")
    return found


def place_of(answer: Answer, host: str) -> str:
    """Where an upload goes on. Raises Unavailable where it is not said."""
    if not (place := answer.headers.get("Location", "")):
        raise Unavailable(f"{host} begins an upload and does not say where; is it a registry?")
    return place


def next_page(link: str) -> str:
    """The URL of `Link: <URL>; rel="next"`."""
    return link.partition("<")[2].partition(">")[0] if 'rel="next"' in link else ""


def pulling(repository: str) -> str:
    return f"repository:{repository}:pull"


def pushing(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def deleting(repository: str) -> str:
    return f"repository:{repository}:delete,pull"
