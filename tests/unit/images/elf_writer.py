"""Small dynamic ELF files, of either width and byte order, that say what they are told to."""

import struct
from collections.abc import Sequence


def elf(
    needed: Sequence[str] = (),
    soname: str = "",
    runpath: str = "",
    rpath: str = "",
    wide: bool = True,
    big: bool = False,
    machine: int = 62,
) -> bytes:
    order = ">" if big else "<"
    texts = b"\0"

    def place(text: str) -> int:
        nonlocal texts
        at = len(texts)
        texts += text.encode() + b"\0"
        return at

    entries = [(1, place(name)) for name in needed]
    entries += [(tag, place(text)) for tag, text in ((14, soname), (29, runpath), (15, rpath)) if text]
    word = "Q" if wide else "I"
    header, program = (64, 56) if wide else (52, 32)
    start = header + 2 * program
    address = 0x10000
    entries += [(5, address + start), (10, len(texts)), (0, 0)]
    dynamic = b"".join(struct.pack(f"{order}2{word}", *entry) for entry in entries)
    total = start + len(texts) + len(dynamic)

    def segment(kind: int, offset: int, size: int) -> bytes:
        if wide:
            return struct.pack(f"{order}IIQQQQQQ", kind, 5, offset, address + offset, 0, size, size, 8)
        return struct.pack(f"{order}IIIIIIII", kind, offset, address + offset, 0, size, size, 5, 4)

    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    rest = struct.pack(f"{order}HHI3{word}I6H", 3, machine, 1, 0, header, 0, 0, header, program, 2, 0, 0, 0)
    return ident + rest + segment(1, 0, total) + segment(2, start + len(texts), len(dynamic)) + texts + dynamic
