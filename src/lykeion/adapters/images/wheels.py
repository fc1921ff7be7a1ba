"""Layers of locked Python packages: the big ones one each, the others in groups that hardly move when one of them does."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lykeion.adapters.images.pyc import Compiler
from lykeion.adapters.images.wheel_folders import Folders
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.locks import Lock
from lykeion.core.images.wheels import Locked, Target, key, layers


@dataclass(frozen=True)
class Wheels:
    """Makes layers of locked packages. `cache`: a folder of installed wheels; it may be deleted at any time."""

    cache: Path
    target: Target
    compiler: Compiler

    @cached_property
    def folders(self) -> Folders:
        return Folders(self.cache, self.target)

    def contents(self, lock: Lock) -> list[Content]:
        """One for each layer, lowest first. Installs what was never installed here: how big a wheel is decides whose layer it shares.

        Raises Invalid with every package that cannot be installed, Unavailable where an index does not answer.
        """
        named = {one.name: one for one in lock.packages}
        return [self._content([named[name] for name in names], lock) for names in layers(self.folders.sizes(lock))]

    def _content(self, packages: Sequence[Locked], lock: Lock) -> Content:
        alone = len(packages) == 1
        names = ", ".join(one.name for one in packages[:3]) + (", …" if len(packages) > 3 else "")
        return Content(
            kind="wheel" if alone else "wheels",
            title=f"{packages[0].name} {packages[0].version}" if alone else f"{len(packages)} wheels: {names}",
            key=key(packages, self.target, self.compiler.key),
            entries=lambda: self._entries(replace(lock, packages=tuple(packages))),
            parts=tuple(one.part for one in packages),
        )

    def _entries(self, lock: Lock) -> list[Entry]:
        self.folders.sizes(lock)  # so that all are there
        return self.compiler.compiled(entry for one in lock.packages for entry in self.folders.entries(one))
