"""The package of authors' files whose own name Python has for something else (`signal.py`), or cannot import (`train-model.py`).

A pickle names a class by its module. Whoever reads one there (another step, a process that was spawned) imports this package, which finds
the file where any other module of the author would be found: in the folders of the import path.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from urllib.parse import unquote

from lykeion.components.loading import LIBRARY, FromSource

__path__: list[str] = []  # it has modules, and no folder of its own


class Authored(MetaPathFinder):
    """Finds `lykeion.components.authored.NAME`."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG004
        package, _, quoted = fullname.rpartition(".")
        if package != __name__:
            return None
        stem = unquote(quoted)
        files = (os.path.join(folder, f"{stem}.py") for folder in sys.path if folder not in LIBRARY)
        file = next(filter(os.path.isfile, files), None)
        return spec_from_file_location(fullname, file, loader=FromSource(fullname, file)) if file else None


sys.meta_path.insert(0, Authored())
