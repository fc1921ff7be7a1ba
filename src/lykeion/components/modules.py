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
from pathlib import Path
from typing import NamedTuple

from lykeion.core.pipelines.closure import Import, modules_of
from lykeion.errors import Invalid, Problem

PLATFORM = Path(__file__).parents[1]  # .../lykeion
FOLLOWED = ("lykeion.components.", "lykeion.search", "lykeion.core.search")
SDK = frozenset(f"lykeion.components.{name}" for name in ("base", "catalogue", "describe", "installed", "loading", "modules", "runner"))
LIBRARIES = frozenset({"site-packages", "dist-packages"})


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


class Modules:
    """Finds modules from `roots` (folders that come first on the import path), then where this process finds them."""

    def __init__(self, roots: Sequence[Path], imports: Callable[[str, bytes], tuple[Import, ...]]) -> None:
        self.roots = roots
        self.imports = imports  # (SHA-256, source) -> its imports; raises SyntaxError
        self.elsewhere: dict[str, list[Path] | Source | None] = {}

    def closure(self, root: Source, package: str, name: str) -> Closure:
        """Of a component's module: `name` where it is imported by one, "" where it is a file of its own.

        Raises Invalid where a source is not Python.
        """
        closure = Closure()
        problems: list[Problem] = []
        reached = {name} if name else set()
        waiting = self._take("", root, package, closure, problems)
        if name:
            outer = name.split(".")[:-1]
            waiting += [".".join(outer[: count + 1]) for count in range(len(outer))]
        while waiting:
            module = waiting.pop()
            if module in reached:
                continue
            reached.add(module)
            found = self.find(module, closure)
            if found is not None:
                package = module if found.folder else module.rpartition(".")[0]
                waiting += self._take(module, found, package, closure, problems)
        if problems:
            raise Invalid(problems)
        return closure

    def _take(self, module: str, source: Source, package: str, closure: Closure, problems: list[Problem]) -> list[str]:
        """Add a source file; returns the modules that it imports."""
        data = source.file.read_bytes()
        digest = sha256(data).hexdigest()
        closure.modules[module] = digest
        closure.files.append(source.file)
        if source.file.suffix != ".py":
            return []
        try:
            return [name for each in self.imports(digest, data) for name in modules_of(each, package)]
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 0
            problems.append(Problem(f"it is not Python: {error}", file=str(source.file), line=line))
            return []

    def find(self, module: str, closure: Closure) -> Source | None:
        """The source of a module that belongs to a closure; None for others, and for what is no module. Notes what is installed."""
        top, _, rest = module.partition(".")
        if top in sys.builtin_module_names or not top:
            return None
        if top == "lykeion":
            followed = module.startswith(FOLLOWED) and module not in SDK
            return inside(PLATFORM, rest) if followed else None
        for root in self.roots:
            if found := at(root, top):
                return inside(found.folder, rest, found)
        if top in sys.stdlib_module_names:
            return None
        there = self.beyond(top)
        if there is None:
            closure.missing.add(top)
        elif isinstance(there, list):
            return next((found for folder in there if (found := inside(folder, rest))), None)
        elif LIBRARIES.intersection(there.file.parts):
            closure.installed.add(top)
        else:
            return inside(there.folder, rest, there)
        return None

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


def at(folder: Path, name: str) -> Source | None:
    """A module or package directly in a folder, in Python's order: package, extension, source."""
    package = folder / name / "__init__.py"
    if package.is_file():
        return Source(package, package.parent)
    for suffix in (*EXTENSION_SUFFIXES, ".py"):
        file = folder / f"{name}{suffix}"
        if file.is_file():
            return Source(file)
    return None


def inside(folder: Path | None, rest: str, found: Source | None = None) -> Source | None:
    """The module `rest` ("b.c") below a package's folder; the package itself for "". None where there is none."""
    for name in rest.split(".") if rest else ():
        if folder is None:
            return None
        found = at(folder, name)
        folder = found.folder if found else folder / name
    return found
