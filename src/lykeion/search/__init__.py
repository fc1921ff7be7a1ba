"""The search engine in process: spaces, extractors, indexes. `open(path).search(vectors, k)`."""

from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lykeion.search.index import Index

__all__ = ["open"]


def open(path: str | PathLike[str], mmap: bool = True) -> "Index":
    """Open an index directory in place: a step's output, or a version of the model repository.

    mmap: share the files' memory with every process that opens them; False reads them into this process.
    Raises NotFound where there is no index, Corrupt where its files do not fit together.
    """
    # On first use: who needs only the pictures' decoder from this package is not to pay for the search engine's imports.
    index: Index = import_module(f"{__name__}.index").open_index(Path(path), mmap=mmap)
    return index
