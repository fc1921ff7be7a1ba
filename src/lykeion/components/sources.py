"""Where a catalogue comes from: a CSV or Parquet file of listings, or a folder of pictures.

A bad row is set aside with its reason and counted; the rest goes on. What is wrong with the file as a whole (no such file, a column
missing) is one error that says what is there.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lykeion.components.base import Input, Output, Step, Uri, component
from lykeion.components.catalogue_root import write_catalogue_root
from lykeion.components.column_types import Schema, read_schema, write_schema
from lykeion.components.item_writer import ItemWriter
from lykeion.components.listings import Listing, Rejected
from lykeion.components.listings_csv import csv_listings
from lykeion.components.listings_folder import folder_listings
from lykeion.components.listings_parquet import parquet_listings, parquet_types
from lykeion.components.pinned_types import pinned
from lykeion.components.quarantine import Quarantine
from lykeion.components.stat_digests import StatDigests
from lykeion.components.tables import Items
from lykeion.errors import Invalid
from lykeion.outside import NotAFile, check_regular, open_outside

__all__ = ["fingerprint", "listings"]

PROGRESS_EVERY = 20_000


def fingerprint(uri: Uri, step: Step) -> str:
    """Over the content of the file, or over which pictures the folder holds (their content is looked at by the pictures step)."""
    path = local_path(uri)
    if path.is_dir():
        total = sha256(f"{path}\0".encode(errors="surrogatepass"))
        for listing in folder_listings(path):
            total.update(repr(listing).encode(errors="surrogatepass"))
        return total.hexdigest()
    known = StatDigests(step.cache_folder("stat-digests") / f"listings-{sha256(str(path).encode()).hexdigest()[:32]}.arrow")
    digest = known.digest(str(path)).hex()
    known.save()
    return f"{path.parent}:{digest}"


@component(role="source", fingerprint=fingerprint)
def listings(items: Output[Items], schema: Output[Schema], types: Input[Schema] | None = None, *, uri: Uri, step: Step) -> None:
    """Read a catalogue: a .csv or .parquet file of listings, or a folder of pictures.

    Columns: id, title, description, category, price, status, updated_at, pictures (paths; in CSV separated by `;`). Others are kept as
    attributes, with the types that a Parquet file says, or that all values of a CSV file's column have. Of a folder, an item is a picture:
    its id the path in it, its category the folder that it lies in.

    schema: the types of the attributes. types: those of an earlier catalogue: attributes have these, and a row with a value that does
    not fit is set aside.
    """
    path = local_path(uri)
    is_folder = path.is_dir()
    wanted = read_schema(types.path) if types is not None else {}
    in_file, left_out = parquet_types(path) if is_parquet(path) else ({}, {})
    write_catalogue_root(items.path, str(path if is_folder else path.parent))
    with Quarantine(items.path) as bad, ItemWriter(items.path, in_file | wanted) as writer:
        for column, reason in left_out.items():
            bad.add(reason, column=column)
        seen: set[str] = set()
        for row, listing in enumerate(pinned(read(path), wanted) if wanted else read(path), start=1):
            place: dict[str, Any] = {"file": listing.id} if is_folder else {"row": row, "line": listing.line}
            if isinstance(listing, Rejected):
                bad.add(listing.reason, item=listing.id, value=listing.value, **place)
            elif listing.id in seen:
                bad.add("another item above has this id", item=listing.id, value=listing.id, **place)
            else:
                seen.add(listing.id)
                writer.add(listing)
            if row % PROGRESS_EVERY == 0:
                step.progress(row, 0, "rows")
        step.metric("items", len(seen))
        step.metric("quarantined", bad.count)
    write_schema(schema.path, writer.types)


def local_path(uri: str) -> Path:
    """The file or folder that a URI names. Raises Invalid."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        raise Invalid(
            f"uri: {uri}: listings are read from a file or a folder of this machine ({parts.scheme}:// comes with a later version)"
        )
    path = Path(os.path.realpath(os.path.expanduser(unquote(parts.path) if parts.scheme else uri)))
    if not path.exists():
        raise Invalid(f"uri: there is no file or folder {path}")
    try:
        if not path.is_dir():
            check_regular(path.stat(), path)
    except NotAFile as error:
        raise Invalid(f"uri: {path}: {error.strerror} or a folder") from error
    return path


def read(path: Path) -> Iterator[Listing | Rejected]:
    if path.is_dir():
        return folder_listings(path)
    return parquet_listings(path) if is_parquet(path) else csv_listings(path)


def is_parquet(path: Path) -> bool:
    if path.is_dir():
        return False
    with open_outside(path) as file:
        return file.read(4) == b"PAR1"
