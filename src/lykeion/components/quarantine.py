"""What steps set aside, and why. It lies in the output, so whoever takes the output from the cache is told the same.

    <output>/quarantine.jsonl   a line for each thing: the item, the reason, and which row, line, value or picture
    <output>/quarantine.json    how many, by kind and reason: what a run tells at its end without reading all of them

Light: the command line and the page read it where no table can be read.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

from lykeion.components.base import partition_name

FILE, COUNTS_FILE = "quarantine.jsonl", "quarantine.json"
MOST_REASONS = 100  # of one output (or partition) that are counted apart
OTHER = "other reasons"
LONGEST = 200  # characters that are shown of what a row holds

Steps = Iterable[tuple[str, str]]
"""Steps that left outputs, by name and key."""


class Quarantine:
    """Writes what is set aside, one `add` for each thing. `count` says how many."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = (folder / FILE).open("w", encoding="utf-8", errors="backslashreplace")
        self.counts: Counter[tuple[str, str]] = Counter()

    @property
    def count(self) -> int:
        return self.counts.total()

    def add(self, reason: str, **about: Any) -> None:
        """about: `item`, and `picture` (a path, or a digest with its `number`), or a `file` (a path), or `row`, `line` and
        `value`, or a `column`, as far as they are known. A row of a file that has lines is named by its line."""
        self.file.write(json.dumps({**about, "reason": reason}, ensure_ascii=False, default=str) + "\n")
        kind = kind_of(about)
        counted = (kind, in_general(reason))
        if counted not in self.counts and len(self.counts) >= MOST_REASONS:
            counted = (kind, OTHER)
        self.counts[counted] += 1

    def __enter__(self) -> "Quarantine":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        (self.folder / COUNTS_FILE).write_text(json.dumps([[*counted, number] for counted, number in self.counts.items()]))


class Entry(NamedTuple):
    """One thing that was set aside. `what`: the path of a picture or a file, a column's name, or a row's place and value; of a picture
    that is in the cache, which one of its item it is, and `digest`."""

    step: str
    item: str
    what: str
    reason: str
    digest: str = ""


class Reason(NamedTuple):
    """How many things of one kind ("file", "row", "picture", "column" or "item") a step set aside for one reason."""

    step: str
    kind: str
    reason: str
    total: int


def kind_of(about: Mapping[str, Any]) -> str:
    return next((kind for kind in ("file", "row", "picture", "column") if about.get(kind)), "item")


def in_general(reason: str) -> str:
    """A reason without what belongs to the one thing, or says what to do about it."""
    return re.split(r": | \(", reason, maxsplit=1)[0]


def reasons(outputs: Path, steps: Steps) -> list[Reason]:
    """What the steps of a Training set aside, counted: by step, the most frequent reason first. `outputs`: the folder with all keys."""
    found: list[Reason] = []
    for step, key in steps:
        counts: Counter[tuple[str, str]] = Counter()
        for file in files(outputs / key):
            counts.update(counted(file))
        found += (Reason(step, kind, reason, number) for (kind, reason), number in counts.most_common())
    return found


def entries(outputs: Path, steps: Steps, offset: int, limit: int) -> list[Entry]:
    """`limit` of the things that were set aside, from the `offset`-th on, in the order of the steps."""
    lines = ((step, line) for step, key in steps for file in files(outputs / key) for line in lines_of(file))
    return [entry(step, read(line)) for step, line in islice(lines, offset, offset + limit)]


def gone(outputs: Path, steps: Steps) -> list[str]:
    """The steps whose outputs were freed, and with them what they set aside."""
    return [step for step, key in steps if not (outputs / key).is_dir()]


def quarantined(folder: Path) -> Iterator[dict[str, Any]]:
    """What was set aside in one output, over all partitions."""
    for file in parts(folder):
        yield from map(read, lines_of(file))


def files(key: Path) -> Iterator[Path]:
    """The files of all outputs of a key."""
    if key.is_dir():
        for output in sorted(path for path in key.iterdir() if path.is_dir()):
            yield from parts(output)


def parts(output: Path) -> Iterator[Path]:
    """Those of one output. Partitions are asked for by name: an output may hold a million files."""
    partitions = (output / partition_name(number) for number in count())
    for folder in (output, *while_there(partitions)):
        if (folder / FILE).is_file():
            yield folder / FILE


def while_there(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.is_dir():
            return
        yield folder


def lines_of(file: Path) -> Iterator[bytes]:
    """None where the output is freed just now."""
    with suppress(FileNotFoundError), file.open("rb") as lines:
        yield from lines


def read(line: bytes) -> dict[str, Any]:
    """A component of somebody else may keep what it likes in a file of this name."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"reason": line.decode("utf-8", "replace").strip()}


def counted(file: Path) -> Counter[tuple[str, str]]:
    """(kind, reason) -> how many."""
    try:
        kept = json.loads(file.with_name(COUNTS_FILE).read_bytes())
        return Counter({(str(kind), str(reason)): int(number) for kind, reason, number in kept})
    except (OSError, ValueError, TypeError):  # written by an earlier version: then by counting
        return Counter((kind_of(one), in_general(str(one.get("reason", "")))) for one in map(read, lines_of(file)))


def entry(step: str, about: Mapping[str, Any]) -> Entry:
    picture = about.get("picture")
    digest = picture if isinstance(picture, str) and re.fullmatch(r"[0-9a-f]{64}", picture) else ""
    item = about.get("item")
    return Entry(step, "" if item is None else str(item), what_of(about), str(about.get("reason", "")), digest)


def what_of(about: Mapping[str, Any]) -> str:
    """ "a/b.jpg", "notes.txt", "its picture 2" (of which only the digest is known), "line 3: cheap", "row 7"."""
    if picture := about.get("picture"):
        number = about.get("number")  # 0 is an item's first
        return str(picture) if not isinstance(number, int) else f"its picture {number + 1}"
    if file := about.get("file"):
        return str(file)
    place = next((f"{name} {about[name]}" for name in ("line", "row", "column") if about.get(name)), "")
    value = about.get("value")
    shown = "" if value in (None, "") else str(value)[:LONGEST]
    return ": ".join(filter(None, (place, shown)))
