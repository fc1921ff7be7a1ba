"""What a test gets of the site that it looks at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lykeion.assembly import Platform


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    platform: Platform
    catalogue: list[dict[str, Any]]
    mode: Path
