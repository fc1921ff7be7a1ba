"""Retrieval: the same 1860 emoji by two makers. Query with Google's, find Twitter's; the space is fitted on Twitter's catalogue only.

    python benchmarks/retrieval.py [--cache DIR]

Through the components as they are shipped (pictures -> features -> space), over npm's emoji-datasource-google and -twitter 16.0.0.
"""

import argparse
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np

from lykeion.components import features, pictures, sources
from lykeion.components.base import Input, Output, Step, partition_name
from lykeion.components.demo_fetch import npm
from lykeion.components.feature_cache import read
from lykeion.search.space import Space, normalised
from lykeion.search.space_fit import fit

PARTITIONS = 8
MAKERS = ("google", "twitter")
GOAL = {"R@1": 0.51, "R@10": 0.80}


def fetch(maker: str, folder: Path) -> Path:
    """The folder of a maker's package, fetched once."""
    target = folder / maker
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=folder) as there:
            subprocess.run([*npm(Path(there)), "pack", "--silent", f"emoji-datasource-{maker}@16.0.0"], cwd=there, check=True, timeout=600)
            with tarfile.open(next(Path(there).glob("*.tgz"))) as tar:
                tar.extractall(Path(there) / "out", filter="data")
            shutil.move(Path(there) / "out" / "package", target)
    return target


def catalogue(maker: str, folder: Path) -> Path:
    """A listings file of the emoji that both makers and Facebook have."""
    package = fetch(maker, folder)
    chosen = [e for e in json.loads((package / "emoji.json").read_text()) if all(e[f"has_img_{name}"] for name in (*MAKERS, "facebook"))]
    file = package / "listings.csv"
    file.write_text("id,pictures\n" + "".join(f"{e['unified']},img/{maker}/64/{e['image']}\n" for e in chosen))
    return file


def index(listings: Path, home: Path, cache: Path) -> Path:
    """Run the components; returns the folder of the features."""
    for part in ("items", *(f"{kind}/{partition_name(n)}" for kind in ("pictures", "features") for n in range(PARTITIONS))):
        (home / part).mkdir(parents=True)
    sources.listings(Output(home / "items"), Output(home / "items"), uri=str(listings), step=Step(cache=cache))
    for n in range(PARTITIONS):
        step = Step(cache=cache, partition=n, partition_count=PARTITIONS)
        pictures.collect(Input(home / "items"), Output(home / "pictures" / partition_name(n)), step=step)
        features.extract(Input(home / "pictures"), Output(home / "features" / partition_name(n)), step=step)
    return home / "features"


def hits(queries: np.ndarray, gallery: np.ndarray, own: np.ndarray) -> tuple[float, float]:
    """R@1 and R@10; `own[i]` is the gallery's row that query i should find."""
    scores = queries @ gallery.T
    rank = (scores > scores[np.arange(len(own)), own][:, None]).sum(axis=1)
    return float((rank < 1).mean()), float((rank < 10).mean())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "lykeion-bench")
    folder = arguments.parse_args().cache / "emoji"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as there:
        work = Path(there)
        started = time.process_time()
        raw = {maker: read(index(catalogue(maker, folder), work / maker, work / "cache"), work / "cache") for maker in MAKERS}
        extraction = time.process_time() - started
    places = {item: row for row, item in enumerate(raw["twitter"].items)}
    own = np.array([places[item] for item in raw["google"].items])
    rows = {"GeM alone": hits(normalised(raw["google"].features), normalised(raw["twitter"].features), own)}
    for dimension in (512, 256, 128):
        space: Space = fit(raw["twitter"].extractor, raw["twitter"].features, dimension, 0.5)
        rows[f"space {dimension}"] = hits(space.project(raw["google"].features), space.project(raw["twitter"].features), own)
    print(f"emoji google -> twitter, {len(own)} pairs; goal R@1 >= {GOAL['R@1']}, R@10 >= {GOAL['R@10']}\n")
    print("| vectors | R@1 | R@10 |\n|---|---|---|")
    for name, (first, tenth) in rows.items():
        print(f"| {name} | {first:.3f} | {tenth:.3f} |")
    print(f"\n{2 * len(own)} pictures collected and extracted in {extraction:.1f} CPU-s")
    first, tenth = rows["space 512"]
    raise SystemExit(0 if first >= GOAL["R@1"] and tenth >= GOAL["R@10"] else 1)


if __name__ == "__main__":
    main()
