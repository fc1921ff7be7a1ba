"""Features are worked out once per picture, remembered by its content, and read back in the order of the rows."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lykeion.components.extractors import prepared
from lykeion.components.feature_cache import REFUSED, features_folder
from lykeion.components.features import read
from lykeion.components.item_cache import SegmentWriter, segment_files
from lykeion.errors import Corrupt, Invalid
from lykeion.search.extractor import Extractor
from lykeion.search.space import Space

Catalogue = Callable[..., Path]


@pytest.fixture
def extracted(pipeline, catalogue: Catalogue, picture) -> Path:
    files = {f"{n}.png": picture(n) for n in range(12)} | {"same.png": picture(0)}
    return pipeline.extract(pipeline.collect(pipeline.listings(catalogue(**files))))


def test_features_are_those_of_the_extractor_in_half_precision(pipeline, extracted: Path, picture) -> None:
    raw = read(extracted, pipeline.cache)
    assert len(raw.items) == 13
    assert raw.features.shape == (13, 1280)
    assert raw.features.dtype == np.float16
    extractor = Extractor.load(prepared(pipeline.cache, "efficientnet-lite0"))
    for item, digest, feature in zip(raw.items, raw.digests, raw.features, strict=True):
        data = picture(0 if item == "same.png" else int(item.removesuffix(".png")))
        assert digest == sha256(data).digest()
        assert np.allclose(extractor.extract(data), feature, atol=5e-3)
    assert raw.extractor == extractor.description


def test_the_same_picture_twice_is_worked_out_once_in_a_partition_and_never_again(
    pipeline, extracted: Path, catalogue: Catalogue, picture
) -> None:
    items = pipeline.listings(catalogue(**{f"{n}.png": picture(n) for n in range(14)}))
    again = pipeline.extract(pipeline.collect(items))
    assert pipeline.metrics["extracted"] == 2  # 12 and 13 are new
    assert pipeline.metrics["features"] == 14
    assert len(read(again, pipeline.cache).items) == 14


def test_running_again_gives_the_same_bytes(pipeline, catalogue: Catalogue, picture) -> None:
    collected = pipeline.collect(pipeline.listings(catalogue(**{f"{n}.png": picture(n) for n in range(6)})))
    first, second = pipeline.extract(collected), pipeline.extract(collected)
    for path in first.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (second / path.relative_to(first)).read_bytes()


def test_a_picture_that_cannot_be_decoded_is_set_aside_and_not_tried_again(pipeline, catalogue: Catalogue, picture) -> None:
    items = pipeline.listings(catalogue(**{"good.png": picture(1), "cut.png": picture(2)[:-60], "cut.jpg": picture(3, "JPEG")[:-300]}))
    collected = pipeline.collect(items)
    assert pipeline.metrics["pictures"] == 3
    extracted = pipeline.extract(collected)
    assert pipeline.metrics == {"features": 1, "extracted": 3, "quarantined": 2}
    assert set(pipeline.reasons(extracted)) == {"cut.png", "cut.jpg"}
    assert all("damaged" in reason for reason in pipeline.reasons(extracted).values())
    again = pipeline.extract(collected)
    assert pipeline.metrics == {"features": 1, "extracted": 0, "quarantined": 2}
    assert pipeline.reasons(again) == pipeline.reasons(extracted)


def test_an_undecodable_verdict_of_an_older_version_is_not_believed(pipeline, catalogue: Catalogue, picture) -> None:
    extractor = Extractor.load(prepared(pipeline.cache, "efficientnet-lite0")).description
    data = picture(3, "JPEG")[:-2]
    with SegmentWriter(features_folder(pipeline.cache, extractor.hex) / "refused", REFUSED) as writer:
        writer.add(digest=sha256(data).digest(), reason="damaged: image file is truncated")
    extracted = pipeline.extract(pipeline.collect(pipeline.listings(catalogue(**{"endless.jpg": data}))))
    assert pipeline.metrics["features"] == 1
    assert pipeline.reasons(extracted) == {}


def test_one_partition_can_be_read_alone(pipeline, extracted: Path) -> None:
    parts = [read(path, pipeline.cache) for path in sorted(extracted.iterdir())]
    whole = read(extracted, pipeline.cache)
    assert [item for part in parts for item in part.items] == whole.items
    assert np.array_equal(np.concatenate([part.features for part in parts]), whole.features)


def test_a_sample_is_the_same_each_time(pipeline, extracted: Path) -> None:
    first, second = read(extracted, pipeline.cache, 5), read(extracted, pipeline.cache, 5)
    assert len(first.items) == 5
    assert first.items == second.items
    whole = read(extracted, pipeline.cache)
    assert set(first.digests) == set(sorted(whole.digests)[:5]) or len(set(first.digests)) < 5


def test_features_lost_from_the_cache_are_said(pipeline, extracted: Path) -> None:
    raw = read(extracted, pipeline.cache)
    folder = features_folder(pipeline.cache, raw.extractor.hex)
    moved = pipeline.home / "other"
    (moved / "features").mkdir(parents=True)
    shutil.copytree(folder, moved / "features" / raw.extractor.hex)
    Path(segment_files(moved / "features" / raw.extractor.hex)[0]).unlink()
    with pytest.raises(Corrupt, match="gone from the cache"):
        read(extracted, moved)


def test_a_space_holds_all_that_serving_needs(pipeline, extracted: Path, picture) -> None:
    space = Space.load(pipeline.fit_space(extracted))
    assert pipeline.result["embedding"] == space.embedding
    vector = space.project(space.load_extractor().extract(picture(3))[None])
    raw = read(extracted, pipeline.cache)
    assert raw.items[int((space.project(raw.features) @ vector[0]).argmax())] == "3.png"


def test_one_picture_is_enough_for_a_space(pipeline, catalogue: Catalogue, picture) -> None:
    folder = pipeline.fit_space(pipeline.extract(pipeline.collect(pipeline.listings(catalogue(**{"a.png": picture(1)})))))
    assert json.loads((folder / "space.json").read_text())["lists"] == 1


def test_no_picture_at_all_is_said(pipeline, catalogue: Catalogue) -> None:
    extracted = pipeline.extract(pipeline.collect(pipeline.listings(catalogue(**{"a.png": b""}))))
    with pytest.raises(Invalid, match="no picture"):
        pipeline.fit_space(extracted)
