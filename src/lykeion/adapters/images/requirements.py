"""What an image's Python packages are: from the file that somebody wrote to a lock with hashes, for the image's platform.

requirements.lock, .txt   as they are: pinned and hashed by pip or uv
uv.lock                   what it holds for this platform, without development groups
requirements.in, pyproject.toml   resolved once and kept; written down by `lykeion image lock` they are the same everywhere

Lykeion's own packages are added at the versions that are installed here, unless the file says others.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from lykeion.adapters.images.caches import touched
from lykeion.adapters.images.own_packages import installed_versions, own_requirements
from lykeion.adapters.images.uv import for_target, uv
from lykeion.core.content import digest_of_value
from lykeion.core.images.locks import Lock, from_pylock, in_uv_lock, options_of, parse_lock, secrets, together
from lykeion.core.images.wheels import Target
from lykeion.errors import Invalid, NotFound, Problem, Unavailable

FORMAT = 1  # of what is kept
OTHERS = re.compile(r"^(?:-r|-c|--requirements?|--constraints?)[=\s]*(\S+)", re.MULTILINE)
EXPORT = ("export", "--frozen", "--quiet", "--no-dev", "--no-emit-workspace", "--no-header", "--no-annotate")


@dataclass(frozen=True)
class Requirements:
    """Reads and resolves them. `cache`: a folder of what was resolved; deleting it lets newer versions in where there is no lock."""

    cache: Path
    target: Target

    def lock(self, file: Path | None, extras: tuple[str, ...] = ()) -> Lock:
        """What is installed into an image: the packages of `file`, and what Lykeion with these extras needs.

        Raises NotFound without the file, Invalid for what it says, Unavailable where an index does not answer.
        """
        own = self.read(file) if file else Lock(())
        wanted = own_requirements(extras, self.target)
        here = installed_versions(wanted, self.target)
        named = {one.name for one in own.packages}
        lines = [*own.options, *wanted, *(f"{one.name}=={one.version}" for one in own.packages if not one.url)]
        constraints = [f"{name}=={version}" for name, version in here.items() if name not in named]
        return together(own, self._resolved("-", lines, constraints, own.folder))

    def read(self, file: Path) -> Lock:
        """What a file of requirements says. Raises NotFound, Invalid, Unavailable."""
        file = file.absolute()
        text = "\n".join(texts(file))
        if problems := secrets(text, str(file)):
            raise Invalid(problems)
        if file.name == "pyproject.toml" and file.with_name("uv.lock").is_file():
            return self.read(file.with_name("uv.lock"))
        if file.name == "uv.lock":
            exported = self._kept([text, *texts(file.with_name("pyproject.toml"))], EXPORT, "", file.parent)
            try:
                found = parse_lock(exported, self.target, str(file))
            except Invalid as error:
                raise Invalid([in_uv_lock(problem, text) for problem in error.problems]) from error
        elif file.name == "pyproject.toml" or file.suffix == ".in":
            found = self._resolved(file.name, [text], [], str(file.parent))
        else:
            found = parse_lock(text, self.target, str(file))
        return replace(found, options=options_of(text), folder=str(file.parent))

    def _resolved(self, source: str, lines: Sequence[str], constraints: Sequence[str], folder: str) -> Lock:
        """What uv chooses for `source`, a file in `folder`, or for `lines` where it is "-"."""
        arguments = ["pip", "compile", source, *for_target(self.target), "--format", "pylock.toml", "--no-header", "--no-annotate"]
        given = "\n".join(constraints)
        name = self.cache / f"{digest_of_value(given).removeprefix('sha256:')}.constraints"
        self.cache.mkdir(parents=True, exist_ok=True)
        name.write_text(given)
        told = self._kept([*lines, given], [*arguments, "--constraints", str(name)], "\n".join(lines) if source == "-" else "", folder)
        return resolved(told, folder)

    def _kept(self, decided_by: Sequence[str], arguments: Sequence[str], given: str, folder: str | Path) -> str:
        """What uv says, or what it said before to the same."""
        name = digest_of_value([FORMAT, self.target.version, self.target.platform, arguments[0], *decided_by])
        kept = self.cache / f"{name.removeprefix('sha256:')}.lock"
        if kept.exists():
            touched(kept)
            return kept.read_text()
        ended = uv(arguments, given, str(folder) or None)
        if ended.is_unreachable:
            raise Unavailable(f"packages cannot be resolved: {ended.said}\nTry again, or see UV_INDEX_URL.")
        if not ended.ok:
            remedy = "change what is asked for, or build wheels of what has none"
            raise Invalid([Problem(f"the packages cannot be resolved for the image: {ended.said}", field="requirements", remedy=remedy)])
        self.cache.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_text(ended.out)
        beside.replace(kept)
        return ended.out


@lru_cache(maxsize=8)
def resolved(told: str, folder: str) -> Lock:
    """What uv writes down; reading it takes as long as all else that a finished image asks."""
    return from_pylock(tomllib.loads(told).get("packages", []), folder)


def texts(file: Path) -> Iterator[str]:
    """A file of requirements, and those that it names. Raises NotFound, Invalid."""
    try:
        if file.exists() and not file.is_file():  # a pipe or a device never ends
            raise Invalid([Problem("it is no regular file", file=str(file), remedy="name a file of requirements")])
        text = file.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}; requirements are read from .lock, .txt, .in, uv.lock or pyproject.toml") from error
    except OSError as error:
        raise Invalid(
            [Problem(f"it cannot be read: {error.strerror}", file=str(file), remedy="give yourself the right to read it")]
        ) from error
    except ValueError as error:
        raise Invalid([Problem("it is no text", file=str(file), remedy="write it as UTF-8")]) from error
    yield text
    if file.suffix == ".in":
        for other in OTHERS.findall(text):
            yield from texts(file.parent / other)
