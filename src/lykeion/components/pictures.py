"""Brings a catalogue's pictures into the item cache, each once by its content, and sets aside what is no picture.

    items.arrow (paths) ──> look: inside the catalogue? a file? known by its stat? ──> cache/pictures/ab/<hex>
                                     │ bad                                             pictures.arrow (item, number, digest, size, type)
                                     └──> quarantine.jsonl

An unchanged picture costs a `stat`. A changed one is noticed by its content: touching it changes nothing.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lykeion.components.base import PARTITIONS, Input, Output, Step, component
from lykeion.components.catalogue_root import catalogue_root, on_disk
from lykeion.components.item_cache import DIGEST, PictureStore, SegmentWriter, digests, find, write_table
from lykeion.components.listings_folder import SUFFIXES
from lykeion.components.quarantine import Quarantine
from lykeion.components.stat_digests import Stat, StatDigests
from lykeion.components.tables import PICTURE_COLUMNS, PICTURES_FILE, Items, Pictures, read_items, rows_of_partition
from lykeion.errors import Invalid
from lykeion.outside import NotAFile, check_regular, read_outside
from lykeion.search.picture import MOST_BYTES, NEEDS_HEIC, VERDICTS, Header, PictureError, header

FACTS_FOLDER = f"picture-facts/{VERDICTS}"
FACTS = pa.schema([("digest", DIGEST), ("width", pa.int32()), ("height", pa.int32()), ("media_type", pa.string()), ("reason", pa.string())])
MOST_PER_ITEM = 1000
EXAMPLES = 3  # of what cannot be used, where nothing can
PICTURE = f"({'|'.join(map(re.escape, sorted(SUFFIXES)))})"
SEVERAL = re.compile(rf"{PICTURE}\s*[|,\s]\s*[^|,\s].*{PICTURE}$", re.IGNORECASE)  # of pictures, with what people put between their names
REMOTE = ("http://", "https://", "s3://", "gs://", "az://")


class Refused(Exception):
    """Why a picture is set aside."""


class Found(NamedTuple):
    """A picture file of an item. `digest` is None where it has to be read."""

    item: str
    number: int
    path: str
    size: int
    digest: bytes | None


Fact = Header | str  # what a picture is, or why it is refused


def fingerprint(items: Input[Items], root: str, step: Step) -> str:
    """Over the content of every picture that the catalogue names. Raises Invalid where none of them is there."""
    top = catalogue_root(items.path, root)
    known = stat_digests(step, top)
    total = sha256()
    paths = read_items(items.path)["pictures"].combine_chunks().flatten().to_pylist()
    missing: list[str] = []
    for path in paths:
        try:
            seen = known.digest(locate(path, top)).hex()
        except (Refused, OSError, ValueError) as error:
            seen = type(error).__name__
            missing.append(f"{path}: {error if isinstance(error, Refused) else unreadable(error)}")
        total.update(f"{path}\0{seen}\n".encode(errors="surrogatepass"))
    known.save()
    if missing and len(missing) == len(paths):
        more = f"; and {len(missing) - EXAMPLES} more" if len(missing) > EXAMPLES else ""
        raise Invalid(f"none of the catalogue's pictures ({len(paths)}) can be used: {'; '.join(missing[:EXAMPLES])}{more}")
    return total.hexdigest()


@component(role="source", partitions=PARTITIONS, fingerprint=fingerprint)
def collect(items: Input[Items], pictures: Output[Pictures], *, root: str = "", step: Step) -> None:
    """Copy the items' pictures into the cache, by content; bad ones are set aside with their reason.

    root: the folder that pictures may lie in; by default that of the listings file.
    """
    top = catalogue_root(items.path, root)
    store = PictureStore(step.cache_folder("pictures"))
    rows: list[dict[str, Any]] = []
    with Quarantine(pictures.path) as bad:
        found = list(look(rows_of_partition(items.path, step.partition, step.partition_count), top, stat_digests(step, top), bad))
        folder = step.cache_folder(FACTS_FOLDER)
        facts = known_facts(folder, {one.digest for one in found if one.digest is not None})
        with SegmentWriter(folder, FACTS) as writer:
            for done, one in enumerate(found):
                try:
                    digest, fact = settle(one, store, facts, writer)
                    if isinstance(fact, str):
                        bad.add(fact, item=one.item, picture=one.path)
                        step.uncached = step.uncached or (fact if fact == NEEDS_HEIC else "")
                    else:
                        rows.append({"item": one.item, "number": one.number, "digest": digest, **fact._asdict()})
                except OSError as error:
                    bad.add(unreadable(error), item=one.item, picture=one.path)
                if done % 64 == 0:
                    step.progress(done, len(found), "pictures")
        write_table(pictures.path / PICTURES_FILE, pa.Table.from_pylist(without_repeats(rows), PICTURE_COLUMNS))
        step.metric("pictures", len(rows))
        step.metric("quarantined", bad.count)


def stat_digests(step: Step, top: str) -> StatDigests:
    return StatDigests(step.cache_folder("stat-digests") / f"{sha256(top.encode()).hexdigest()[:32]}.arrow")


def look(table: pa.Table, top: str, known: StatDigests, bad: Quarantine) -> Iterator[Found]:
    """The picture files of a partition's items, by `stat` alone; what cannot be one is set aside."""
    for item, paths in zip(table["id"].to_pylist(), table["pictures"].to_pylist(), strict=True):
        if not paths:
            bad.add("the item has no picture", item=item, picture=None)
        for number, path in enumerate(paths or ()):
            try:
                if number >= MOST_PER_ITEM:
                    raise Refused(f"an item may have {MOST_PER_ITEM} pictures")
                real = locate(path, top)
                status = os.stat(real)
                check(status, real)
                yield Found(item, number, real, status.st_size, known.known(real, Stat.of(status)))
            except Refused as refused:
                bad.add(str(refused), item=item, picture=path)
            except (OSError, ValueError) as error:
                bad.add(unreadable(error), item=item, picture=path)


