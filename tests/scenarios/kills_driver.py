"""The smallest controller: runs steps on a home until all their keys are there. Run as a program, to be killed.

Every step notes in a journal that it began; what each of them makes is known in advance.
"""

import os
import sys
from hashlib import sha256
from pathlib import Path

from lykeion import Output, Step, component
from lykeion.adapters.local.tasks import Tasks
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import Ref, Task

OWNER = Ref("Training", "kills")
PARTS = 4


def key_of(number: int) -> str:
    return sha256(f"step {number}".encode()).hexdigest()


def content_of(number: int) -> str:
    return f"{number}\n" * 2000


@component
def work(out: Output, *, number: int, journal: str) -> None:
    note(journal, str(number))
    (out.path / "deep").mkdir()
    for name in ("a.txt", "deep/b.txt"):
        (out.path / name).write_text(content_of(number))


@component(partitions=PARTS)
def parts(out: Output, step: Step, *, number: int, journal: str) -> None:
    note(journal, f"{number}.{step.partition}")
    (out.path / "a.txt").write_text(content_of(number))


def note(journal: str, line: str) -> None:
    """One write of one line: whole, whoever writes beside."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def is_partitioned(number: int) -> bool:
    return number % 5 == 4


def task_of(number: int, attempt: int, journal: Path) -> Task:
    file = Path(__file__).resolve()
    name = "parts" if is_partitioned(number) else "work"
    parameters = {"number": number, "journal": str(journal)}
    step = StepFile(f"s{number}", f"{file}:{name}", key_of(number), folder=str(file.parent), parameters=parameters, outputs=("out",))
    count = PARTS if is_partitioned(number) else 0
    return Task(f"kills.s{number}.{attempt}", OWNER, (step,), partitions=count, parallelism=2, attempt=attempt)


def main(home: Path, journal: Path, steps: int, attempts: int) -> int:
    """Returns 0 when all steps are there, 1 when one has used up its attempts."""
    tasks = Tasks(home, runner="lykeion.components.runner:run", slots=2)
    print("up", flush=True)
    attempt = dict.fromkeys(range(steps), 0)
    while True:
        children = tasks.observe(OWNER)
        missing = [number for number in range(steps) if tasks.outputs.find(key_of(number)) is None]
        if not missing:
            break
        for number in missing:
            child = children.get(f"kills.s{number}.{attempt[number]}")
            if child is None or child.phase == "Failed":
                if attempt[number] == attempts:
                    tasks.close()
                    return 1
                attempt[number] += 1
                tasks.start(task_of(number, attempt[number], journal))
        tasks.wait(1.0)
    tasks.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
