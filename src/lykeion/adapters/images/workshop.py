"""Where images of one home are made: what lies below the code is chosen here, and pipelines and versions become recipes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from lykeion.adapters.images.apt import resolve
from lykeion.adapters.images.debs import Debs
from lykeion.adapters.images.own_packages import installed_versions, own_requirements
from lykeion.adapters.images.pyc import HERE, Compiler
from lykeion.adapters.images.recipes import Foundation, Recipe, serving, training
from lykeion.adapters.images.requirements import Requirements
from lykeion.adapters.images.store import Store
from lykeion.adapters.images.wheels import Wheels
from lykeion.core.images.debs import parse_base_lock
from lykeion.core.images.locks import Lock
from lykeion.core.images.oci import Image, start_of, titled
from lykeion.core.images.references import Reference, parse_reference
from lykeion.core.images.wheels import Target
from lykeion.core.models.manifest import Manifest
from lykeion.core.pipelines.signature import Signature
from lykeion.errors import Invalid, NotFound, Problem

SERVING = ("search",)  # the extras of Lykeion that its servers need
EXTRAS = ("search", "learn")  # those that components may need
BASE_LOCK = "base.lock"


@dataclass(frozen=True)
class Workshop:
    """Makes recipes. `cache`: a folder that may be deleted at any time, but for its `base.lock`, which decides the base.

    `base`: a file that `lykeion image lock` wrote, an image in a registry, or "" for Debian packages as apt knows them, chosen once.
    `pull` brings an image from a registry into the store.
    """

    cache: Path
    store: Store
    pull: Callable[[Reference], Image]
    base: str = ""

    # images -------------------------------------------------------------------------------------------------------------------

    def training(self, name: str, folder: Path, files: tuple[str, ...], signatures: Mapping[str, Signature], lock: Path | None) -> Recipe:
        """The image of a pipeline whose components have these signatures. `lock`: its requirements.

        Raises Invalid with everything that cannot be in it, Unavailable where what is needed cannot be fetched.
        """
        imported = {name for signature in signatures.values() for name in signature.imports}
        requirements = self.requirements(lock, imported)
        return training(name, folder, files, signatures, self.foundation(requirements))

    def serving(self, manifest: Manifest, folder: Path) -> Recipe:
        """The image of a version whose files lie in `folder`."""
        return serving(manifest, folder, self.foundation(Requirements(self.cache / "locks", self.target).lock(None, SERVING)))

    # what lies below ----------------------------------------------------------------------------------------------------------

    def foundation(self, lock: Lock) -> Foundation:
        below = self.below
        wheels = Wheels(self.cache / "wheels", self.target, below.compiler)
        of_code = replace(below.compiler, cache=self.cache / "compiled")
        return replace(below, wheels=tuple(wheels.contents(lock)), compiler=of_code)

    @cached_property
    def below(self) -> Foundation:
        """The base, and what compiles for it."""
        if self.base and not Path(self.base).is_file():
            return self.from_registry(parse_reference(self.base))
        debs = Debs(self.cache, parse_base_lock(*self.base_lock()))
        compiler = Compiler(Target(debs.lock.python).python, debs.interpreter)
        return Foundation((debs.content(compiler),), (), compiler)

    def base_lock(self) -> tuple[str, str]:
        """The text of the lock, and its file. Without one, the packages that apt knows now are written down and used from then on."""
        file = Path(self.base) if self.base else self.cache / BASE_LOCK
        if not file.exists():
            lock = resolve()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(lock.text)
        return file.read_text(), str(file)

    def from_registry(self, reference: Reference) -> Foundation:
        """Below an image of a registry, by its digest, so that it stays the same. Raises Invalid where there is only a tag."""
        if not reference.digest:
            remedy = f"write {reference.name}@sha256:…, as `skopeo inspect` or `docker images --digests` says it"
            raise Invalid([Problem("a base is named by its digest", field="--base", value=str(reference), remedy=remedy)])
        image = self.pulled(reference)
        env = dict(pair.partition("=")[::2] for pair in start_of(image.config).get("Env") or [])
        version = env.get("PYTHON_VERSION", "")  # as the official images of Python say it
        interpreter = "/usr/local/bin/python3" if version else "/usr/bin/python3"
        compiler = Compiler(Target(version or HERE.version).python)
        kept = {name: value for name, value in env.items() if name not in ("PATH", "PYTHONPATH")}
        layers = [titled(layer, "base", f"{at} of {len(image.layers)}") for at, layer in enumerate(image.layers, 1)]
        return Foundation(tuple(layers), (), compiler, interpreter, kept)

    def pulled(self, reference: Reference) -> Image:
        try:
            return self.store.image(reference.digest)
        except NotFound:
            return self.pull(reference)

    @cached_property
    def target(self) -> Target:
        """What packages are installed for."""
        compiler = self.below.compiler
        return Target(compiler.python if compiler.reason else compiler.interpreter.version)

    # Python packages ----------------------------------------------------------------------------------------------------------

    def requirements(self, lock: Path | None, imported: set[str]) -> Lock:
        """What a pipeline's lock says, with what Lykeion needs for what is imported.

        Raises Invalid with all that is imported and that nobody says where to get.
        """
        providers = distributions_of_packages() if imported else {}  # it reads all that is installed
        wanted = {canonicalize_name(name) for package in imported for name in providers.get(package, [package]) if name}
        extras = tuple(extra for extra in EXTRAS if wanted & (self.provided((extra,)) - self.provided(()))) if wanted else ()
        found = Requirements(self.cache / "locks", self.target).lock(lock, extras)
        lost = sorted(wanted - {one.name for one in found.packages})
        if lost:
            remedy = "write them into a requirements file, and name that in spec.environment.requirements"
            raise Invalid(
                [
                    Problem(f"components import {name}, which no requirements name", field="requirements", value=name, remedy=remedy)
                    for name in lost
                ]
            )
        return found

    def provided(self, extras: tuple[str, ...]) -> set[str]:
        """The packages that Lykeion brings with these extras, by name."""
        return set(installed_versions(own_requirements(extras, self.target), self.target))


distributions_of_packages = lru_cache(maxsize=1)(packages_distributions)  # what is installed stays while a process runs
