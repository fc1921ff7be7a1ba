"""Small real catalogues, and the components of photo search run over them as the engine would."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lykeion.components import features, pictures, sources
from lykeion.components.base import Input, Output, Step, partition_name
from lykeion.components.quarantine import quarantined

PARTITIONS = 4


def picture_bytes(seed: int, kind: str = "PNG") -> bytes:
    """A real picture; another seed is another picture."""
    blocks = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    made = io.BytesIO()
    Image.fromarray(blocks.repeat(10, axis=0).repeat(10, axis=1)).save(made, kind)
    return made.getvalue()


class Pipeline:
    """The steps, each into a folder of its own as often as it is run, over one cache."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home / "cache"
        self.runs = 0
        self.metrics: Counter[str] = Counter()
        self.result: dict[str, object] = {}
        self.uncached = ""

    def folder(self, name: str, *parts: str) -> Path:
        made = self.home.joinpath("outputs", name, *parts)
        made.mkdir(parents=True)
        return made

    def new(self, name: str) -> str:
        self.runs += 1
        self.metrics = Counter()
        return f"{name}-{self.runs}"

    def step(self, partition: int = 0, count: int = 1) -> Step:
        return Step(cache=self.cache, partition=partition, partition_count=count)

    def keep(self, step: Step) -> None:
        self.metrics.update(step.metrics)
        self.result = step.result
        self.uncached = self.uncached or step.uncached

    def listings(self, uri: Path | str, types: Path | None = None) -> Path:
        target, step = self.folder(self.new("items")), self.step()
        sources.listings(Output(target), Output(target), Input(types) if types else None, uri=str(uri), step=step)
        self.keep(step)
        return target

    def collect(self, items: Path, root: str = "") -> Path:
        name = self.new("pictures")
        for number in range(PARTITIONS):
            step = self.step(number, PARTITIONS)
            pictures.collect(Input(items), Output(self.folder(name, partition_name(number))), root=root, step=step)
            self.keep(step)
        return self.home / "outputs" / name

    def extract(self, collected: Path) -> Path:
        name = self.new("features")
        for number in range(PARTITIONS):
            step = self.step(number, PARTITIONS)
            features.extract(Input(collected), Output(self.folder(name, partition_name(number))), step=step)
            self.keep(step)
        return self.home / "outputs" / name

    def fit_space(self, extracted: Path, **options: object) -> Path:
        target, step = self.folder(self.new("space")), self.step()
        features.fit_space(Input(extracted), Output(target), step=step, **options)
        self.keep(step)
        return target

    def reasons(self, folder: Path) -> dict[str, str]:
        return {str(entry["item"]): entry["reason"] for entry in quarantined(folder)}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path / "home")


@pytest.fixture
def catalogue(tmp_path: Path) -> Callable[..., Path]:
    """catalogue(a=picture_bytes(1), …) writes a listings file with an item per file, and says where it is."""

    def make(**files: bytes) -> Path:
        folder = tmp_path / "catalogue"
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        listings = folder / "listings.csv"
        listings.write_text("id,pictures\n" + "".join(f"{name},{name}\n" for name in files))
        return listings

    return make


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return picture_bytes
