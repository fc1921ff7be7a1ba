"""Raw features of pictures, worked out once per picture and extractor, and the space that is fitted to them.

pictures.arrow (digests) ──> not yet in cache/features/<extractor>? decode, run the network ──> segment-*.arrow
                             │ cannot be decoded: remembered, set aside
                             └──> features.arrow: the rows whose features exist
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lykeion.components.base import PARTITIONS, Choice, Input, Output, Range, Step, component
from lykeion.components.extractors import EXTRACTORS, prepared
from lykeion.components.feature_cache import FEATURE, REFUSED, Raw, features_folder, read, refused_folder
from lykeion.components.item_cache import PictureStore, SegmentWriter, digests, find, read_table, write_table
from lykeion.components.quarantine import Quarantine
from lykeion.components.tables import FEATURE_COLUMNS, FEATURES_FILE, PICTURES_FILE, Features, Pictures, Space
from lykeion.search.extractor import NETWORK, Device, Extractor, ExtractorDescription
from lykeion.search.picture import PictureError
from lykeion.search.space_fit import fit

__all__ = ["Raw", "extract", "fit_space", "read"]


@component(role="feature", partitions=PARTITIONS)
def extract(
    pictures: Input[Pictures],
    features: Output[Features],
    *,
    extractor: Annotated[str, Choice(*EXTRACTORS)] = "efficientnet-lite0",
    device: Annotated[str, Choice("cpu", "cuda")] = "cpu",
    step: Step,
) -> None:
    """Run the extractor over the pictures whose features are not in the cache yet; undecodable ones are set aside."""
    folder = prepared(step.cache, extractor)
    description = ExtractorDescription.read(folder)
    table = read_table(pictures.partition(step.partition) / PICTURES_FILE)
    wanted = pc.unique(table["digest"])
    done = known(step.cache, description, wanted)
    missing = [digest for digest in wanted.to_pylist() if digest not in done]
    if missing:
        work(missing, loaded(folder, "cuda" if device == "cuda" else "cpu"), step)
    reasons = refusals(step.cache, description, wanted)
    is_bad = pc.is_in(table["digest"], value_set=digests(sorted(reasons)))
    with Quarantine(features.path) as bad:
        for row in table.filter(is_bad).to_pylist():
            bad.add(reasons[row["digest"]], item=row["item"], picture=row["digest"].hex(), number=row["number"])
    kept = table.filter(pc.invert(is_bad)).select(FEATURE_COLUMNS.names)
    write_table(features.path / FEATURES_FILE, kept)
    description.write_description(features.path)
    step.metric("features", kept.num_rows)
    step.metric("extracted", len(missing))
    step.metric("quarantined", bad.count)


@lru_cache(maxsize=1)
def loaded(folder: Path, device: Device) -> Extractor:
    """One session per worker, not one per partition."""
    return Extractor.load(folder, device)


def known(cache: Path, extractor: ExtractorDescription, wanted: pa.Array) -> set[bytes]:
    """Those whose features, or why there are none, are in the cache."""
    digest_only = pa.schema([FEATURE.field("digest")])
    done = find(features_folder(cache, extractor.hex), wanted, digest_only)["digest"].to_pylist()
    return {*done, *refusals(cache, extractor, wanted)}


def refusals(cache: Path, extractor: ExtractorDescription, wanted: pa.Array) -> Mapping[bytes, str]:
    table = find(refused_folder(cache, extractor.hex), wanted, REFUSED)
    return dict(zip(table["digest"].to_pylist(), table["reason"].to_pylist(), strict=True))


def work(missing: list[bytes], extractor: Extractor, step: Step) -> None:
    store = PictureStore(step.cache_folder("pictures"))
    extracted = SegmentWriter(features_folder(step.cache, extractor.description.hex), FEATURE)
    refused = SegmentWriter(refused_folder(step.cache, extractor.description.hex), REFUSED)
    with extracted, refused:
        for done, digest in enumerate(missing):
            try:
                extracted.add(digest=digest, feature=half_precision(extractor.extract(store.read(digest))))
            except PictureError as error:
                refused.add(digest=digest, reason=error.reason)
            if done % 16 == 0:
                step.progress(done, len(missing), "pictures")


def half_precision(feature: np.ndarray[Any, Any]) -> bytes:
    return feature.astype("<f2").tobytes()


@component(role="space")
def fit_space(
    features: Input[Features],
    space: Output[Space],
    *,
    dimension: Annotated[int, Range(2, 1280)] = 512,
    power: Annotated[float, Range(0, 1)] = 0.5,
    sample: Annotated[int, Range(1, 1_000_000)] = 65_536,
    step: Step,
) -> None:
    """Fit the space that vectors are compared in: principal components, half whitened, and the cells of the index.

    dimension: of the vectors. power: 0 leaves the components as they are, 1 makes all equally strong. sample: how many pictures to
    fit on at most. A catalogue of few pictures gets the raw features as its space, for there is nothing to fit.
    """
    raw = read(features.path, step.cache, sample)
    network = (step.cache / "extractors" / raw.extractor.hex / NETWORK).read_bytes()
    fitted = fit(raw.extractor, raw.features, dimension, power)
    fitted.write(space.path, network)
    step.metric("pictures", len(raw.features))
    step.result.update(embedding=fitted.embedding, dimension=fitted.dimension, lists=len(fitted.centroids))
