"""A file of locked requirements, as values: what pip and uv write with hashes, read for one platform.

Only what is pinned and hashed can be built again, so anything else is a problem. So is a name or a password in a URL.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from lykeion.core.images.wheels import Locked, Target
from lykeion.errors import Invalid, Problem

OPTIONS = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--pre", "--prefer-binary", "--only-binary")
HASH = re.compile(r"\s--hash=(\S+)")
COMMENT = re.compile(r"(?:^|\s)#.*$")
SECRET = re.compile(r"(?<=://)[^/@\s]+@")
LOCK_IT = "lock it: lykeion image lock requirements.in"


@dataclass(frozen=True, slots=True)
class Lock:
    """What is installed, sorted by name.

    `options`: where to look for it, as lines of a requirements file; `folder`: what they are relative to, and whose settings for uv hold.
    """

    packages: tuple[Locked, ...]
    options: tuple[str, ...] = ()
    folder: str = ""

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in (*self.options, *(one.requirement for one in self.packages)))


def environment(target: Target) -> dict[str, str]:
    """What markers are asked about: a Linux image of this target."""
    full = target.version if target.version.count(".") > 1 else f"{target.version}.0"
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": "posix",
        "platform_machine": target.platform.partition("-")[0],
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": full,
        "platform_python_implementation": "CPython",
        "python_version": target.python,
        "sys_platform": "linux",
    }


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) without comments and empty ones; those that end in a backslash go on."""
    whole, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line, first = COMMENT.sub("", raw).rstrip(), first or number
        if line.endswith("\\"):
            whole += line[:-1] + " "
            continue
        if whole := (whole + line).strip():
            yield first, whole
        whole, first = "", 0
    if whole.strip():
        yield first, whole.strip()


def parse_lock(text: str, target: Target, file: str = "") -> Lock:
    """Raises Invalid with everything that is not pinned or not hashed."""
    problems: list[Problem] = []
    options = options_of(text)
    found: dict[str, Locked] = {}
    asked = environment(target)
    for number, line in logical_lines(text):
        if line.startswith("-"):
            if line not in options:
                problems.append(
                    Problem(f"{line.split()[0]} is not understood in a lock", value=line, file=file, line=number, remedy=LOCK_IT)
                )
        elif isinstance(one := locked(line, asked), Problem):
            problems.append(Problem(one.message, value=one.value, file=file, line=number, remedy=one.remedy))
        elif one is not None:
            if one.name in found and found[one.name] != one:
                remedy = "keep one of them, or give them markers that exclude each other"
                problems.append(Problem(f"{one.name} is locked twice", value=line.split()[0], file=file, line=number, remedy=remedy))
            found[one.name] = one
    if problems:
        raise Invalid(problems)
    return Lock(tuple(found[name] for name in sorted(found)), options)


def locked(line: str, asked: dict[str, str]) -> Locked | Problem | None:
    """The package of one line; None where its marker is about other platforms."""
    hashes = tuple(sorted(HASH.findall(f" {line}")))
    text = HASH.sub("", f" {line}").strip()
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return Problem("it is no requirement", value=text, remedy="write name==version --hash=sha256:…")
    try:
        if requirement.marker and not requirement.marker.evaluate(asked):
            return None
    except (ValueError, UndefinedEnvironmentName) as error:
        return Problem(f"its marker cannot be decided: {error}", value=text, remedy=LOCK_IT)
    name = canonicalize_name(requirement.name)
    version = pinned(requirement)
    if not version:
        return Problem(f"{name} is not pinned to one version", value=text, remedy=LOCK_IT)
    if not hashes or not all(one.startswith("sha256:") for one in hashes):
        return Problem(f"{name} has no SHA-256", value=text, remedy=LOCK_IT)
    return Locked(name, version, hashes, requirement.url or "")


