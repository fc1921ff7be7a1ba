"""Which type a column of texts has: that of all its values together, so that one late `n/a` leaves every value as it was written.

Whole numbers (a code such as 007 is none), numbers, truths, dates and times in ISO 8601; anything else, and any mixture of them, is text.
Whole numbers and others together are numbers, where each of them is exact. Empty values count as absent.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lykeion.components.column_types import TIME

DATE = r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
ZONE = r"(Z|[-+][0-9]{2}:?[0-9]{2})"
PATTERNS = (  # the first that fits every value counts
    (pa.int64(), r"^(0|-?[1-9][0-9]{0,18})$"),
    (pa.float64(), r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][-+][0-9]{1,3})?$"),
    (pa.bool_(), r"^(?i:true|false)$"),
    (pa.date32(), f"^{DATE}$"),
    (TIME, rf"^{DATE}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}(\.[0-9]{{1,6}})?)?{ZONE}?$"),
)


def type_of_texts(column: pa.ChunkedArray) -> pa.DataType | None:
    """The type that all values have; None where there is no value."""
    possible: Sequence[tuple[pa.DataType, str]] = PATTERNS
    is_empty = True
    for chunk in column.chunks:
        filled = trimmed(chunk).drop_null()
        is_empty = is_empty and len(filled) == 0
        possible = [(kind, pattern) for kind, pattern in possible if matches(filled, pattern)]
        if not possible:
            return pa.string()
    if is_empty:
        return None
    return next((kind for kind, _ in possible if can_be(column, kind)), pa.string())


def matches(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py())


def trimmed(texts: pa.Array) -> pa.Array:
    """Without spaces around; what is empty then is null."""
    bare = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(bare, ""), None, bare)


def can_be(column: pa.ChunkedArray, kind: pa.DataType) -> bool:
    """Whether values that look like it are some: 2026-02-30 is no date, and 1e+999 no number."""
    try:
        converted = [as_type(chunk, kind) for chunk in column.chunks]
    except pa.ArrowInvalid:
        return False
    return not pa.types.is_floating(kind) or all(pc.all(pc.is_finite(chunk), min_count=0).as_py() for chunk in converted)


def as_type(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Raises ArrowInvalid where a text is none of that type. A time without a zone is in UTC."""
    bare = trimmed(texts)
    if pa.types.is_timestamp(kind):
        has_zone = pc.match_substring_regex(bare, f"{ZONE}$")
        bare = pc.if_else(has_zone, bare, pc.binary_join_element_wise(bare, "Z", ""))
    return bare.cast(kind)
