"""Indexing: photos per second and core (decode + extract, 1 MP JPEG), the same catalogue again, and with 1 % of it changed.

    python benchmarks/indexing.py [--pictures 2000]

The components are called as the engine calls them, 64 partitions in one process; "again" is what planning costs when every key hits.
The peer is the same network fed the obvious way: decode in full, resize, onnxruntime as it comes, one thread.
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from lykeion.components import features, pictures, sources
from lykeion.components.base import PARTITIONS, Input, Output, Step, partition_name
from lykeion.components.extractors import prepared
from lykeion.search.extractor import NETWORK, Extractor
from lykeion.search.picture import pixels

SIZE = (1224, 816)  # 1 MP


def photo(seed: int) -> bytes:
    """A JPEG with the detail and the bytes (about 250 kB) of a photo."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", SIZE)
    for detail, weight in ((8, 0.6), (64, 0.25), (400, 0.15)):
        noise = Image.fromarray(rng.integers(0, 255, (detail, detail, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
        picture = Image.blend(picture, noise, weight)
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=85)
    return made.getvalue()


def cpu(what: Callable[[], object]) -> float:
    started = time.process_time()
    what()
    return time.process_time() - started


class Run:
    """The steps over one cache; each run's outputs in a folder of their own."""

    def __init__(self, home: Path, listings: Path) -> None:
        self.home, self.cache, self.listings, self.number = home, home / "cache", listings, 0

    def plan(self) -> None:
        sources.fingerprint(str(self.listings), Step(cache=self.cache))
        pictures.fingerprint(Input(self.home / str(self.number) / "items"), "", Step(cache=self.cache))

    def index(self) -> None:
        self.number += 1
        out = self.home / str(self.number)
        (out / "items").mkdir(parents=True)
        sources.listings(Output(out / "items"), Output(out), uri=str(self.listings), step=Step(cache=self.cache))
        pictures.fingerprint(Input(out / "items"), "", Step(cache=self.cache))
        for kind in ("pictures", "features"):
            for number in range(PARTITIONS):
                part = out / kind / partition_name(number)
                part.mkdir(parents=True)
                step = Step(cache=self.cache, partition=number, partition_count=PARTITIONS)
                if kind == "pictures":
                    pictures.collect(Input(out / "items"), Output(part), step=step)
                else:
                    features.extract(Input(out / "pictures"), Output(part), step=step)


def obvious(network: Path, photos: list[bytes]) -> float:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])

    def extract() -> None:
        for data in photos:
            square = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
            session.run(None, {"pixels": np.asarray(square)[None]})

    return cpu(extract) / len(photos)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--pictures", type=int, default=2000)
    count = arguments.parse_args().pictures
    with tempfile.TemporaryDirectory() as there:
        home = Path(there)
        files = [home / "photos" / f"{number}.jpg" for number in range(count)]
        files[0].parent.mkdir()
        for number, file in enumerate(files):
            file.write_bytes(photo(number))
        listings = home / "photos" / "listings.csv"
        listings.write_text("id,pictures\n" + "".join(f"{file.stem},{file.name}\n" for file in files))
        size = sum(os.path.getsize(file) for file in files) / count

        folder = prepared(home / "cache", "efficientnet-lite0")
        extractor = Extractor.load(folder)
        some = [file.read_bytes() for file in files[:100]]
        peer = obvious(folder / NETWORK, some)
        decode = cpu(lambda: [pixels(data, 224) for data in some]) / len(some)
        ours = cpu(lambda: [extractor.extract(data) for data in some]) / len(some)

        run = Run(home / "runs", listings)
        first = cpu(run.index)
        run.plan()
        again = cpu(run.plan)
        changed = files[::100]
        for number, file in enumerate(changed):
            file.write_bytes(photo(10**6 + number))
        one_percent = cpu(run.index)

    print(f"{count} JPEGs of 1 MP, {size / 1e3:.0f} kB each; CPU time, one core\n")
    print("| what | CPU | goal |\n|---|---|---|")
    print(f"| decode + extract, the obvious way | {peer * 1e3:.1f} ms = {1 / peer:.0f} photos/s | |")
    print(f"| decode + extract | {ours * 1e3:.1f} ms = {1 / ours:.0f} photos/s (decode {decode * 1e3:.1f} ms) | >= 60 photos/s |")
    print(f"| the catalogue, first time | {first:.1f} s = {count / first:.0f} photos/s | |")
    print(f"| unchanged, again (planning) | {again * 1e3:.0f} ms = {first / again:.0f} x less | >= 50 x |")
    print(f"| 1 % changed ({len(changed)} photos) | {one_percent:.2f} s = {one_percent / first:.1%} | <= 3 % |")


if __name__ == "__main__":
    main()
