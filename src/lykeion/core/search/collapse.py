"""The same picture, listed by several items, is shown once. Pure.

Best first, an item is shown unless its picture is nearly that of one that is shown already; then it is among that one's duplicates.
What is shown of the first n items so never depends on those that come after: a page is the same however deep was searched.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lykeion.core.search.merge import ItemHit

LEAST, MOST = 0.5, 1.0  # cosines that can be asked for
EXACT = 1 - 1e-3  # half precision: a picture and itself can be so far apart


def collapsed(hits: Sequence[ItemHit], alike: float) -> list[ItemHit]:
    """Of hits with their pictures' vectors, best first: those that stand for themselves, with the ids of their `duplicates`.

    alike: the cosine from which two pictures count as the same; equal ones always do.
    """
    if not hits:
        return []
    vectors = np.stack([np.frombuffer(hit.vector, "<f2") for hit in hits]).astype(np.float32)
    shown: list[int] = []
    places: dict[str, int] = {}  # picture -> the place in `shown` of the first item with it
    duplicates: list[list[str]] = []
    for number, hit in enumerate(hits):
        place = places.get(hit.picture)
        if place is None and shown:
            scores = vectors[shown] @ vectors[number]
            best = int(scores.argmax())
            place = best if scores[best] >= min(alike, EXACT) else None
        if place is None:
            place = len(shown)
            shown.append(number)
            duplicates.append([])
        else:
            duplicates[place].append(hit.id)
        places.setdefault(hit.picture, place)
    return [replace(hits[number], duplicates=tuple(ids)) for number, ids in zip(shown, duplicates, strict=True)]
