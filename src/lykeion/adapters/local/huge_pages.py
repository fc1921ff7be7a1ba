"""The memory of a warm parent in pages of 2 MiB: a fork copies an entry for each page, and one with much imported has tens of thousands.

For the light parent, whose memory is written to all over, it makes no difference.
"""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

SIZE = 2 << 20  # bytes; of x86-64, and of ARM with pages of 4 KiB
LONGEST = 1 << 29  # bytes; allocators reserve more than this ahead, and use little of it
MADV_COLLAPSE = 25  # madvise(2), Linux 6.1
ANONYMOUS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(?:\[heap\])?$", re.MULTILINE)

madvise = ctypes.CDLL(None).madvise
madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def collapse() -> int:
    """Put this process's private memory into huge pages; returns how many. What the kernel cannot or will not stays as it was."""
    return sum(madvise(start, SIZE, MADV_COLLAPSE) == 0 for start in whole_pages(Path("/proc/self/maps").read_text()))


def whole_pages(maps: str) -> Iterator[int]:
    """Where a huge page fits into the anonymous memory that a process may write to. `maps`: /proc/<pid>/maps."""
    for found in ANONYMOUS.finditer(maps):
        start, end = int(found[1], 16), int(found[2], 16)
        if end - start < LONGEST:
            first = -(-start // SIZE) * SIZE
            yield from range(first, end - SIZE + 1, SIZE)
