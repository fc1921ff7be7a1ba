"""What Lykeion itself needs in an image: as its metadata says for the image's platform, at the versions that are installed here."""

from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lykeion.core.images.locks import environment
from lykeion.core.images.wheels import Target

OWN = "lykeion"


def needs(name: str, extras: Sequence[str], target: Target) -> Iterator[Requirement]:
    """What a distribution that is installed here asks for directly."""
    asked = environment(target)
    for requirement in map(Requirement, requires(name) or []):
        if requirement.marker is None or any(requirement.marker.evaluate({**asked, "extra": extra}) for extra in ("", *extras)):
            yield requirement


def own_requirements(extras: Sequence[str], target: Target) -> list[str]:
    """Lykeion's dependencies with these extras, as lines of a requirements file."""
    lines: set[str] = set()
    for requirement in needs(OWN, extras, target):
        if requirement.name == OWN:
            lines.update(own_requirements(sorted(requirement.extras), target))
        else:
            requirement.marker = None
            lines.add(str(requirement))
    return sorted(lines)


def installed_versions(requirements: Sequence[str], target: Target) -> dict[str, str]:
    """Name -> version, of these requirements and of all that they need, as far as they are installed here."""
    found: dict[str, str] = {}
    waiting = list(map(Requirement, requirements))
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # it is needed on the image's platform and not on this one
        waiting += needs(name, sorted(requirement.extras), target)
    return found
