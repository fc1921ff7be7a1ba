"""What Lykeion itself needs in an image: as its metadata says for the image's platform, at the versions that are installed here.

Reading metadata is dear, and what is installed stays while a process runs: it is read once.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lykeion.core.images.locks import environment
from lykeion.core.images.wheels import Target

OWN = "lykeion"


@cache
def needs(name: str, extras: tuple[str, ...], target: Target) -> tuple[Requirement, ...]:
    """What a distribution that is installed here asks for directly."""
    asked = environment(target)
    return tuple(
        requirement
        for requirement in map(Requirement, requires(name) or [])
        if requirement.marker is None or any(requirement.marker.evaluate({**asked, "extra": extra}) for extra in ("", *extras))
    )


@cache
def own_requirements(extras: tuple[str, ...], target: Target) -> tuple[str, ...]:
    """Lykeion's dependencies with these extras, as lines of a requirements file."""
    lines: set[str] = set()
    for requirement in needs(OWN, extras, target):
        if requirement.name == OWN:
            lines.update(own_requirements(tuple(sorted(requirement.extras)), target))
        else:
            lines.add(str(requirement).partition(";")[0].strip())
    return tuple(sorted(lines))


@cache
def installed_versions(requirements: tuple[str, ...], target: Target) -> Mapping[str, str]:
    """Name -> version, of these requirements and of all that they need, as far as they are installed here."""
    found: dict[str, str] = {}
    waiting = list(map(Requirement, requirements))
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        if not (installed := version_of(name)):
            continue  # it is needed on the image's platform and not on this one
        found[name] = installed
        waiting += needs(name, tuple(sorted(requirement.extras)), target)
    return found


@cache
def version_of(name: str) -> str:
    """Of a distribution that is installed here, else ""."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
