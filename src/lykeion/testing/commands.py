"""The command line as tests call it: where it is, and what it said."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LYKEION = Path(sys.executable).with_name("lykeion")


@dataclass(frozen=True)
class Said:
    """`out` and `err`: all that a command has printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)
