"""What components say of themselves, without importing the authors' code where it was described before.

The identity of a component is the digest of its code's closure, its declared files, the lock (or the versions of what it imports),
Python's minor version and the step contract's; never names of folders, times or absolute paths. Described is by the identity without the
declared files, since those are known only then: a description is kept in the cache under it, and a hit reads a few small files.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any

from lykeion.components.installed import Installed, installed
from lykeion.components.kept import keep, kept
from lykeion.components.locked import unlike_installed
from lykeion.components.modules import LIBRARIES, PLATFORM, Closure, Modules, Source
from lykeion.core.content import digest_of
from lykeion.core.pipelines.check import fault_of_value
from lykeion.core.pipelines.closure import Import, identity, imports_of
from lykeion.core.pipelines.signature import LOCK, Signature
from lykeion.errors import Invalid, Problem
from lykeion.outside import NotAFile, read_outside

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LONGEST = 300.0  # seconds for importing all components of a pipeline


@dataclass(frozen=True, slots=True)
class Found:
    """A component whose source was read. `reference` has an absolute path where it names a file. `home`: what `files=` is relative to.

    `function`: "module:function", of a file "folder/module:function". A pickle says of which module it is; under another name, or from
    another folder, one that was kept could not be read.
    """

    reference: str
    function: str
    home: Path
    closure: Closure
    environment: Mapping[str, str] | str

    @property
    def source_identity(self) -> str:
        """Of all but the declared files."""
        return identity(self.function, self.closure.modules, {}, self.environment, PYTHON)


class Catalogue:
    """Fulfils ports.Components. `cache`: a folder for descriptions; it may be deleted at any time."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache

    def describe(self, folder: str, component: str, lock: Path | None = None) -> Signature:
        """Of one component. Raises Invalid."""
        return self.describe_all(folder, [component], lock)[component]

    def describe_all(
        self, folder: str, components: Iterable[str], lock: Path | None = None, *, runs_here: bool = True
    ) -> dict[str, Signature]:
        """Reference as it was given -> signature, with identity, imports and closure. Every problem at once, as Invalid.

        `folder`: the pipeline's; "./x.py:f" is relative to it. Those not described before are imported in one subprocess.
        """
        problems: list[Problem] = []
        found: dict[str, Found] = {}
        locked = None if lock is None else read_outside(lock)
        environment = None if locked is None else digest_of(locked)
        reader = Reader(self.cache, folder, environment)
        for component in dict.fromkeys(components):
            try:
                found[component] = reader.find(component)
            except Invalid as error:
                problems += error.problems
        if lock is not None and locked is not None and runs_here:
            problems += unlike_installed(lock, locked, self.cache, [each.closure for each in found.values()])
        told = self._tell(folder, found, problems)
        signatures: dict[str, Signature] = {}
        for component, said in told.items():
            try:
                signatures[component] = finish(found[component], said, folder)
            except Invalid as error:
                problems += error.problems
        if problems:
            raise Invalid(dict.fromkeys(problems))
        return signatures

    def _tell(self, folder: str, found: Mapping[str, Found], problems: list[Problem]) -> dict[str, dict[str, Any]]:
        """Component -> {"signature", "files"}, from the cache or from a subprocess."""
        told = {component: said for component, each in found.items() if (said := self._kept(each))}
        unknown = {each.reference: component for component, each in found.items() if component not in told}
        for reference, said in describe_in_subprocess(folder, list(unknown)).items():
            if "problem" in said:
                problems.append(Problem(**said["problem"]))
            else:
                told[unknown[reference]] = said
                self._keep(found[unknown[reference]], said)
        return told

    def _file(self, found: Found) -> Path:
        return self.cache / f"{found.source_identity.removeprefix('sha256:')}.json"

    def _kept(self, found: Found) -> dict[str, Any] | None:
        said = kept(self._file(found))
        return said if isinstance(said, dict) and said.keys() == {"signature", "files"} else None

    def _keep(self, found: Found, said: Mapping[str, Any]) -> None:
        keep(self._file(found), {"signature": said["signature"], "files": said["files"]})


