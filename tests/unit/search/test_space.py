"""A space is fitted the same each time, works for one picture and for many, and is refused where its numbers were changed."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.errors import Corrupt, Invalid
from lykeion.search.extractor import ExtractorDescription, describe_network
from lykeion.search.space import Space, normalised
from lykeion.search.space_fit import FEWEST, MOST_LISTS, cells, components, fit, list_count

EXTRACTOR: ExtractorDescription = describe_network("test", b"network", 1280, 224)


def pictures(count: int, kinds: int = 40, seed: int = 0) -> np.ndarray:
    """Raw features of `kinds` kinds of thing."""
    rng = np.random.default_rng(seed)
    middle = np.abs(rng.normal(size=(kinds, 1280))) * (rng.random((kinds, 1280)) < 0.3)
    return np.abs(middle[rng.integers(0, kinds, count)] + 0.2 * rng.normal(size=(count, 1280))).astype(np.float16)


@pytest.fixture(scope="module")
def many() -> np.ndarray:
    return pictures(FEWEST + 200)


@pytest.fixture(scope="module")
def fitted(many: np.ndarray) -> Space:
    return fit(EXTRACTOR, many, 64, 0.5)


def test_vectors_have_the_asked_dimension_and_length_one(fitted: Space, many: np.ndarray) -> None:
    vectors = fitted.project(many)
    assert vectors.shape == (len(many), 64)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_fit_is_the_same_each_time(fitted: Space, many: np.ndarray) -> None:
    again = fit(EXTRACTOR, many, 64, 0.5)
    assert again.embedding == fitted.embedding
    assert np.array_equal(again.centroids, fitted.centroids)


def test_another_extractor_is_another_embedding(fitted: Space) -> None:
    other = Space(describe_network("test", b"other", 1280, 224), fitted.mean, fitted.projection, fitted.centroids, fitted.power)
    assert other.embedding != fitted.embedding


def test_half_whitening_leaves_components_spread_by_the_root_of_their_spread(many: np.ndarray) -> None:
    points = normalised(many)
    mean, plain = components(points, 32, 0.0)
    _, half = components(points, 32, 0.5)
    before, after = ((points - mean) @ plain).std(axis=0), ((points - mean) @ half).std(axis=0)
    assert np.allclose(after, np.sqrt(before), rtol=0.02)
    _, full = components(points, 32, 1.0)
    assert np.allclose(((points - mean) @ full).std(axis=0), 1, rtol=0.02)


@pytest.mark.parametrize("count", [1, 2, 3, FEWEST - 1])
def test_few_pictures_get_the_raw_features_as_their_space(count: int) -> None:
    given_pictures = pictures(count)
    space = fit(EXTRACTOR, given_pictures, 512, 0.5)
    assert space.dimension == 1280
    assert np.allclose(space.project(given_pictures), normalised(given_pictures), atol=1e-6)
    assert 1 <= len(space.centroids) <= count


def test_many_copies_of_one_picture_are_one_cell() -> None:
    space = fit(EXTRACTOR, np.repeat(pictures(1), FEWEST + 1, axis=0), 16, 0.5)
    assert len(space.centroids) == 1
    assert np.isfinite(space.projection).all()


def test_however_often_the_few_different_pictures_occur_each_has_a_direction() -> None:
    raw = np.repeat(pictures(3), FEWEST, axis=0)
    space = fit(EXTRACTOR, raw, 16, 0.5)
    assert (space.dimension, space.power) == (1280, 0)
    assert np.allclose(np.linalg.norm(space.project(raw[:: FEWEST // 2]), axis=1), 1, atol=1e-3)


def test_no_picture_is_an_error_that_says_where_to_look() -> None:
    with pytest.raises(Invalid, match="quarantine"):
        fit(EXTRACTOR, np.empty((0, 1280), np.float16), 16, 0.5)


def test_a_space_that_was_written_is_read_again(fitted: Space, many: np.ndarray, tmp_path: Path) -> None:
    fitted.write(tmp_path, b"network")
    found = Space.load(tmp_path)
    assert found.embedding == fitted.embedding
    assert found.extractor == EXTRACTOR
    assert np.array_equal(found.project(many[:5]), fitted.project(many[:5]))
    said = json.loads((tmp_path / "space.json").read_text())
    assert said["dimension"] == 64
    assert said["lists"] == len(fitted.centroids)
    assert said["extractor"]["digest"] == EXTRACTOR.digest


def test_a_space_whose_numbers_were_changed_is_refused(fitted: Space, tmp_path: Path) -> None:
    fitted.write(tmp_path, b"network")
    np.save(tmp_path / "mean.npy", fitted.mean + 1)
    with pytest.raises(Corrupt, match="not those"):
        Space.load(tmp_path)


@pytest.mark.parametrize("missing", ["space.json", "mean.npy", "centroids.npy", "extractor.json"])
def test_a_space_with_a_file_missing_is_refused(fitted: Space, tmp_path: Path, missing: str) -> None:
    fitted.write(tmp_path, b"network")
    (tmp_path / missing).unlink()
    with pytest.raises(Corrupt):
        Space.load(tmp_path)


def test_a_space_of_a_later_format_is_refused_by_name(fitted: Space, tmp_path: Path) -> None:
    fitted.write(tmp_path, b"network")
    said = json.loads((tmp_path / "space.json").read_text())
    (tmp_path / "space.json").write_text(json.dumps({**said, "format": 2}))
    with pytest.raises(Corrupt, match="format 2"):
        Space.load(tmp_path)


@given(st.integers(1, 10**9))
def test_there_is_at_least_one_list_and_never_more_than_pictures(count: int) -> None:
    assert 1 <= list_count(count) <= min(count, MOST_LISTS)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6))
def test_cells_are_unit_vectors_whatever_the_pictures(count: int, kinds: int) -> None:
    vectors = normalised(np.random.default_rng(count).normal(size=(kinds, 8))[np.arange(count) % kinds])
    found = cells(vectors)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert len(found) <= min(count, kinds)


def test_zeros_stay_zeros_and_nothing_becomes_nan() -> None:
    assert np.array_equal(normalised(np.zeros((2, 3))), np.zeros((2, 3)))