def pinned(requirement: Requirement) -> str:
    """The one version that it allows; of a URL the version in the wheel's name. "" where there is none."""
    if requirement.url:
        try:
            return str(parse_wheel_filename(urlsplit(requirement.url).path.rpartition("/")[2])[1])
        except ValueError:  # no wheel's name, or no URL
            return ""
    specifiers = list(requirement.specifier)
    exact = len(specifiers) == 1 and specifiers[0].operator in ("==", "===") and not specifiers[0].version.endswith(".*")
    return specifiers[0].version if exact else ""


def options_of(text: str) -> tuple[str, ...]:
    """The lines of a requirements file that say where to look."""
    return tuple(line for _, line in logical_lines(text) if line.startswith("-") and re.split(r"[=\s]", line)[0] in OPTIONS)


def secrets(text: str, file: str) -> list[Problem]:
    """Where a name or a password stands in a URL: the file may be packed into an image."""
    remedy = "put it into ~/.netrc or UV_INDEX_URL where the image is built, and change it, since it was in a file"
    return [
        Problem("a name or a password stands in a URL", value=without_secrets(line.strip()), file=file, line=number, remedy=remedy)
        for number, line in enumerate(text.splitlines(), 1)
        if SECRET.search(line)
    ]


def without_secrets(text: str) -> str:
    """The same text with the names and passwords of its URLs left out."""
    return SECRET.sub("…@", text)


def together(first: Lock, second: Lock) -> Lock:
    """Both locks; where they name the same package, `first` counts (its hashes, above all)."""
    found = {one.name: one for one in (*second.packages, *first.packages)}
    return Lock(
        tuple(found[name] for name in sorted(found)), tuple(dict.fromkeys([*first.options, *second.options])), first.folder or second.folder
    )


def in_uv_lock(problem: Problem, text: str) -> Problem:
    """What is wrong with a line that uv exported, where `uv.lock` (its `text`) says it."""
    written = str(problem.value).removeprefix("-e ").partition(" ")[0]
    folder, name = written.removeprefix("./"), re.split(r"[=@\[]", written)[0]
    sources = [f'source = {{ {kind} = "{folder}" }}' for kind in ("editable", "directory")]
    for number, line in enumerate(text.splitlines(), 1):
        if line in sources:
            remedy = f"build a wheel of it (uv build --wheel {folder}), and name that by its URL in pyproject.toml; then uv lock"
            return replace(
                problem, message=f"{folder} is a folder here, not a wheel: it has no hash", line=number, value=folder, remedy=remedy
            )
        if line == f'name = "{name}"':
            return replace(problem, line=number)
    return replace(problem, line=0)


def from_pylock(packages: Sequence[dict[str, Any]], folder: str = "") -> Lock:
    """What `uv pip compile --format pylock.toml` resolved for one platform: its wheels alone. Raises Invalid where there are none.

    `folder`: what paths are relative to.
    """
    problems: list[Problem] = []
    found: list[Locked] = []
    for one in packages:
        name, version = str(one["name"]), str(one.get("version", ""))
        archive = url_of(one.get("archive", {}), folder)
        wheels = [one["archive"]] if archive.endswith(".whl") else one.get("wheels", [])
        hashes = tuple(sorted(f"sha256:{wheel['hashes']['sha256']}" for wheel in wheels))
        if hashes:
            found.append(Locked(name, version, hashes, archive))
        else:
            remedy = "build a wheel of it and name that by its URL, choose another version, or leave it out"
            problems.append(Problem(f"{name} {version} has no wheel for this platform", value=name, remedy=remedy))
    if problems:
        raise Invalid(problems)
    return Lock(tuple(sorted(found, key=lambda each: each.name)))


def url_of(archive: Mapping[str, Any], folder: str) -> str:
    """Of a file that was named by its URL or its path; "" for none."""
    path = str(archive.get("path", ""))
    return str(archive.get("url", "")) or (f"file://{quote(path if path.startswith('/') else f'{folder}/{path}')}" if path else "")
