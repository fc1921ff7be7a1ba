"""Fits a space to a catalogue's raw features: principal components with half whitening, and cells of about equal share.

Half whitening (each component divided by the fourth root of its variance) finds the same thing by another maker more often than either
plain or fully whitened components do. The fit is deterministic: same features, same bytes, on one machine.
"""

import math
from typing import Any

import faiss
import numpy as np

from lykeion.errors import Invalid
from lykeion.search.extractor import ExtractorDescription
from lykeion.search.space import Space, normalised

FEWEST = 1024  # different pictures, below which components would follow the accident of which pictures there are
MOST_LISTS = 4096
SEED = 20261123

Array = np.ndarray[Any, Any]


def fit(extractor: ExtractorDescription, raw: Array, dimension: int, power: float) -> Space:
    """raw: [n, raw dimension], any float type, n >= 1. Raises Invalid where there is no picture."""
    if not len(raw):
        raise Invalid("there is no picture to fit a space on: see what was set aside, and why, in the pictures step's quarantine.jsonl")
    faiss.omp_set_num_threads(1)
    points = normalised(raw)
    is_sound = has_enough(raw)
    mean, projection = components(points, dimension, power) if is_sound else identity(points.shape[1])
    vectors = normalised((points - mean) @ projection)
    return Space(extractor, mean, projection, cells(vectors), power if is_sound else 0.0)


def has_enough(raw: Array) -> bool:
    """Whether enough pictures differ: of many that are all the same, nothing is left once their mean is taken away."""
    different = set()
    for features in raw:
        different.add(features.tobytes())
        if len(different) >= FEWEST:
            return True
    return False


def identity(dimension: int) -> tuple[Array, Array]:
    """The raw features, as they are."""
    return np.zeros(dimension, np.float32), np.eye(dimension, dtype=np.float32)


def components(points: Array, dimension: int, power: float) -> tuple[Array, Array]:
    """The mean [raw] and the projection [raw, dimension] on the strongest components, whitened by `power`."""
    mean = points.mean(axis=0, dtype=np.float64)
    centred = (points - mean).astype(np.float32)
    variance, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(points))
    strongest = np.argsort(variance)[::-1][:dimension]
    variance, directions = variance[strongest], directions[:, strongest]
    directions = directions * np.where(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])] < 0, -1, 1)
    floor = max(float(variance.max()) * 1e-6, 1e-12)  # fewer kinds of pictures than components: the rest is noise
    projection = directions * np.maximum(variance, floor) ** (-power / 2)
    return mean.astype(np.float32), projection.astype(np.float32)


def list_count(pictures: int) -> int:
    """Cells of the index for a catalogue of this many pictures."""
    return max(1, min(MOST_LISTS, round(4 * math.sqrt(pictures)), pictures))


def cells(vectors: Array) -> Array:
    """float32 [lists, dimension], of length 1: spherical k-means. One picture, or many that are all the same, are one cell."""
    distinct = np.unique(vectors, axis=0)
    count = min(list_count(len(vectors)), len(distinct))
    if count < 2:
        return np.ascontiguousarray(distinct[:1])
    means = faiss.Kmeans(
        vectors.shape[1], count, niter=12, seed=SEED, spherical=True, min_points_per_centroid=1, max_points_per_centroid=256
    )
    means.train(np.ascontiguousarray(vectors))
    return normalised(np.asarray(means.centroids))
