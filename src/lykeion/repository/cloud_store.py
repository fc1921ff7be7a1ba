"""An object store in a bucket: S3 and what speaks like it, Google Cloud Storage, Azure. By obstore.

Credentials, region and endpoint come from the environment that each cloud's own tools read (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` …).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from lykeion.errors import NotFound, Refused, Unavailable

PART = 8 << 20  # bytes of a part of a large upload, and of a chunk of a download
DELETE_AT_ONCE = 1000
STATUS = re.compile(r"status code: (\d{3})")
CODE, MESSAGE = re.compile(r"<Code>([^<]+)"), re.compile(r"<Message>([^<]+)")
KINDS = {PermissionDeniedError: 403, UnauthenticatedError: 401, FileNotFoundError: 404}
MAY_PASS = (408, 409, 425, 429)  # a timeout, a race, too early, too many requests
REASONS = {
    401: ("the credentials are not known there", "check them in the environment"),
    403: ("access is denied", "check the credentials in the environment, and what they may do"),
    404: ("there is no such bucket", "make it, or name another repository (LYKEION_REPOSITORY)"),
}


class CloudStore:
    """Fulfils ports.ObjectStore. `url` is for messages."""

    def __init__(self, store: S3Store | GCSStore | AzureStore, url: str) -> None:
        self.store = store
        self.url = url.rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        try:
            self.store.put(key, data)
        except (BaseError, FileNotFoundError) as error:  # not found: there is no such bucket
            self._unavailable("write", key, error)

    def create(self, key: str, data: bytes) -> bool:
        try:
            self.store.put(key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except (BaseError, FileNotFoundError) as error:  # not found: there is no such bucket
            self._unavailable("write", key, error)
        return True

    def upload(self, key: str, chunks: Iterable[bytes], *, executable: bool = False) -> None:  # noqa: ARG002 - an object has no mode
        try:
            self.store.put(key, iter(chunks), chunk_size=PART)
        except (BaseError, FileNotFoundError) as error:  # not found: there is no such bucket
            self._unavailable("write", key, error)

    def adopt(self, key: str, file: Path) -> bool:  # noqa: ARG002 - bytes must travel to a bucket
        return False

    def make_folder(self, key: str) -> None:
        """A bucket has keys only: the manifest says which folders there are."""

    def get(self, key: str) -> bytes:
        try:
            return bytes(self.store.get(key).bytes())
        except FileNotFoundError as error:
            raise NotFound(f"{self.url} has no {key}") from error
        except BaseError as error:
            self._unavailable("read", key, error)

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        try:
            if start and start >= self.store.head(key)["size"]:
                return
            found = self.store.get(key, options={"range": {"offset": start}}) if start else self.store.get(key)
            for chunk in found.stream(min_chunk_size=PART):
                yield bytes(chunk)
        except FileNotFoundError as error:
            raise NotFound(f"{self.url} has no {key}") from error
        except BaseError as error:
            self._unavailable("read", key, error)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        try:
            for page in self.store.list(prefix or None, chunk_size=1000):
                yield from ((found["path"], found["size"]) for found in page)
        except BaseError as error:
            self._unavailable("list", prefix, error)

    def names(self, prefix: str) -> Sequence[str]:
        try:
            found = self.store.list_with_delimiter(prefix or None)
        except BaseError as error:
            self._unavailable("list", prefix, error)
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def delete(self, keys: Iterable[str]) -> None:
        wanted = list(keys)
        for first in range(0, len(wanted), DELETE_AT_ONCE):
            try:
                self.store.delete(wanted[first : first + DELETE_AT_ONCE])
            except FileNotFoundError:
                continue  # a store that minds what is gone already
            except BaseError as error:
                self._unavailable("delete", wanted[first], error)

    def local_path(self, key: str) -> Path | None:  # noqa: ARG002 - a bucket has none
        return None

    def _unavailable(self, verb: str, key: str, error: Exception) -> NoReturn:
        what = f"cannot {verb} {self.url}/{key}"
        if why := refusal(error):
            raise Refused(f"{what}: {why}") from error
        raise Unavailable(f"{what}: {first_line(error)}") from error


def refusal(error: Exception) -> str:
    """What a store says that answers and will say the same next time, with the way out; "" for everything that may pass."""
    text = str(error)
    status = STATUS.search(text)
    number = int(status[1]) if status else next((each for kind, each in KINDS.items() if isinstance(error, kind)), 0)
    if not 400 <= number < 500 or number in MAY_PASS:
        return ""
    reason, remedy = REASONS.get(number, ("the store refuses it", "see what it says"))
    details = ": ".join(part[1] for part in (CODE.search(text), MESSAGE.search(text)) if part) or first_line(error)
    return f"{reason} ({details}); {remedy}"


def first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
