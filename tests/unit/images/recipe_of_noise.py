"""A recipe of several layers that always has the same digest; run as a script, builders of it that are killed at random moments.

recipe_of_noise.py FOLDER SEED: prints one JSON list, for each round whether its builder was killed before it had finished.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lykeion.adapters.images.build import build
from lykeion.adapters.images.codecs import PLAIN, ZSTD
from lykeion.adapters.images.model import model_parts
from lykeion.adapters.images.recipes import Recipe
from lykeion.adapters.images.store import Store
from lykeion.core.content import digest_of
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.oci import Settings
from lykeion.core.models import layer
from lykeion.core.models.manifest import Manifest, VersionFile

ROUNDS, ENOUGH = 200, 25


def noise_recipe(folder: Path, number: int = 0, size: int = 400_000) -> Recipe:
    """Two layers that are made, one of them with a file beside, and the file of a model that is not copied."""
    chance = random.Random(number)
    data, weights = chance.randbytes(size), b"weights %d" % number
    for name, content in ((f"data-{number}-{size}", data), (f"weights-{number}", weights)):
        if not (folder / name).exists():  # what is published stays as it is
            (folder / name).write_bytes(content)
    whole = layer.header(f"weights-{number}", len(weights)) + weights + layer.trailer(len(weights))
    file = VersionFile(f"weights-{number}", len(weights), digest_of(weights)[7:], digest_of(whole)[7:])
    manifest = Manifest("photos", number, "sha256:x", datetime(2026, 1, 1, tzinfo=UTC), (file,))
    entries = [Entry(f"app/{n}.txt", data=b"%d" % number * 2000) for n in range(50)]
    return Recipe(
        f"noise:{number}",
        (
            Content(
                "wheels",
                "data",
                f"sha256:data-{number}-{size}",
                lambda: [Entry("data", source=str(folder / f"data-{number}-{size}"), size=size)],
            ),
            Content("code", "/app", f"sha256:code-{number}", lambda: entries),
            *model_parts(manifest, folder),
        ),
        Settings(labels={"number": str(number)}),
    )


def kill_builders(folder: Path, seed: int) -> list[bool]:
    """Each round builds another recipe into one store, twice: killed, then to the end; now and then a collection is killed instead."""
    chance, store = random.Random(seed), Store(folder / "images")
    broken_off: list[bool] = []
    longest = 0.05  # seconds that a build takes here; learned while it goes
    for number in range(ROUNDS):
        recipe = noise_recipe(folder, number % 7, 100_000 + 50_000 * (number % 3))
        child = os.fork()
        if child == 0:
            if number % 4 == 3:
                store.collect(timedelta(0), datetime.now(UTC) + timedelta(seconds=5))
            else:
                build(recipe, store, PLAIN if number % 2 else ZSTD)
            os._exit(0)
        time.sleep(chance.random() * longest)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        broken_off.append(os.WIFSIGNALED(status))
        if number % 3 == 0:
            started = time.monotonic()
            build(recipe, store, PLAIN if number % 2 else ZSTD)
            longest = max(longest / 2, time.monotonic() - started)
        if sum(broken_off) == ENOUGH:
            break
    return broken_off


if __name__ == "__main__":
    print(json.dumps(kill_builders(Path(sys.argv[1]), int(sys.argv[2]))))
