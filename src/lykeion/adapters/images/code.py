"""The layers of code: an author's, as far as components need it, and Lykeion's own. Each file with its compiled form beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import distribution, version
from pathlib import Path

from lykeion.adapters.images.own_packages import OWN
from lykeion.adapters.images.pyc import Compiler
from lykeion.core.content import digest_of_value
from lykeion.core.images.entries import Content, Entry, Kind
from lykeion.core.images.places import APP, MOUNTED, PACKAGES, PYTHON, SCRIPTS
from lykeion.core.images.tree import clashes, fault, refused
from lykeion.errors import Invalid, Problem

LARGEST = 256 << 20  # bytes of all of an author's code; what is larger is data, which steps and models carry
PLATFORM = Path(__file__).parents[2]
SCRIPT = f"#!/{PYTHON}\nimport sys\n\nfrom lykeion.cli.main import main\n\nsys.exit(main())\n".encode()


def code_content(folder: Path, names: Iterable[str], compiler: Compiler) -> Content:
    """What `names`, paths from the pipeline's folder, are: the layer /app. Raises Invalid with every file that cannot be in it."""
    problems: list[Problem] = []
    files = {name: found for name in sorted(set(names)) if (found := inside(folder, name, problems))}
    for group in clashes(files).values():
        remedy = "rename one: where case is not told apart they would be one file"
        problems.append(Problem(f"{' and '.join(group)} differ in case alone", field="code", file=str(folder), remedy=remedy))
    size = sum(file.stat().st_size for file in files.values())
    if size > LARGEST:
        remedy = "give data to steps as inputs, or publish it as a model"
        problems.append(Problem(f"the code has {size >> 20} MiB, {LARGEST >> 20} fit", field="files", file=str(folder), remedy=remedy))
    if problems:
        raise Invalid(problems)
    return packed("code", f"/{APP}", [read(f"{APP}/{name}", file) for name, file in files.items()], compiler)


def inside(folder: Path, name: str, problems: list[Problem]) -> Path | None:
    """The file of that name, if it lies in the folder, really, and can be called so in an image."""
    file, entry = folder / name, Entry(f"{APP}/{name}")
    real = file.resolve()
    if Path(name).is_absolute() or not real.is_relative_to(folder.resolve()):
        remedy = "move it beside the pipeline's file: an image holds that folder only"
        problems.append(Problem(f"{name} leads out of the pipeline's folder", field="code", value=name, file=str(folder), remedy=remedy))
    elif not real.is_file():
        problems.append(Problem(f"{name} is no regular file", field="code", value=name, file=str(folder), remedy="name files only"))
    elif why := fault(entry):
        problems.append(refused(entry, why))
    else:
        return file
    return None


def platform_content(compiler: Compiler, interpreter: str) -> Content:
    """Lykeion as it runs here: the package, what the installation says of it, the command, the image's `interpreter`, places to mount."""
    places = (Entry(PYTHON, "link", target=interpreter), *(Entry(name, "folder", 0o755) for name in MOUNTED))
    layer = packed("platform", f"{OWN} {version(OWN)}", (*platform(), *places), compiler)
    return replace(layer, parts=((f"pkg:pypi/{OWN}@{version(OWN)}", ""),))


@cache
def platform() -> tuple[Entry, ...]:
    """Read once: what is installed stays while a process runs."""
    installed = distribution(OWN)
    about = f"{PACKAGES}/{OWN}-{installed.version}.dist-info"
    files = (path for path in PLATFORM.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return (
        *(read(f"{PACKAGES}/{OWN}/{path.relative_to(PLATFORM).as_posix()}", path) for path in sorted(files)),
        *(text(f"{about}/{name}", (installed.read_text(name) or "").encode()) for name in ("METADATA", "entry_points.txt")),
        replace(text(f"{SCRIPTS}/{OWN}", SCRIPT), mode=0o755),
    )


def packed(kind: Kind, title: str, entries: Sequence[Entry], compiler: Compiler) -> Content:
    """The layer of these entries and their compiled forms."""
    told = [[entry.path, entry.target or entry.sha256] for entry in entries]
    return Content(kind, title, digest_of_value({"entries": told, "compiled": compiler.key}), lambda: compiler.compiled(entries))


def read(path: str, file: Path) -> Entry:
    """What is packed is what the key says: a source is read once, and of another file the digest is compared again."""
    if file.suffix == ".py":
        return text(path, file.read_bytes())
    with file.open("rb", buffering=0) as stream:
        return Entry(path, source=str(file), size=file.stat().st_size, sha256=file_digest(stream, "sha256").hexdigest())


def text(path: str, data: bytes) -> Entry:
    return Entry(path, data=data, sha256=sha256(data).hexdigest())