def locate(path: str, top: str) -> str:
    """The real path of a picture, links followed. Raises Refused where it is not a file of the catalogue's folder."""
    if path.startswith(REMOTE):
        raise Refused("remote pictures come with a later version: copy it beside the listings, and name the copy")
    folder, name = os.path.split(on_disk(os.path.normpath(os.path.join(top, path))))
    real = os.path.join(real_folder(folder), name)
    if os.path.islink(real):
        real = os.path.realpath(real)
    if os.path.commonpath([top, real]) != top:
        raise Refused(f"leads out of the catalogue: {real} is not in {top} (the parameter `root` of the pictures step can widen it)")
    return real


@lru_cache(maxsize=65536)
def real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def check(status: os.stat_result, path: str) -> None:
    """Raises Refused, NotAFile."""
    check_regular(status, path)
    if status.st_size == 0:
        raise Refused("the file is empty")
    if status.st_size > MOST_BYTES:
        raise Refused(f"{status.st_size / 1e6:.0f} MB is more than the {MOST_BYTES // 1_000_000} MB that a picture may have")


def known_facts(folder: Path, wanted: set[bytes]) -> dict[bytes, Fact]:
    table = find(folder, digests(sorted(wanted)), FACTS)
    return {row["digest"]: row["reason"] or Header(row["width"], row["height"], row["media_type"]) for row in table.to_pylist()}


def settle(one: Found, store: PictureStore, facts: dict[bytes, Fact], writer: SegmentWriter) -> tuple[bytes, Fact]:
    """A picture's digest and what it is; a good one is in the store afterwards. Raises OSError."""
    if one.digest is not None and (known := facts.get(one.digest)) and (isinstance(known, str) or store.holds(one.digest, one.size)):
        return one.digest, known
    data = read_outside(one.path)
    digest = sha256(data).digest()
    if digest not in facts:
        facts[digest] = fact = judge(data)
        seen = {"reason": fact} if isinstance(fact, str) else fact._asdict()
        writer.add(digest=digest, **seen)
    if not isinstance(facts[digest], str):
        store.add(data)
    return digest, facts[digest]


def judge(data: bytes) -> Fact:
    try:
        return header(data)
    except PictureError as error:
        return error.reason


def unreadable(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file" + (" (several pictures are separated by `;`)" if SEVERAL.search(str(error.filename)) else "")
    if isinstance(error, NotAFile):
        return error.strerror or ""
    return f"cannot be read: {error.strerror if isinstance(error, OSError) else error}"


def without_repeats(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An item that names the same picture twice has it once."""
    first: dict[tuple[str, bytes], dict[str, Any]] = {}
    for row in rows:
        first.setdefault((row["item"], row["digest"]), row)
    return list(first.values())
