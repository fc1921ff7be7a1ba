"""The answer of a search without servers: the same question, the same JSON, from directories, in this process."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lykeion.core.search.merge import check_k
from lykeion.core.serving.names import space_model
from lykeion.core.values import ModelVersion
from lykeion.errors import Invalid
from lykeion.search.index import Index, open_index
from lykeion.search.space import Space
from lykeion.servers.answers import Gathered, first_depth, indexes_of, items_of, next_depth
from lykeion.servers.problems import Refused
from lykeion.servers.proxy import checked
from lykeion.servers.question import Item, Paging, Vector, json_question

Mounted = Callable[[str], tuple[ModelVersion, Path]]
"""Asked for "model@alias" or "model@sha256:…"; the version and the folder with its files. Raises NotFound."""


@dataclass(frozen=True, slots=True)
class Directories:
    """An index, and the space that it was built in."""

    version: ModelVersion
    index: Index
    space: Path


def search(
    mounted: Mounted,
    family: str,
    body: bytes,
    *,
    is_json: bool = False,
    k: int = 10,
    filters: Sequence[str] = (),
    collapse: float | None = None,
    track: str = "stable",
) -> dict[str, Any]:
    """What `POST /v1/search/{family}` answers. body: a picture's bytes, or JSON with `item` or `vector`.

    Raises NotFound for an unknown family or item, Invalid for a bad picture, vector, k or filter.
    """
    started = time.perf_counter()
    version, folder = mounted(f"{family}@{track}")
    index = open_index(folder)
    _, space = mounted(f"{space_model(family)}@{index.manifest.generation}")
    return answer(Directories(version, index, space), body, is_json, Paging(check_k(k), 0, tuple(filters), collapse), started)


def answer(directories: Directories, body: bytes, is_json: bool, paging: Paging, started: float) -> dict[str, Any]:
    index = directories.index
    wanted = index.filter(paging.filters)
    vectors, without = asked(directories, body, is_json)
    deep: int | None = first_depth(paging, without)
    while deep is not None:
        with_vectors = paging.collapse is not None
        gathered = Gathered([index.search_items(vector, deep, wanted, with_vectors=with_vectors) for vector in vectors])
        deep = next_depth(gathered, paging, without, deep)
    items, following = items_of(gathered, paging, without)
    return {
        "request_id": secrets.token_hex(8),
        "items": items,
        "partial": False,
        "indexes": indexes_of([directories.version], {}),
        "embedding": index.embedding,
        "took_ms": round((time.perf_counter() - started) * 1000, 3),
        "next": following,
    }


def asked(directories: Directories, body: bytes, is_json: bool) -> tuple[np.ndarray[Any, Any], str | None]:
    """The vectors to search by [n, d], and the item that they are of."""
    if not is_json:
        space = Space.load(directories.space)
        return space.project(space.load_extractor().extract(body)[None]), None
    try:
        like = json_question(body)
        if isinstance(like, Vector):
            return checked(like.numbers, directories.index.dimension)[None], None
    except Refused as refused:
        raise Invalid(refused.detail) from refused
    assert isinstance(like, Item)
    return directories.index.vectors_of(like.id), like.id
