"""Run by the tests of races, in a process without threads: forks workers that all start at the same moment.

racers.py WHAT REPOSITORY [FOLDER]: prints one JSON list with what each worker returned.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lykeion.errors import Conflict
from lykeion.repository import open_repository

WORKERS = 16


def race(work: Callable[[int], object]) -> list[object]:
    """What each of WORKERS processes made of its number."""
    gate, open_gate = os.pipe()
    pipes = []
    for worker in range(WORKERS):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(open_gate)
            os.read(gate, 1)  # until the parent closes its end
            os.write(writer, json.dumps(work(worker)).encode())
            os._exit(0)
        os.close(writer)
        pipes.append(reader)
    os.close(open_gate)
    answers = [json.loads(os.fdopen(reader, "rb").read()) for reader in pipes]
    for _ in pipes:
        os.wait()
    return answers


def create(where: str, _: str) -> list[object]:
    store = open_repository(where).store
    return race(lambda worker: [store.create(f"race/{n}", b"%d" % worker) for n in range(30)])


def publish_same(where: str, folder: str) -> list[object]:
    return race(lambda _: open_repository(where).publish("photos", Path(folder) / "0").version)


def publish_different(where: str, folder: str) -> list[object]:
    return race(lambda worker: open_repository(where).publish("photos", Path(folder) / str(worker // 2)).version)


def move(where: str, _: str) -> list[object]:
    """All try to move the alias on from where all saw it; returns which moves each of them made."""

    def mover(worker: int) -> list[int]:
        models, made = open_repository(where), []
        for n in range(10):
            try:
                if models.move_alias("photos", "stable", 1 + (n + 1) % 2, reason=f"{worker}", expected=1 + n % 2):
                    made.append(n)
            except Conflict:
                continue
        return made

    return race(mover)


def killed(where: str, folder: str) -> list[object]:
    """Publishers that are killed at random moments; after each, what is visible must be whole. Returns the numbers seen."""
    chance = random.Random(7)
    models = open_repository(where)
    seen: list[object] = []
    for n in range(40):
        child = os.fork()
        if child == 0:
            models.publish("photos", Path(folder) / str(n % 4))
            os._exit(0)
        time.sleep(chance.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for version in models.versions("photos"):
            assert models.verify("photos", version) == []
        seen.append(models.versions("photos"))
    return seen


if __name__ == "__main__":
    what, repository, *rest = sys.argv[1:]
    print(json.dumps(globals()[what](repository, *rest or [""])))
