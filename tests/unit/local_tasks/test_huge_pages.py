"""Which memory goes into huge pages, and that it holds afterwards what it held before."""

import mmap

from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.local.huge_pages import LONGEST, SIZE, collapse, whole_pages

MAPS = """\
00400000-00c00000 r-xp 00000000 fe:00 17                                 /usr/bin/python3
01000000-01600000 rw-p 00000000 00:00 0                                  [heap]
7f0000100000-7f0000500000 rw-p 00000000 00:00 0 
7f0001000000-7f0001400000 r--p 00000000 00:00 0 
7f0002000000-7f0002400000 rw-p 00000000 fe:00 18                         /usr/lib/libc.so.6
7f0003000000-7f0003400000 rw-s 00000000 00:01 19                         /dev/zero (deleted)
7ffd00000000-7ffd00400000 rw-p 00000000 00:00 0                          [stack]
"""  # noqa: W291 - as the kernel writes it


def test_the_heap_and_anonymous_memory_are_taken_and_nothing_else():
    assert list(whole_pages(MAPS)) == [0x1000000, 0x1200000, 0x1400000, 0x7F0000200000]


def test_what_an_allocator_reserved_ahead_is_left_alone():
    assert list(whole_pages(f"{SIZE:x}-{SIZE + LONGEST:x} rw-p 00000000 00:00 0 \n")) == []


@given(st.integers(0, 1 << 30), st.integers(0, LONGEST - 1))
def test_each_page_is_aligned_and_lies_in_its_region(start, length):
    pages = list(whole_pages(f"{start:x}-{start + length:x} rw-p 00000000 00:00 0 \n"))
    assert all(page % SIZE == 0 and start <= page and page + SIZE <= start + length for page in pages)
    assert len(pages) >= length // SIZE - 1
    assert len(set(pages)) == len(pages)


def test_memory_holds_what_it_held_before():
    memory = mmap.mmap(-1, 4 * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    written = bytes(range(256)) * (SIZE // 256)
    for number in range(4):
        memory[number * SIZE : (number + 1) * SIZE] = written
    collapse()
    assert all(memory[number * SIZE : (number + 1) * SIZE] == written for number in range(4))
    memory.close()
