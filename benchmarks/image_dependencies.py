"""What an image's dependencies cost: Debian's Python, the packages of lykeion[search], and Lykeion. CPU seconds.

    .venv/bin/python benchmarks/image_dependencies.py [--cache DIR]     a cache that is kept: what is fetched is fetched once

Packing: one tar of everything. Importing: the search servers, in the base's own Python, with and without the .pyc.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from lykeion.adapters.images.apt import resolve
from lykeion.adapters.images.code import platform_content
from lykeion.adapters.images.codecs import GZIP, ZSTD, Codec
from lykeion.adapters.images.debs import Debs, lay_out
from lykeion.adapters.images.pyc import Compiler
from lykeion.adapters.images.requirements import Requirements
from lykeion.adapters.images.tar import stream
from lykeion.adapters.images.wheels import Wheels
from lykeion.core.images.entries import Entry
from lykeion.core.images.places import PACKAGES
from lykeion.core.images.tree import arranged
from lykeion.core.images.wheels import Target
from measure import cost, table

IMPORT = "import faiss, onnxruntime, grpc, pyarrow, lykeion.servers.index_server, lykeion.servers.proxy"


def packed(entries: Iterable[Entry], codec: Codec) -> tuple[float, float]:
    """CPU seconds and megabytes of the packed tar."""
    chunks = list(stream(entries))
    before = time.process_time()
    size = sum(map(len, codec.pack(chunks)))
    return time.process_time() - before, size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        cache = options.cache or Path(name) / "cache"
        lock = resolve()
        debs, target = Debs(cache / "base", lock), Target(lock.python)
        compiler = Compiler(target.python, debs.interpreter)
        packages = Wheels(cache / "wheels", target, compiler).contents(Requirements(cache / "locks", target).lock(None, ("search",)))
        entries = arranged(
            entry for one in (debs.content(compiler), *packages, platform_content(compiler, "/usr/bin/python3")) for entry in one.entries()
        )
        zstd, gzip = packed(entries, ZSTD), packed(entries, GZIP)
        root = Path(name) / "root"
        lay_out(entries, root)
        python = [*debs.interpreter.command(), "-B", "-c", IMPORT]
        environment = {"PYTHONPATH": str(root / PACKAGES), "PYTHONHOME": str(root / "usr")}
        compiled = min(cost(python, env=environment).cpu for _ in range(5))
        for file in root.rglob("*.pyc"):
            file.unlink()
        plain = min(cost(python, env=environment).cpu for _ in range(3))
    table(
        ("what", "here", "beside it", "ratio", "goal"),
        [
            ("packing: zstd-3, gzip-6, CPU-s", zstd[0], gzip[0], zstd[0] / gzip[0], "≤ 0.17"),
            ("packed: zstd-3, gzip-6, MB", zstd[1], gzip[1], zstd[1] / gzip[1], "≤ 1"),
            ("importing the search servers: with .pyc, without, CPU-s", compiled, plain, compiled / plain, "≤ 0.45"),
        ],
    )


if __name__ == "__main__":
    main()
