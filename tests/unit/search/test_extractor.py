"""The extractor is the same bytes each time, finds pictures alike that are alike, and knows when its files were changed."""

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageDraw

from lykeion.components.extractors import build_efficientnet_lite0
from lykeion.errors import Corrupt, Invalid
from lykeion.search.extractor import DESCRIPTION, NETWORK, Extractor, ExtractorDescription, keep
from lykeion.search.picture import PictureError


@pytest.fixture(scope="module")
def built() -> tuple[ExtractorDescription, bytes]:
    return build_efficientnet_lite0()


@pytest.fixture(scope="module")
def folder(built: tuple[ExtractorDescription, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep(tmp_path_factory.mktemp("extractors"), *built)


@pytest.fixture(scope="module")
def extractor(folder: Path) -> Extractor:
    return Extractor.load(folder, verify=True)


def drawing(shape: str, colour: str = "red", kind: str = "PNG", size: int = 300) -> bytes:
    picture = Image.new("RGB", (size, size), "white")
    getattr(ImageDraw.Draw(picture), shape)((size // 5, size // 5, size * 4 // 5, size * 4 // 5), fill=colour)
    made = io.BytesIO()
    picture.save(made, kind)
    return made.getvalue()


def alike(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_the_network_is_built_to_the_same_bytes(built: tuple[ExtractorDescription, bytes]) -> None:
    again, network = build_efficientnet_lite0()
    assert again == built[0]
    assert network == built[1]
    assert built[0].digest.startswith("sha256:")
    assert len(network) < 14_000_000


def test_features_are_1280_finite_numbers_from_zero_up(extractor: Extractor) -> None:
    found = extractor.extract(drawing("ellipse"))
    assert found.shape == (1280,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 6


def test_the_same_thing_saved_otherwise_is_nearest(extractor: Extractor) -> None:
    wanted = extractor.extract(drawing("ellipse"))
    same = extractor.extract(drawing("ellipse", kind="JPEG", size=500))
    other = extractor.extract(drawing("rectangle", "blue"))
    assert alike(wanted, same) > 0.95 > alike(wanted, other)


def test_one_by_one_and_in_batches_are_the_same(extractor: Extractor) -> None:
    given = [drawing(shape, colour) for shape in ("ellipse", "rectangle") for colour in ("red", "blue", "green")] * 3
    together = np.stack(list(extractor.extract_many(given)))
    alone = np.stack([extractor.extract(one) for one in given])
    assert np.abs(together - alone).max() < 1e-4


def test_a_bad_picture_is_a_reason_and_the_extractor_goes_on(extractor: Extractor) -> None:
    with pytest.raises(PictureError):
        extractor.extract(b"<svg/>")
    assert extractor.extract(drawing("ellipse")).any()


def test_two_writers_leave_one_extractor(built: tuple[ExtractorDescription, bytes], tmp_path: Path) -> None:
    assert keep(tmp_path, *built) == keep(tmp_path, *built)
    assert [path.name for path in tmp_path.iterdir()] == [built[0].hex]


def test_a_changed_network_is_found_by_its_digest(folder: Path, tmp_path: Path) -> None:
    (tmp_path / DESCRIPTION).write_bytes((folder / DESCRIPTION).read_bytes())
    (tmp_path / NETWORK).write_bytes((folder / NETWORK).read_bytes()[:-1] + b"\0")
    with pytest.raises(Corrupt, match="digest"):
        Extractor.load(tmp_path, verify=True)
    (tmp_path / NETWORK).write_bytes(b"nothing")
    with pytest.raises(Corrupt, match="cannot be loaded"):
        Extractor.load(tmp_path)


def test_a_changed_description_is_found(folder: Path, tmp_path: Path) -> None:
    said = json.loads((folder / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps({**said, "side": 448}))
    with pytest.raises(Corrupt, match="was changed"):
        ExtractorDescription.read(tmp_path)


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this machine has a GPU for onnxruntime")
def test_cuda_without_a_gpu_says_what_to_install(folder: Path) -> None:
    with pytest.raises(Invalid, match="onnxruntime-gpu"):
        Extractor.load(folder, "cuda")