class Reader:
    """Reads the sources of the components of one pipeline. `environment`: the lock's digest, None without one."""

    def __init__(self, cache: Path, folder: str, environment: str | None) -> None:
        self.cache, self.folder, self.environment = cache, Path(folder or ".").absolute(), environment
        self.known: Installed | None = None
        self.finders: dict[tuple[Path, ...], Modules] = {}

    def find(self, component: str) -> Found:
        """Raises Invalid where there is no such source, or it is not Python."""
        where, colon, function = component.rpartition(":")
        if not colon or not where or not function.isidentifier():
            remedy = 'write "./file.py:function" or "package.module:function"'
            raise Invalid([Problem(f"{component!r} names no component", field="component", value=component, remedy=remedy)])
        if where.endswith(".py"):
            file = Path(os.path.normpath(self.folder / where))
            if not file.is_file():
                raise self.no_file(component, file)
            closure = self.modules(file.parent, self.folder).closure(Source(file), "", "")
            inside = os.path.relpath(file, self.folder).removesuffix(".py")  # of another folder, its classes are found by others or not
            return Found(f"{file}:{function}", f"{inside}:{function}", file.parent, closure, self.environment_of(closure))
        modules = self.modules(self.folder)
        source, library = self.module(modules, component, where)
        if library:
            closure = Closure({"": sha256(source.file.read_bytes()).hexdigest()}, [source.file], {where.partition(".")[0]})
        else:
            closure = modules.closure(source, where if source.folder else where.rpartition(".")[0], where)
        return Found(component, component, source.file.parent, closure, self.environment_of(closure))

    def modules(self, *roots: Path) -> Modules:
        return self.finders.setdefault(roots, Modules(roots, self.imports))

    def module(self, modules: Modules, component: str, name: str) -> tuple[Source, bool]:
        """A component's module, and whether it is installed in site-packages."""
        top, _, rest = name.partition(".")
        found = modules.inside(PLATFORM, rest) if top == "lykeion" else modules.find(name)
        source, library = found if isinstance(found, Source) else None, False
        if source is None and top not in sys.stdlib_module_names and top != "lykeion":
            beyond = modules.beyond(top)
            if isinstance(beyond, Source):
                source = modules.inside(beyond.folder, rest, beyond)
                library = source is not None and bool(LIBRARIES.intersection(source.file.parts))
        if source is None or not source.file.is_file():
            remedy = f"write ./{name.replace('.', '/')}.py:… for a file beside the pipeline" if top != "lykeion" else near_module(name)
            raise Invalid([Problem(f"there is no module {name}", field="component", value=component, remedy=remedy)])
        return source, library

    def no_file(self, component: str, file: Path) -> Invalid:
        near = get_close_matches(file.name, [there.name for there in file.parent.glob("*.py")], n=1)
        remedy = f"did you mean {near[0]}?" if near else f"paths are relative to {self.folder}"
        return Invalid([Problem(f"there is no file {file}", field="component", value=component, remedy=remedy)])

    def imports(self, digest: str, source: bytes) -> tuple[Import, ...]:
        """The imports of a source text, kept in the cache by its digest."""
        file = self.cache / "imports" / f"{digest}.json"
        found = kept(file)
        if isinstance(found, list):
            return tuple(Import(level, module, tuple(names)) for level, module, names in found)
        parsed = imports_of(source)
        keep(file, parsed)
        return parsed

    def environment_of(self, closure: Closure) -> Mapping[str, str] | str:
        """The lock's digest; without a lock, the versions of what is imported, and what is imported in vain."""
        if self.environment is not None:
            return self.environment
        if not closure.installed:
            return dict.fromkeys(closure.missing, "")
        if self.known is None:
            self.known = installed(self.cache)
        return {**self.known.versions_of(closure.installed), **dict.fromkeys(closure.missing, "")}


def near_module(name: str) -> str:
    near = get_close_matches(name.rpartition(".")[2], [file.stem for file in (PLATFORM / "components").glob("*.py")], n=1)
    return f"did you mean lykeion.components.{near[0]}?" if near else "see docs/components.md for those that come with Lykeion"


