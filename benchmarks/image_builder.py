"""From a published version to its answers: the image is built, pushed and recorded, the alias moves, and `lykeion up` serves it. Seconds.

    .venv/bin/python benchmarks/image_builder.py [--mb 100] [--times 3] [--cache DIR]

An index of the given size is published while another version of it answers, as the last step of a pipeline does; then it is asked again
and again which version answers. Needs Debian's docker-registry. A `--cache` that is kept holds Debian's packages.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pyarrow as pa

from lykeion.core.models.manifest import Manifest
from lykeion.repository import Repository, open_repository
from lykeion.search.build import Identity, build
from lykeion.search.space import Space
from lykeion.testing.families import write_space
from lykeion.testing.registries import RealRegistry
from lykeion.testing.servers import until
from made_up import made_up_rows
from measure import table

ROWS = 20_000
LYKEION = Path(sys.executable).with_name("lykeion")
DEPLOY = {"serving": "photos", "track": "stable", "image": True, "holds": True}


def write_index(folder: Path, space: Space, generation: str, size: int, seed: int) -> dict[str, object]:
    """An index of about `size` bytes, read-only as a step's output is; what its publisher says of it."""
    rng = np.random.default_rng(seed)
    padding = size // ROWS - 2 * space.dimension - 100
    titles = pa.array([rng.bytes(padding // 2).hex() for _ in range(ROWS)])
    rows = made_up_rows(ROWS).append_column("title", titles)

    def vectors(part: slice) -> np.ndarray:
        return rng.standard_normal((len(range(*part.indices(ROWS))), space.dimension), np.float32)

    folder.mkdir(parents=True)
    build(folder, rows, vectors, space.centroids, Identity("photos", generation, space.embedding))
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o444)
    return {"generation": generation, "embedding": space.embedding, "dimension": space.dimension}


@contextmanager
def platform(home: Path, prefix: str, env: dict[str, str]) -> Iterator[str]:
    """`lykeion up` with an image builder; its URL."""
    told = home.with_name("up.log")
    with told.open("wb") as log:
        process = subprocess.Popen([LYKEION, "up", "--port", "0", "--registry", prefix], env=env, stdout=log, stderr=log)
    try:
        until(lambda: "http://" in told.read_text(), 60)
        yield next(word for word in told.read_text().split() if word.startswith("http://")).rstrip("/")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def when(condition: Callable[[], object], seconds: float) -> float:
    """When something came to be so."""
    until(condition, seconds)
    return time.monotonic()


def answering(url: str) -> int:
    """The version that answers; 0 where none does."""
    try:
        with urlopen(f"{url}/v1/search/photos", timeout=10) as answer:
            return max((int(one["version"]) for one in json.load(answer)["indexes"]), default=0)
    except OSError:
        return 0


def took(repository: Repository, url: str, publish: Callable[[], Manifest]) -> tuple[float, float, float]:
    """Seconds from a version's manifest to its image's record, to its alias, and to its first answer."""
    version = publish().version
    began = time.monotonic()
    pushed = when(lambda: (record := repository.images("photos").last(version)) and record.state == "pushed", 600)
    named = when(lambda: repository.alias("photos", "stable") == version, 60)
    served = when(lambda: answering(url) == version, 60)
    return pushed - began, named - began, served - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--cache", type=Path)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, RealRegistry(Path(name) / "registry") as registry:
        folder = Path(name)
        home = folder / "home"
        if words.cache:
            (home / "cache").mkdir(parents=True)
            (home / "cache/images").symlink_to(words.cache.absolute())
        repository = open_repository((folder / "repository").as_uri())
        space = write_space(folder / "space", 192)
        generation = repository.publish("photos-space", folder / "space", metadata={"embedding": space.embedding})
        repository.move_alias("photos-space", "stable", generation.version)

        def prepared(seed: int) -> Callable[[], Manifest]:
            content = folder / f"index-{seed}"
            said = write_index(content, space, generation.digest, words.mb * 1_000_000, seed)
            return lambda: repository.publish("photos", content, metadata=said, deploy=DEPLOY)

        env = {**os.environ, "LYKEION_HOME": str(home), "LYKEION_REPOSITORY": (folder / "repository").as_uri()}
        with platform(home, f"{registry.host}/bench", env) as url:
            first = took(repository, url, prepared(0))  # all that is below the model is made and sent, and servers start
            rows = [("the first version: base and packages too", *first)]
            rows += [(f"version {seed + 1}", *took(repository, url, prepared(seed))) for seed in range(1, words.times + 1)]
    table((f"a version of {words.mb} MB, seconds since it was published", "image pushed", "alias", "answers (goal ≤ 5)"), rows)


if __name__ == "__main__":
    main()
