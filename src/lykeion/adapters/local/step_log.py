"""The log of a step: what its processes print comes through a pipe, so that it can be bounded and secrets can be masked.

A log keeps its beginning as it is printed, and of what goes on beyond `LONGEST` its end, which is added when the worker has ended.
"""

import os
from contextlib import suppress
from itertools import islice

from lykeion.core.masking import Mask

LONGEST = 32 << 20  # bytes, of all workers and attempts of a step together
LAST = 1 << 20  # bytes of the end, of each worker
PIECE = 1 << 16
PIPE_PIECES = 16  # as much as a pipe can hold


class StepLog:
    """One worker's way into the log of a step: it prints to `writer`, and `reader` is readable when there is something to `pump`.

    A log that cannot be opened or has no room loses what was printed, and stops no step.
    """

    def __init__(self, path: str, mask: Mask) -> None:
        self.path, self.mask = path, mask
        self.file = -1
        with suppress(OSError):
            self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reader, False)
        self.is_full = False
        self.ending = b""
        self.left_out = 0  # bytes between what is in the file and `ending`

    def pump(self) -> bool:
        """Take over a piece of what was printed; False when nothing more can come."""
        piece = self._read()
        self._keep(self.mask.feed(piece or b""))
        return piece != b""

    def close(self) -> None:
        """Take over the rest, when whoever printed is gone: one that escaped is not waited for."""
        for piece in islice(iter(self._read, b""), PIPE_PIECES):
            if piece is None:
                break
            self._keep(self.mask.feed(piece))
        self._keep(self.mask.end())
        self._cut_ending()
        if self.left_out:
            self._write(b"[... %d bytes are left out here ...]\n" % self.left_out)
        self._write(self.ending)
        self.forget()

    def forget(self) -> None:
        """Let go of what only the reading side needs; in a process that prints, at once."""
        os.close(self.reader)
        if self.file >= 0:
            os.close(self.file)

    def _read(self) -> bytes | None:
        """None where nothing is there now, nothing where nothing more can come."""
        try:
            return os.read(self.reader, PIECE)
        except BlockingIOError:
            return None

    def _keep(self, data: bytes) -> None:
        if not self.is_full:
            room = max(0, LONGEST - self._size())
            self._write(data[:room])
            data = data[room:]
            if data:
                self.is_full = True
                self._write(b"\n[... this log is longer than %d MiB: its end is added when the step has ended ...]\n" % (LONGEST >> 20))
        self.ending += data
        if len(self.ending) > 2 * LAST:
            self._cut_ending()

    def _cut_ending(self) -> None:
        """Of what is not in the file only the last lines are kept."""
        if len(self.ending) > LAST:
            start = len(self.ending) - LAST
            start = self.ending.find(b"\n", start) + 1 or start
            self.left_out += start
            self.ending = self.ending[start:]

    def _size(self) -> int:
        return os.fstat(self.file).st_size if self.file >= 0 else 0

    def _write(self, data: bytes) -> None:
        if data and self.file >= 0:
            with suppress(OSError):
                os.write(self.file, data)
