"""Every error that Lykeion raises on purpose, as one tree. The CLI prints their text and exits with their code.

LykeionError          1   something failed; the text says what, why and what to do
├── Invalid           2   what was written is wrong: carries every problem found, each with file, line, field, value, remedy
├── NotFound          3   no such resource, model, version, family, item
├── Conflict          4   it exists already, or somebody changed it meanwhile
├── Unavailable       5   something needed does not answer (a store, a server, a lock that another process holds)
│   └── Refused           it answers, and says no: trying again changes nothing
└── Corrupt           6   bytes are not what their digest says
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in what somebody wrote, and the way out of it."""

    message: str
    field: str = ""
    value: object = None
    file: str = ""
    line: int = 0
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        field = f"{self.field}: " if self.field else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{where}{field}{self.message}{remedy}"


class LykeionError(Exception):
    """Something failed; the text says what, why and what to do about it."""

    exit_code = 1


class Invalid(LykeionError):
    """What was written is wrong. `problems` holds all of them, in the order of the file."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class NotFound(LykeionError):
    """No such resource, model, version, family or item."""

    exit_code = 3


class Conflict(LykeionError):
    """It exists already, or somebody else changed it meanwhile."""

    exit_code = 4


class Unavailable(LykeionError):
    """Something that is needed does not answer, or is held by another process."""

    exit_code = 5


class Refused(Unavailable):
    """Something that is needed answers, and says no (access is denied, there is no such bucket): trying again changes nothing."""


class Corrupt(LykeionError):
    """Bytes are not what their digest says."""

    exit_code = 6
