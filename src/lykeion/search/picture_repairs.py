"""What browsers forgive in a damaged picture: a PNG's metadata, and a JPEG's missing end. On bytes alone; nothing is decoded here."""

import re
import struct
import zlib
from collections.abc import Iterator
from hashlib import shake_128

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
SHOWN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})  # all that the first frame's pixels and their rotation need
END = b"\xff\xd9"
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in a scan, the others are pixels or pauses between them
COEFFICIENTS = 64  # of a block
START_OF_FRAME, START_OF_SCAN = (0xC0, 0xC1, 0xC2), 0xDA
RESTART = re.compile(rb"\xff([\xd0-\xd7])")
NOISE = shake_128(b"pixels that nobody has seen").digest(4096).replace(b"\xff", b"\x7f")


def without_metadata(png: bytes) -> bytes:
    """The chunks that make pixels; texts, colour profiles and further frames are left out, as is what is no chunk any more."""
    kept, place = [PNG], len(PNG)
    while place + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        end = place + 12 + length
        if kind in SHOWN and not (kind == b"eXIf" and wrong_checksum(png[place + 4 : end])):
            kept.append(png[place:end])
        place = end
    return b"".join(kept)


def wrong_checksum(chunk: bytes) -> bool:
    """Of kind, content and CRC."""
    return zlib.crc32(chunk[:-4]) != int.from_bytes(chunk[-4:], "big")


def has_end(jpeg: bytes) -> bool:
    """Whether an end marker follows the last scan; what comes after it does not matter."""
    return jpeg.endswith(END) or jpeg.rfind(END) > jpeg.rfind(b"\xff\xda")


def has_all_scans(jpeg: bytes) -> bool:
    """Whether every coefficient of every component has its scan down to the last bit; whether the scans are whole is another question."""
    components: set[int] = set()
    settled: dict[tuple[int, int], int] = {}  # component, coefficient -> bits that are still to come
    for kind, content in segments(jpeg):
        if kind in START_OF_FRAME:
            components = set(content[6::3])
        elif kind == START_OF_SCAN and content:
            first, last, bits = content[-3:] if len(content) >= 6 else (1, 0, 0)
            settled |= {
                (component, place): bits & 15 for component in content[1:-3:2] for place in range(first, min(last + 1, COEFFICIENTS))
            }
    return all(settled.get((component, place)) == 0 for component in components for place in range(COEFFICIENTS))


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """The kind and the content of every marker segment."""
    place = 2
    while found := MARKER.search(jpeg, place):
        start = found.end()
        length = max(2, int.from_bytes(jpeg[start : start + 2], "big"))
        yield jpeg[start - 1], jpeg[start + 2 : start + length]
        place = start + length


def with_end(jpeg: bytes) -> tuple[bytes, bytes]:
    """The JPEG with an end marker, and once more with noise before it.

    A decoder reads the noise only where pixels are missing: where both come out the same, none are. The marker between is for a cut
    between two restart intervals, which noise alone does not fill.
    """
    cut = jpeg.rstrip(b"\0")  # many are what a file system leaves of what never came, one may be the last pixels'
    if (cut.endswith(b"\xff") and len(cut) < len(jpeg)) or len(jpeg) - len(cut) == 1:
        cut += b"\0"
    else:
        cut = cut.rstrip(b"\xff")  # half an end marker
    restarts = RESTART.findall(cut)
    following = bytes([0xFF, 0xD0 + (restarts[-1][0] - 0xD0 + 1) % 8 if restarts else 0xD0])
    return cut + END, cut + NOISE + following + NOISE + END