def finish(found: Found, said: Mapping[str, Any], folder: str) -> Signature:
    """A component's signature: what it says, and what its source is. Raises Invalid where a declared file is missing."""
    digests, covered = declared(found, said["files"])
    signature = Signature.from_json(said["signature"])
    if problems := list(bad_defaults(found, signature)):
        raise Invalid(problems)
    root = Path(folder or ".").absolute()
    return replace(
        signature,
        component=found.reference,
        identity=identity(found.function, found.closure.modules, digests, found.environment, PYTHON),
        imports=tuple(sorted(found.closure.installed)),
        closure=tuple(sorted({relative(file, root) for file in (*found.closure.files, *covered)})),
        sources={relative(file, root): digest for file, digest in of_the_author(found, digests)},
        environment={LOCK: found.environment} if isinstance(found.environment, str) else found.environment,
        python=PYTHON,
    )


def bad_defaults(found: Found, signature: Signature) -> Iterator[Problem]:
    """Defaults that `with:` would not let anybody say."""
    where = found.reference.rpartition(":")[0]
    for name, known in signature.parameters.items():
        message, remedy = fault_of_value(known, known.default, None) if known.default not in (None, "") else ("", "")
        if message:
            file = where if where.endswith(".py") else ""
            yield Problem(f"the default of {name} {message}", "component", found.reference, file, remedy=remedy or "correct one of the two")


def of_the_author(found: Found, declared: Mapping[str, str]) -> list[tuple[Path, str]]:
    """The files of a component that an edit may change during a run, with their SHA-256."""
    code = zip(found.closure.files, found.closure.modules.values(), strict=True)
    own = [(file, digest) for file, digest in code if PLATFORM not in file.parents and not LIBRARIES.intersection(file.parts)]
    return [*own, *((found.home / name, digest) for name, digest in declared.items())]


def relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)


def declared(found: Found, names: Sequence[str]) -> tuple[dict[str, str], list[Path]]:
    """The digests of the files of `files=`, and the files; a folder stands for all that is in it."""
    digests: dict[str, str] = {}
    covered: list[Path] = []
    problems: list[Problem] = []
    for name in names:
        given = found.home / name
        files = sorted(inner for inner in given.rglob("*") if inner.is_file()) if given.is_dir() else [given]
        for file in files:
            where = found.reference.rpartition(":")[0]
            try:
                digests[relative(file, found.home)] = sha256(read_outside(file)).hexdigest()
            except NotAFile:
                problems.append(Problem(f"{name} is no regular file", field="files", value=name, file=where, remedy="name files only"))
            except OSError:
                remedy = "paths in files= are relative to the component's file"
                problems.append(Problem("a declared file is not there", field="files", value=name, file=where, remedy=remedy))
        covered += files
    if problems:
        raise Invalid(problems)
    return digests, covered


def describe_in_subprocess(folder: str, references: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Import components; reference -> what `components.describe` prints. One that kills the process costs no other its answer."""
    answers: dict[str, dict[str, Any]] = {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    while waiting := [reference for reference in references if reference not in answers]:
        try:
            ended = subprocess.run(
                [sys.executable, "-P", "-m", "lykeion.components.describe"],
                input=json.dumps({"folder": str(Path(folder or ".").absolute()), "components": waiting}),
                capture_output=True,
                text=True,
                timeout=LONGEST,
                env=environment,
                check=False,
            )
            printed, why = ended.stdout, f"importing it ended Python with code {ended.returncode}: {ended.stderr.strip()[-500:]}"
        except subprocess.TimeoutExpired as error:
            printed = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else error.stdout or ""
            why = f"importing it takes longer than {LONGEST:.0f} s"
        for line in printed.splitlines():
            said = json.loads(line)
            answers[said["component"]] = said
        if culprit := next((reference for reference in waiting if reference not in answers), None):
            file = culprit.rpartition(":")[0]
            problem = {"message": why, "field": "component", "value": culprit, "file": file if file.endswith(".py") else ""}
            answers[culprit] = {"problem": {**problem, "remedy": "do nothing at import but define things"}}
    return answers
