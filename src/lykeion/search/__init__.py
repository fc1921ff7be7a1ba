"""The search engine in process: spaces, extractors, indexes. `open(path).search(vectors, k)`."""

from os import PathLike
from pathlib import Path

from lykeion.search.index import Hits, Index, open_index

__all__ = ["Hits", "Index", "open"]


def open(path: str | PathLike[str], mmap: bool = True) -> Index:
    """Open an index directory in place: a step's output, or a version of the model repository.

    mmap: share the files' memory with every process that opens them; False reads them into this process.
    Raises NotFound where there is no index, Corrupt where its files do not fit together.
    """
    return open_index(Path(path), mmap=mmap)
