"""Which object store a URL names."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from lykeion.errors import Invalid, Problem
from lykeion.repository.cloud_store import CloudStore
from lykeion.repository.local_store import LocalStore

if TYPE_CHECKING:  # the ports bring pydantic's models with them, which a step that publishes can do without
    from lykeion.ports import ObjectStore

CLOUDS: dict[str, type[S3Store] | type[GCSStore] | type[AzureStore]] = {
    "s3": S3Store,
    "gs": GCSStore,
    "az": AzureStore,
}
KNOWN = "write file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or a path"


def open_store(url: str) -> "ObjectStore":
    """The store that `url` names; a path without a scheme is a folder. Nothing is read or written yet.

    Raises Invalid where it names none, or where what a cloud needs (an account, a region) is not said.
    """
    parts = urlsplit(url)
    if "://" not in url and url:
        return LocalStore(Path(url).expanduser())
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise unusable(url, "a file:// URL has three slashes and an absolute path")
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme not in CLOUDS or not parts.netloc:
        raise unusable(url, "no store is called so")
    try:
        return CloudStore(CLOUDS[parts.scheme].from_url(url), url)
    except BaseError as error:
        raise unusable(url, str(error).partition("\n")[0]) from error


def unusable(url: str, why: str) -> Invalid:
    return Invalid([Problem(f"{url!r} cannot be a repository: {why}", field="repository", value=url, remedy=KNOWN)])
