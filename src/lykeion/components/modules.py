"""Where modules are, found the way Python finds them but without importing any, and the closure of a component's source.

Four sorts: *local* source (below the pipeline's folder, or a checkout on the import path) is part of the closure, and so are Lykeion's
own components and the search engine that they are made of; the rest of Lykeion (the SDK) is covered by the contract's version, the
standard library by Python's, and what is installed in site-packages by the lock or by its version.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from os import listdir
from os.path import isfile
from pathlib import Path
from typing import NamedTuple

from lykeion.core.pipelines.closure import Import, modules_of
from lykeion.errors import Invalid, Problem

PLATFORM = Path(__file__).parents[1]  # .../lykeion
FOLLOWED = ("lykeion.components.", "lykeion.search", "lykeion.core.search")
SDK = frozenset(
    f"lykeion.components.{name}"
    for name in ("authored", "base", "catalogue", "describe", "installed", "kept", "loading", "locked", "modules", "runner")
)
LIBRARIES = frozenset({"site-packages", "dist-packages"})
SUFFIXES = (*EXTENSION_SUFFIXES, ".py")


class Source(NamedTuple):
    """A module's file; `folder` is where its submodules are, for a package."""

    file: Path
    folder: Path | None = None


@dataclass(slots=True)
class Closure:
    """The code that a component is made of. `modules`: import name -> SHA-256 of its source; "" is the component's own file."""

    modules: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    installed: set[str] = field(default_factory=set)  # top-level packages
    missing: set[str] = field(default_factory=set)  # top-level packages that are imported but not there


class Code(NamedTuple):
    """A source that was read: what it imports, or why that cannot be said."""

    file: Path
    digest: str
    imports: tuple[str, ...]
    problem: Problem | None = None


class Outside(NamedTuple):
    """A top-level package that is no part of a closure: installed, or not there."""

    package: str
    installed: bool


class Modules:
    """Finds modules from `roots` (folders that come first on the import path), then where this process finds them.

    It remembers what it has seen: make a new one to look again.
    """

    def __init__(self, roots: Sequence[Path], imports: Callable[[str, bytes], tuple[Import, ...]]) -> None:
        self.roots = roots
        self.imports = imports  # (SHA-256, source) -> its imports; raises SyntaxError
        self.elsewhere: dict[str, list[Path] | Source | None] = {}
        self.listed: dict[str, frozenset[str]] = {}
        self.seen: dict[str, Code | Outside | None] = {}

    def closure(self, root: Source, package: str, name: str) -> Closure:
        """Of a component's module: `name` where it is imported by one, "" where it is a file of its own.

        Raises Invalid where a source is not Python.
        """
        closure = Closure()
        problems: list[Problem] = []
        outer = name.split(".")[:-1]
        reached = {name, *(".".join(outer[: count + 1]) for count in range(len(outer)))}
        waiting: list[tuple[str, Code | Outside | None]] = [
            ("", self.read(root, package)),
            *((each, self.code(each)) for each in sorted(reached - {name})),
        ]
        while waiting:
            module, found = waiting.pop()
            match found:
                case Code(file, digest, imports, problem):
                    closure.modules[module] = digest
                    closure.files.append(file)
                    problems += [problem] if problem else []
                    new = set(imports) - reached
                    reached |= new
                    waiting += [(each, self.code(each)) for each in sorted(new)]
                case Outside(top, installed):
                    (closure.installed if installed else closure.missing).add(top)
        if problems:
            raise Invalid(problems)
        return closure

    def code(self, module: str) -> Code | Outside | None:
        """What an import of `module` adds to a closure."""
        if module not in self.seen:
            found = self.find(module)
            if isinstance(found, Source):
                self.seen[module] = self.read(found, module if found.folder else module.rpartition(".")[0])
            else:
                self.seen[module] = found
        return self.seen[module]

    def read(self, source: Source, package: str) -> Code:
        data = source.file.read_bytes()
        digest = sha256(data).hexdigest()
        if source.file.suffix != ".py":
            return Code(source.file, digest, ())
        try:
            names = dict.fromkeys(name for each in self.imports(digest, data) for name in modules_of(each, package))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two where it is nested too deep
            line = getattr(error, "lineno", None) or 0
            why = str(error) or "it is nested too deep"
            return Code(source.file, digest, (), Problem(f"it is not Python: {why}", file=str(source.file), line=line))
        return Code(source.file, digest, tuple(names))

    def find(self, module: str) -> Source | Outside | None:
        """The source of a module that belongs to a closure, or the package that it is of; None for Python's and the SDK's own, and
        for what is no module."""
        top, _, rest = module.partition(".")
        if top in sys.builtin_module_names or not top:
            return None
        if top == "lykeion":
            followed = module.startswith(FOLLOWED) and module not in SDK
            return self.inside(PLATFORM, rest) if followed else None
        for root in self.roots:
            if found := self.at(str(root), top):
                return self.inside(found.folder, rest, found)
        if top in sys.stdlib_module_names:
            return None
        there = self.beyond(top)
        if there is None:
            return Outside(top, installed=False)
        if isinstance(there, list):
            return next((found for folder in there if (found := self.inside(folder, rest))), None)
        if LIBRARIES.intersection(there.file.parts):
            return Outside(top, installed=True)
        return self.inside(there.folder, rest, there)

    def beyond(self, top: str) -> list[Path] | Source | None:
        """A top-level module behind the roots: its source, the folders of a namespace package of local source, or None."""
        if top not in self.elsewhere:
            self.elsewhere[top] = self._beyond(top)
        return self.elsewhere[top]

    def _beyond(self, top: str) -> list[Path] | Source | None:
        folders = [root / top for root in self.roots if (root / top).is_dir()]
        try:
            spec = find_spec(top)
        except ValueError:  # in sys.modules without a spec
            spec = None
        if spec is None:
            return folders or None
        places = [Path(place) for place in spec.submodule_search_locations or ()]
        if spec.origin is None or spec.origin in ("frozen", "built-in"):  # a namespace package
            libraries = [place for place in places if LIBRARIES.intersection(place.parts)]
            return Source(libraries[0], libraries[0]) if libraries else [*folders, *places]
        return Source(Path(spec.origin), places[0] if places else None)

    def inside(self, folder: Path | None, rest: str, found: Source | None = None) -> Source | None:
        """The module `rest` ("b.c") below a package's folder; the package itself for "". None where there is none."""
        above = str(folder) if folder else None
        for name in rest.split(".") if rest else ():
            if above is None:
                return None
            found = self.at(above, name)
            above = f"{above}/{name}" if found is None or found.folder else None
        return found

    def at(self, folder: str, name: str) -> Source | None:
        """A module or package directly in a folder, in Python's order: package, extension, source."""
        there, place = self.names(folder), f"{folder}/{name}"
        if name in there and isfile(f"{place}/__init__.py"):
            return Source(Path(place, "__init__.py"), Path(place))
        suffix = next((suffix for suffix in SUFFIXES if name + suffix in there and isfile(place + suffix)), None)
        return None if suffix is None else Source(Path(place + suffix))

    def names(self, folder: str) -> frozenset[str]:
        """What is in a folder: most of what is asked for is not there, and need not be asked for one by one."""
        if folder not in self.listed:
            try:
                self.listed[folder] = frozenset(listdir(folder))
            except OSError:
                self.listed[folder] = frozenset()
        return self.listed[folder]
