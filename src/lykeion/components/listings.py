"""One listing, and how the texts or values of a row become one. Pure: the readers of CSV, Parquet and folders share it."""

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from lykeion.errors import Invalid

COLUMNS = ("id", "title", "description", "category", "price", "status", "updated_at", "pictures")
OWN = frozenset(COLUMNS)
REQUIRED = ("id", "pictures")
ON_SALE = "on_sale"
LONGEST_ID = 512
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Listing(NamedTuple):
    """An item. `pictures` as they are written; `attributes`: the columns that have no meaning of their own here. `line`: see `Rejected`."""

    id: str
    title: str = ""
    description: str = ""
    category: str = ""
    price: float | None = None
    status: str = ON_SALE
    updated_at: datetime | None = None
    pictures: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = {}
    line: int = 0


class Rejected(NamedTuple):
    """A row that is no listing, and why. `value`: what is wrong in it. `line`: where it is, of a file that has lines."""

    id: str
    reason: str
    value: Any = None
    line: int = 0


class BadValue(ValueError):
    """A value that cannot be what its column says."""

    def __init__(self, reason: str, value: Any) -> None:
        self.reason, self.value = reason, value
        super().__init__(reason)


def check_columns(there: Iterable[str], file: str) -> None:
    """Raises Invalid where a listings file lacks a column that it must have, or has one twice."""
    names = list(there)
    missing = [name for name in REQUIRED if name not in names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    parts = []
    if missing:
        guesses = [f"did you mean {close[0]!r} for {name!r}?" for name in missing if (close := nearest(name, names))]
        parts.append(f"lacks {', '.join(map(repr, missing))}; it has {', '.join(map(repr, names)) or 'none'}. {' '.join(guesses)}".rstrip())
    if repeated:
        parts.append(f"has {', '.join(map(repr, repeated))} more than once")
    if parts:
        raise Invalid(f"uri: {file}: of the columns, it " + "; it ".join(parts))


def nearest(name: str, names: list[str]) -> list[str]:
    folded = {other.strip().lower(): other for other in names if other not in COLUMNS}
    aliases = {"id": ("item_id", "item", "sku", "key"), "pictures": ("images", "image", "photos", "picture", "photo", "files")}
    candidates = [name, name.removesuffix("s"), *aliases[name]]
    return [folded[other] for other in candidates if other in folded] or [
        folded[close] for close in difflib.get_close_matches(name, folded, n=1, cutoff=0.7)
    ]


def listing(row: Mapping[str, Any]) -> Listing | Rejected:
    """A row by column name; absent and empty values are the same."""
    identity = ""
    try:
        identity = text_in(row, "id").strip()
        return Listing(
            id=checked_id(identity),
            title=composed(text_in(row, "title")),
            description=composed(text_in(row, "description")),
            category=composed(text_in(row, "category").strip()),
            price=price(row.get("price")),
            status=composed(text_in(row, "status").strip()) or ON_SALE,
            updated_at=moment(row.get("updated_at")),
            pictures=pictures(row.get("pictures")),
            attributes={name: composed(value) for name, value in row.items() if name not in OWN},
        )
    except BadValue as bad:
        return Rejected(identity, bad.reason, bad.value)


def text_in(row: Mapping[str, Any], name: str) -> str:
    """Raises BadValue for what is no single text: a list, a structure, bytes that are not UTF-8."""
    value = row.get(name)
    if isinstance(value, list | tuple | dict):
        raise BadValue(f"its {name} is a list or a structure (write one text, or give the column another name)", value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise BadValue(f"its {name} holds bytes that are no text in UTF-8", value) from None
    return text(value)


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):  # a column of whole numbers of which some are absent
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return str(value)


def composed(value: Any) -> Any:
    """A text, or the texts of a list, in the one form (NFC) in which the same letters are the same text; anything else as it is.

    Ids and paths are not texts in that sense: they stay as their owner wrote them.
    """
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [composed(one) for one in value]
    return value


def checked_id(identity: str) -> str:
    if not identity:
        raise BadValue("it has no id", identity)
    if len(identity) > LONGEST_ID:
        raise BadValue(f"its id is longer than {LONGEST_ID} characters", identity[:80])
    if CONTROL.search(identity):
        raise BadValue("its id holds a control character", identity)
    return identity


def price(value: Any) -> float | None:
    """A number of any currency; None where there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    is_pythons = isinstance(value, bool) or (isinstance(value, str) and "_" in value)  # True and 1_000 are numbers to Python alone
    try:
        found = math.nan if is_pythons else float(value)
    except (TypeError, ValueError):
        raise BadValue("its price is not a number (write 1234.5)", value) from None
    if not math.isfinite(found) or found < 0:
        raise BadValue("its price is not a number from 0 up (write 1234.5)", value)
    return found


def moment(value: Any) -> datetime | None:
    """ISO 8601, a date or a time; one without a zone is in UTC."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)
        else:
            found = datetime.fromisoformat(str(value).strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue("its updated_at is not a date (write 2026-01-31 or 2026-01-31T12:00:00Z)", value) from None


def pictures(value: Any) -> tuple[str, ...]:
    """A list, or a text with `;` between the parts."""
    parts = value.split(";") if isinstance(value, str) else [] if value is None else value
    if not isinstance(parts, list | tuple) or any(isinstance(part, list | tuple | dict) for part in parts):
        raise BadValue("its pictures are not a list of paths", value)
    found = tuple(text(part).strip() for part in parts)
    if any("\0" in part for part in found):
        raise BadValue("a picture's path holds a NUL", value)
    return tuple(part for part in found if part)
