"""Which versions of distributions a set of imported packages stands for, all that those need included.

Reading the metadata of everything installed takes a tenth of a second, so it is kept in a file named by what is installed: the names
of the `.dist-info` folders, which hold the versions.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

from lykeion.components.kept import keep, kept


@dataclass(frozen=True, slots=True)
class Installed:
    """`providers`: top-level package -> distributions; `versions`: distribution -> version; `needs`: distribution -> distributions."""

    providers: Mapping[str, list[str]]
    versions: Mapping[str, str]
    needs: Mapping[str, list[str]]

    def versions_of(self, packages: Iterable[str]) -> dict[str, str]:
        """Distribution -> version, of those that hold `packages` and of those that they need."""
        waiting = [name for package in packages for name in self.providers.get(package, [])]
        found: dict[str, str] = {}
        while waiting:
            name = waiting.pop()
            if name in self.versions and name not in found:
                found[name] = self.versions[name]
                waiting += self.needs.get(name, [])
        return found


def normal(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def stamp() -> str:
    """Differs whenever something is installed, removed or upgraded."""
    there: list[str] = []
    for place in sys.path:
        try:
            there += [name for name in os.listdir(place or ".") if name.endswith((".dist-info", ".egg-info"))]
        except OSError:
            continue  # a zip file, or not there
    return sha256("\n".join(sorted(there)).encode()).hexdigest()[:32]


def read_installed() -> Installed:
    """From the metadata of every distribution."""
    versions: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    for found in distributions():
        name = normal(found.metadata["Name"] or "")
        if name and name not in versions:
            versions[name] = found.version
            wanted = [line for line in found.requires or [] if not re.search(r";.*\bextra\s*==", line)]
            needs[name] = [normal(head[0]) for line in wanted if (head := re.match(r"[A-Za-z0-9._-]+", line))]
    there = packages_distributions()  # of what was half removed the name is None
    providers = {package: sorted({normal(name) for name in names if name}) for package, names in there.items()}
    return Installed(providers, versions, needs)


def installed(cache: Path) -> Installed:
    """What is installed now, kept in `cache`."""
    file = cache / f"installed-{stamp()}.json"
    known = kept(file)
    if isinstance(known, dict) and known.keys() == {"providers", "versions", "needs"}:
        return Installed(**known)
    found = read_installed()
    keep(file, asdict(found))
    return found
