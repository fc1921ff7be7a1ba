"""Logs of steps: the end first, bounded, and then what is added while somebody follows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from lykeion.errors import Invalid

DEFAULT_TAIL = 64 << 10
LARGEST_TAIL = 1 << 20
PIECE = 256 << 10  # bytes sent at once at most
EVERY = 0.3  # seconds between looks at a file that is followed


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a log from `start` on; `end` is where to go on reading."""

    start: int
    data: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def tail_size(asked: str | None) -> int:
    """How many bytes of the end to show. Raises Invalid."""
    if asked is None:
        return DEFAULT_TAIL
    if not asked.isascii() or not asked.isdigit() or len(asked) > 9:
        raise Invalid(f"tail: {asked[:20]!r} is no number of bytes")
    return min(int(asked), LARGEST_TAIL)


def last(path: Path, tail: int) -> Piece:
    """The last `tail` bytes, from the start of a line. Empty where there is no log yet."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - tail)
            file.seek(start)
            data = file.read(tail)
    except FileNotFoundError:
        return Piece(0, b"")
    if start:
        cut = data.find(b"\n") + 1
        return Piece(start + cut, data[cut:])
    return Piece(start, data)


def after(path: Path, offset: int) -> Piece:
    """What was added behind `offset`; a log that became shorter was begun anew and is read from its start."""
    try:
        with path.open("rb") as file:
            start = offset if file.seek(0, 2) >= offset else 0
            file.seek(start)
            return Piece(start, file.read(PIECE))
    except FileNotFoundError:
        return Piece(offset, b"")


async def follow(path: Path, offset: int, ended: Callable[[], Awaitable[bool]], closing: asyncio.Event) -> AsyncIterator[bytes]:
    """What is added from `offset` on, until the step has ended and all of it was read."""
    is_over = False
    while not closing.is_set():
        piece = after(path, offset)
        offset = piece.end
        if piece.data:
            yield piece.data
        elif is_over:
            return
        else:
            is_over = await ended()
            if not is_over:
                await pause(closing, EVERY)


async def pause(closing: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond the end of the process."""
    try:
        await asyncio.wait_for(closing.wait(), seconds)
    except TimeoutError:
        return
