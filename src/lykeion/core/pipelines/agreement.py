"""Whether what is installed is what a file of requirements says. Every key of a pipeline with such a file holds its digest."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from lykeion.core.images.locks import HASH, logical_lines, pinned

UV_LOCK = "uv.lock"
OTHER_FILE = re.compile(r"-[rc]|--(req|cons)")
OWN = frozenset({"editable", "virtual", "directory"})  # sources of uv.lock that are somebody's working copy


class Disagreement(NamedTuple):
    """`locked`: what line `line` says; `installed`: the version that is there, "" where there is none. `name` is "" where the line names
    another file, which nobody looks into: no key would hold what that one says."""

    line: int
    name: str
    locked: str
    installed: str


def disagreements(text: str, name: str, installed: Mapping[str, str], asked: Mapping[str, str]) -> list[Disagreement]:
    """Where the file `name` says other than `installed` (distribution -> version) does, in the order of its lines.

    `asked` is what markers are asked about. What is no requirement is passed over: building an image tells that.
    """
    others = [] if name == UV_LOCK else [Disagreement(at, "", line, "") for at, line in logical_lines(text) if OTHER_FILE.match(line)]
    wanted = of_uv(text, asked) if name == UV_LOCK else of_lines(text, asked)
    return others + [
        Disagreement(line, name, locked, installed.get(name, ""))
        for line, name, locked, allowed in wanted
        if name not in installed or not any(allows(each, installed[name]) for each in allowed)
    ]


def of_lines(text: str, asked: Mapping[str, str]) -> Iterator[tuple[int, str, str, list[str]]]:
    """(line, name, what it says, specifiers of which one must hold) of what pip and uv write."""
    for number, line in logical_lines(text):
        written = HASH.sub("", f" {line}").strip()
        try:
            requirement = Requirement(written)
        except InvalidRequirement:
            continue
        version = pinned(requirement)
        specifier = (f"=={version}" if version else "") if requirement.url else str(requirement.specifier)
        if applies(requirement.marker, asked):
            shown = f"{requirement.name}{specifier}" if specifier else written
            yield number, canonicalize_name(requirement.name), shown, [specifier]


def of_uv(text: str, asked: Mapping[str, str]) -> Iterator[tuple[int, str, str, list[str]]]:
    """The same of `uv.lock`, where a package may be locked at several versions, for several platforms."""
    try:
        packages = tomllib.loads(text).get("package", [])
    except tomllib.TOMLDecodeError:
        return
    lines = text.splitlines()
    versions: dict[str, list[str]] = {}
    for package in packages:
        markers = package.get("resolution-markers")
        is_elsewhere = markers and not any(applies(Marker(each), asked) for each in markers)
        if "version" in package and not OWN & package.get("source", {}).keys() and not is_elsewhere:
            versions.setdefault(package["name"], []).append(package["version"])
    for name, locked in versions.items():
        line = next((number for number, written in enumerate(lines, 1) if written == f'name = "{name}"'), 0)
        yield line, canonicalize_name(name), f"{name}=={' or '.join(locked)}", [f"=={version}" for version in locked]


def applies(marker: Marker | None, asked: Mapping[str, str]) -> bool:
    try:
        return marker is None or marker.evaluate(dict(asked))
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return False


def allows(specifier: str, version: str) -> bool:
    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):  # what no package index takes any more: then to the letter
        return specifier.removeprefix("===").removeprefix("==") in ("", version)
