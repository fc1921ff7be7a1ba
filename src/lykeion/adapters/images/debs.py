"""The base layer of Debian packages, and its own Python as the one that compiles: the builder's Python then does not matter."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import ClassVar

from lykeion.adapters.images.apt import fetch
from lykeion.adapters.images.caches import touched
from lykeion.adapters.images.deb_files import unpacked
from lykeion.adapters.images.pyc import Compiler, Interpreter
from lykeion.core.images.debs import AUTHORITIES, BaseLock, made, merged
from lykeion.core.images.entries import Content, Entry
from lykeion.core.images.tree import arranged, parents
from lykeion.errors import Corrupt


@dataclass(frozen=True)
class Debs:
    """Makes a base of locked packages. `cache`: a folder of packages and of what is in them; it may be deleted at any time."""

    cache: Path
    lock: BaseLock

    FIRST: ClassVar[str] = "base-files"  # whose folders have the modes that count

    def content(self, compiler: Compiler) -> Content:
        """Its layer. Only making it asks for the packages: raises Unavailable where no mirror has them, Corrupt, Invalid."""
        return Content("base", self.lock.title, self.lock.key(compiler.key), lambda: compiler.compiled(self.entries()), self.lock.parts)

    def entries(self) -> list[Entry]:
        """All that is in the base but compiled code."""
        fetch(self.lock.debs, self.cache / "debs")
        debs = sorted(self.lock.debs, key=lambda deb: (deb.name != self.FIRST, deb.name))
        read = {deb.name: unpacked(self.cache / "debs" / deb.sha256, self.cache / "unpacked" / deb.sha256) for deb in debs}
        entries = merged([(name, entries) for name, (_, entries) in read.items()])
        authorities = sorted((one.path, one.source) for one in entries if one.path.startswith(AUTHORITIES) and one.path.endswith(".crt"))
        given = made({name: control for name, (control, _) in read.items()}, [Path(source).read_bytes() for _, source in authorities])
        taken = {entry.path for entry in given}
        return [*(entry for entry in entries if entry.path not in taken), *given]

    @property
    def interpreter(self) -> Interpreter:
        """Its Python, run from the cache by its own loader, with its own libraries."""
        return Interpreter(self.lock.python, self._command)

    def _command(self) -> list[str]:
        root = self.cache / "roots" / self.lock.key("").removeprefix("sha256:")
        if not root.exists():
            root.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(mkdtemp(prefix=".", dir=root.parent))
            try:
                lay_out(self.entries(), beside)
                beside.rename(root)
            except OSError:
                if not root.exists():
                    raise  # else another builder was faster
            finally:
                rmtree(beside, ignore_errors=True)
        touched(root)
        (loader,) = root.glob("usr/lib/*/ld-linux-*.so.*")
        python = root / "usr/bin" / f"python{'.'.join(self.lock.python.split('.')[:2])}"
        return [str(loader), "--library-path", str(loader.parent), str(python)]


def lay_out(entries: Iterable[Entry], root: Path) -> None:
    """The entries as files below `root`, linked where they lie in the cache; links as they are.

    Raises Invalid for what cannot be in a layer, Corrupt for what would be written elsewhere, through a link.
    """
    later: list[Entry] = []
    ordered, home = arranged(entries), root.resolve()
    links = {entry.path for entry in ordered if entry.type == "link"}
    for entry in ordered:
        where = root / entry.path
        if links.intersection(parents(entry.path)):
            where = where.parent.resolve() / where.name
            if not where.is_relative_to(home):
                raise Corrupt(f"/{entry.path} lies below a link that leads out of the base; leave its package out")
        (where if entry.type == "folder" else where.parent).mkdir(parents=True, exist_ok=True)
        if entry.type == "link":
            where.symlink_to(entry.target)
        elif entry.type == "hardlink":
            later.append(entry)
        elif entry.type == "file":
            if entry.data is None:
                os.link(entry.source, where)
            else:
                where.write_bytes(entry.data)
            where.chmod(entry.mode)
    for entry in later:
        os.link(root / entry.target, root / entry.path)
