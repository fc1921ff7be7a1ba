"""What index workers take together: the sum of PSS of a supervisor and its workers, after each has read the whole index.

    .venv/bin/python benchmarks/index_memory.py [--workers 4] [--gib 1] [--runs 5]

The index is flat, so that one search of each worker reads every page of it: the most that workers can ever have mapped.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

import grpc
import numpy as np

from lykeion.core.content import digest_of_value
from lykeion.core.search.manifest import FLAT_UP_TO
from lykeion.core.values import ModelVersion
from lykeion.search.build import Identity, build
from lykeion.servers.index_pb2 import SearchReply, SearchRequest
from lykeion.testing.families import entry, write_document
from lykeion.testing.servers import Running
from made_up import made_up_rows

MIB = 1 << 20


def pss_of(pid: int) -> float:
    """MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def write(volume: Path, size: int) -> tuple[ModelVersion, int]:
    rows = FLAT_UP_TO
    dimension = size // (2 * rows)
    rng = np.random.default_rng(0)
    folder = volume / "models/photos/1"
    folder.mkdir(parents=True)

    def vectors(part: slice) -> np.ndarray:
        return rng.standard_normal((len(range(*part.indices(rows))), dimension), np.float32)

    table = made_up_rows(rows)
    table = table.append_column("title", table["item"])
    build(folder, table, vectors, np.eye(1, dimension, dtype=np.float32), Identity("photos", "g", "e"))
    return ModelVersion("photos", 1, digest_of_value("index")), dimension


def run(socket: Path, workers: int, common: tuple[str, ...], wanted: SearchRequest) -> float:
    """MiB of a supervisor and its workers, after each has read every page."""
    with Running("lykeion.servers.index_server", socket, "--document", "load", "--workers", str(workers), *common) as server:
        for address in server.ready(workers):
            with grpc.insecure_channel(address) as channel:
                search = channel.unary_unary("/lykeion.index.v1.Index/Search", SearchRequest.SerializeToString, SearchReply.FromString)
                for _ in range(3):
                    search(wanted, timeout=120)
        return sum(map(pss_of, [*server.workers(), server.process.pid]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=5, help="servers started one after the other, of which the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index, dimension = write(folder / "volume", int(options.gib * 1024 * MIB))
        size = sum(file.stat().st_size for file in (folder / "volume" / index.path).iterdir()) / MIB
        write_document(folder / "documents", "load", {"family": "photos", "load": [entry(index)]})
        common = ("--documents", str(folder / "documents"), "--volume", str(folder / "volume"), "--family", "photos")
        wanted = SearchRequest(vectors=np.ones(dimension, "<f4").tobytes(), dimension=dimension, k=10, indexes=[index.digest])
        measured = [run(folder / f"i{number}", options.workers, common, wanted) for number in range(options.runs)]
    together = median(measured)
    goal = 1.10 * options.gib * 1024 + options.workers * 25
    print("| what | MiB | goal |\n|---|---|---|")
    print(f"| files of the index | {size:.0f} | |")
    spread = f"median of {options.runs} ({min(measured):.0f} to {max(measured):.0f})"
    print(f"| supervisor and {options.workers} workers, sum of PSS, {spread} | {together:.0f} | <= {goal:.0f} |")
    print(f"| beyond the index, per worker | {(together - size) / options.workers:.0f} | |")
    print(f"| a copy in each worker would take | {size * options.workers:.0f} | |")


if __name__ == "__main__":
    main()
