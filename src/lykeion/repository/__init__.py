"""The versioned model repository on any object store."""

from lykeion.repository.repository import Repository
from lykeion.repository.stores import open_store

__all__ = ["Repository", "open_repository", "open_store"]


def open_repository(url: str) -> Repository:
    """The repository at "file:///FOLDER", "s3://BUCKET/PREFIX", "gs://…", "az://…" or a path. Raises Invalid where that is none."""
    return Repository(open_store(url))
