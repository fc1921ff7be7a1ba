"""Find the component that a step names: "package.module:function", or "/folder/file.py:function".

An author's code is always compiled from its source: Python believes a .pyc whose source has the same size and second, so an edit
could run as it was before, and its result would be kept under the key of the new code.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from itertools import islice
from keyword import iskeyword
from types import CodeType, ModuleType
from typing import ClassVar
from urllib.parse import quote, unquote

from lykeion.components.base import Component

MOST_FOLDERS = 1000  # that are looked into for a hint
LIBRARY = (os.path.dirname(os.__file__), f"{os.path.dirname(os.__file__)}/lib-dynload")  # where Python's own modules are
AUTHORED = "lykeion.components.authored"  # the package of files whose own name cannot be used


class SourceChanged(Exception):
    """A source file is not any more what it was when the run was planned, so its result would be kept under the key of other code."""


class FromSource(SourceFileLoader):
    """A module's code from its source, whatever lies in `__pycache__`; nothing is written there either.

    `planned`: file -> SHA-256 that its source must have. It is that of the very bytes that are compiled.
    """

    planned: ClassVar[dict[str, str]] = {}

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        data = self.get_data(path)
        require_planned(os.path.realpath(path), data)
        code: CodeType = self.source_to_code(data, path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """A file of `AUTHORED` is in no package of its author's: an import with a dot fails, as in any other file named by its path."""
        if module.__name__.startswith(f"{AUTHORED}."):
            module.__package__ = ""
        super().exec_module(module)


def require_planned(path: str, data: bytes) -> None:
    wanted = FromSource.planned.get(path)
    if wanted is not None and sha256(data).hexdigest() != wanted:
        raise SourceChanged(
            f"{path} was changed since this run was planned, so it was not run: start another run, which takes it as it is now"
        )


def expect(sources: Mapping[str, str], folder: str) -> None:
    """Hold all that is loaded from now on to what was planned; paths are relative to `folder`. Raises SourceChanged, OSError."""
    for name, digest in sources.items():
        path = os.path.realpath(os.path.join(folder, name))
        FromSource.planned[path] = digest
        with open(path, "rb", buffering=0) as file:
            require_planned(path, file.read())


def put_first(folder: str) -> None:
    """Make `folder` the first on the import path behind the standard library, which a file of the same name (`queue.py`) would break for
    all who use it; what lies below it is compiled from source."""
    root = os.path.abspath(folder)

    def finder(path: str) -> FileFinder:
        inside = os.path.abspath(path)
        if (inside != root and not inside.startswith(root + os.sep)) or "site-packages" in inside or not os.path.isdir(inside):
            raise ImportError(f"{path} is not below {root}")
        return FileFinder(inside, (ExtensionFileLoader, EXTENSION_SUFFIXES), (FromSource, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, finder)
    for known in [path for path in sys.path_importer_cache if path.startswith(root)]:
        del sys.path_importer_cache[known]
    first = 1 + max((at for at, path in enumerate(sys.path) if path in LIBRARY), default=-1)
    if sys.path[first : first + 1] != [root]:
        sys.path.insert(first, root)


def load(reference: str, folder: str) -> Component:
    """Raises ImportError, AttributeError or TypeError, saying what to change, and what the module itself raises."""
    where, _, name = reference.rpartition(":")
    is_file = where.endswith(".py")
    for root in dict.fromkeys((folder, os.path.dirname(where) if is_file else "")):  # a file's own folder comes before the pipeline's
        if root:
            put_first(root)
    module = module_of_file(where) if is_file else importlib.import_module(where)
    found = getattr(module, name, None)
    if found is None:
        raise AttributeError(f"{where} has no {name!r}")
    if not isinstance(found, Component):
        raise TypeError(f"{reference} is not a component: write @component above it")
    return found


def module_of_file(path: str) -> ModuleType:
    """Import one file, by a name under which pickles of its classes load elsewhere."""
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path, loader=FromSource(name, path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def module_name(path: str) -> str:
    """The name that a file is imported by: its stem; one in `AUTHORED` where that is no name, or that of another module."""
    stem = os.path.basename(path).removesuffix(".py")
    there = getattr(sys.modules.get(stem), "__file__", None) or ""
    is_other = stem in sys.modules and os.path.realpath(there) != os.path.realpath(path)
    if stem.isidentifier() and not iskeyword(stem) and stem not in sys.stdlib_module_names and not is_other:
        return stem
    return f"{AUTHORED}.{quote(stem, safe='').replace('.', '%2E')}"


def way_out(error: BaseException, reference: str, folder: str) -> str:
    """What to do about an import that failed: `reference` names the component, `folder` is the pipeline's. "" where nobody knows."""
    name = (error.name or "") if isinstance(error, ImportError) else ""
    where, _, function = reference.rpartition(":")
    if isinstance(error, ImportError) and "relative import" in str(error) and where.endswith(".py"):
        inside = os.path.relpath(where, folder or ".").removesuffix(".py").split(os.sep)
        is_package = len(inside) > 1 and all(part.isidentifier() for part in inside)
        as_module = f'name the component "{".".join(inside)}:{function}", which makes its folder a package, or ' if is_package else ""
        return f"a file that is named by its path is in no package: {as_module}import without the dot"
    if name.startswith(f"{AUTHORED}."):
        return f"there is no {unquote(name.removeprefix(f'{AUTHORED}.'))}.py in the pipeline's folder, nor beside the component's file"
    if isinstance(error, ModuleNotFoundError) and (file := below(folder, f"{name}.py")):
        module = file.removesuffix(".py").replace(os.sep, ".")
        return (
            f"{name} is {file} to who named it by its path: name its component {module}:… , by which others find what it pickled, "
            "or put the file beside the pipeline"
        )
    if isinstance(error, ModuleNotFoundError) and name:
        return f"install {name.partition('.')[0]} beside lykeion, and add it to the pipeline's requirements"
    return ""


def below(folder: str, name: str) -> str:
    """The first file of that name in a folder below the pipeline's, relative to it; "" where there is none."""
    for place, folders, files in islice(os.walk(folder) if folder else (), MOST_FOLDERS):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        if name in files and place != folder:
            return os.path.relpath(os.path.join(place, name), folder)
    return ""
