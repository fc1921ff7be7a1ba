"""What a search costs over HTTP: the proxy's CPU per vector query, and a photo query against decoding and extracting alone.

    .venv/bin/python benchmarks/search_http.py [--rows 100000] [--queries 2000] [--photos 100] [--runs 5]

One index worker and one proxy worker, asked one query after the other over a kept connection. CPU is that of the processes (user and
system), so that other load on the machine changes it little. The peer of a photo query is the same extractor called in a loop.
"""

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from PIL import Image

from lykeion.components.extractors import build_efficientnet_lite0
from lykeion.core.content import digest_of_value
from lykeion.core.values import ModelVersion
from lykeion.search.build import Identity, build
from lykeion.search.extractor import Extractor
from lykeion.search.space import Space
from lykeion.testing.families import entry, write_document
from lykeion.testing.servers import Running, UnixConnection
from made_up import made_up_rows

TICKS = os.sysconf("SC_CLK_TCK")
DIMENSION = 512


def cpu_of(pids: list[int]) -> float:
    """Seconds, user and system, of all threads."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def write(volume: Path, rows: int) -> tuple[ModelVersion, ModelVersion, np.ndarray]:
    """A space with the extractor that is shipped, and an index of clustered rows."""
    rng = np.random.default_rng(0)
    description, network = build_efficientnet_lite0()
    centroids = rng.standard_normal((1024, DIMENSION)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    projection = np.linalg.qr(rng.standard_normal((1280, DIMENSION)))[0].astype(np.float32)
    space_folder = volume / "models/photos-space/1"
    space_folder.mkdir(parents=True)
    space = Space(description, np.zeros(1280, np.float32), projection, centroids, 0.5, space_folder)
    space.write(space_folder, network)
    vectors = centroids[rng.integers(0, 1024, rows)] + rng.standard_normal((rows, DIMENSION)).astype(np.float32) * 0.02
    table = made_up_rows(rows)
    for name, values in (
        ("title", table["item"].to_pylist()),
        ("category", ["shoes"] * rows),
        ("price", [1.0] * rows),
        ("status", ["on_sale"] * rows),
    ):
        table = table.append_column(name, pa.array(values))
    folder = volume / "models/photos/1"
    folder.mkdir(parents=True)
    generation = digest_of_value("bench")
    build(folder, table, lambda part: vectors[part], centroids, Identity("photos", generation, space.embedding))
    said = {"generation": generation, "embedding": space.embedding, "dimension": DIMENSION}
    return ModelVersion("photos", 1, digest_of_value("index"), said), ModelVersion("photos-space", 1, generation), vectors


def photo(seed: int) -> bytes:
    """A JPEG of one megapixel with something to see in it."""
    fields = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
    target = io.BytesIO()
    Image.fromarray(fields).resize((1154, 866), Image.Resampling.BICUBIC).save(target, "JPEG", quality=88)
    return target.getvalue()


def timed(work: Callable[[int], object], count: int, cpu: Callable[[], float]) -> float:
    """CPU seconds of one, the mean of `count`."""
    for number in range(min(20, count)):
        work(number)
    before = cpu()
    for number in range(count):
        work(number)
    return (cpu() - before) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5, help="pairs of photo queries and extraction alone, of which the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        volume, documents = folder / "volume", folder / "documents"
        started = time.monotonic()
        index, space, vectors = write(volume, options.rows)
        print(f"index of {options.rows} x {DIMENSION} written in {time.monotonic() - started:.0f} s")
        write_document(documents, "load", {"family": "photos", "load": [entry(index)]})
        common = ("--documents", str(documents), "--volume", str(volume), "--family", "photos")
        servers = stack.enter_context(Running("lykeion.servers.index_server", folder / "i", "--document", "load", *common))
        cover = {"family": "photos", "space": entry(space), "embedding": "", "indexes": [{**entry(index), "addresses": servers.ready()}]}
        write_document(documents, "cover", cover)
        proxy = stack.enter_context(Running("lykeion.servers.proxy_server", folder / "p", "--document", "cover", *common))
        connection = UnixConnection(proxy.ready()[0].removeprefix("unix:"))

        def post(body: bytes, kind: str) -> None:
            connection.request("POST", "/v1/search/photos?k=10", body, {"content-type": kind})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            assert b'"partial":false' in text, text

        questions = [json.dumps({"vector": vectors[place].tolist()}).encode() for place in range(200)]
        photos = [photo(seed) for seed in range(20)]
        proxies, indexes = proxy.workers(), servers.workers()
        spent: dict[str, float] = {}

        def both() -> float:
            spent["index"] = cpu_of(indexes)
            return cpu_of(proxies)

        before = cpu_of(indexes)
        vector = timed(lambda number: post(questions[number % 200], "application/json"), options.queries, both)
        engine = (spent["index"] - before) / (options.queries + 20)
        extractor = Extractor.load(volume / space.path)
        pairs = [
            (
                timed(lambda number: post(photos[number % 20], "image/jpeg"), options.photos, lambda: cpu_of(proxies + indexes)),
                timed(lambda number: extractor.extract(photos[number % 20]), options.photos, time.process_time),
            )
            for _ in range(options.runs)
        ]
    ratios = [whole / alone for whole, alone in pairs]
    print("| what | CPU ms | goal |\n|---|---|---|")
    print(f"| proxy, one vector query | {vector * 1e3:.2f} | <= 1 |")
    print(f"| index server, the same query | {engine * 1e3:.2f} | |")
    print(f"| photo query, proxy and index server | {median(whole for whole, _ in pairs) * 1e3:.1f} | |")
    print(f"| decode + extract alone | {median(alone for _, alone in pairs) * 1e3:.1f} | |")
    print(f"| ratio, median of {options.runs} ({min(ratios):.2f} to {max(ratios):.2f}) | {median(ratios):.2f} | <= 1.3 |")


if __name__ == "__main__":
    main()
