"""Refuses to run with other packages than the pipeline's requirements name: the keys would say that it were those.

The verdict is kept under the file's digest and the stamp of what is installed, since parsing both costs more than a small run.
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from lykeion.components.installed import Installed, installed, normal, stamp
from lykeion.components.kept import keep, kept
from lykeion.components.modules import Closure
from lykeion.errors import Problem


def unlike_installed(lock: Path, data: bytes, cache: Path, closures: Iterable[Closure]) -> list[Problem]:
    """What is locked and installed in another version; and what is locked, not installed, and reached by one of the closures."""
    file = cache / f"locked-2-{sha256(lock.name.encode() + data).hexdigest()[:32]}-{stamp()}.json"
    rows = kept(file)
    if not isinstance(rows, list):
        # lazy: `packaging` is asked once for each change of what is installed, and would cost every run 20 ms
        from packaging.markers import default_environment

        from lykeion.core.pipelines.agreement import disagreements

        asked = {name: str(value) for name, value in default_environment().items()} | {"extra": ""}
        rows = disagreements(data.decode("utf-8-sig", "replace"), lock.name, installed(cache).versions, asked)
        keep(file, rows)
    lacking = {name for _, name, _, there in rows if not there}
    reached = lacking & reached_in_vain(installed(cache), closures) if lacking else set()
    return [problem(lock, *row) for row in rows if row[3] or row[1] in reached or not row[1]]


def reached_in_vain(known: Installed, closures: Iterable[Closure]) -> set[str]:
    """The distributions that are imported, or needed by what is imported, and not installed."""
    found: set[str] = set()
    for closure in closures:
        needed = {need for name in known.versions_of(closure.installed) for need in known.needs.get(name, [])}
        found |= {*map(normal, closure.missing), *(needed - known.versions.keys())}
    return found


def problem(lock: Path, line: int, name: str, locked: str, there: str) -> Problem:
    if not name:
        message = f"{locked!r} names another file, and no key would hold what that one says"
        remedy = f"write one file that has all: uv pip compile --generate-hashes {lock.name} -o requirements.lock"
        return Problem(message, "requirements", locked, str(lock), line, remedy)
    state = f"{name} {there} is installed, which the steps would run with" if there else "it is not installed, and the steps use it"
    how = f"uv sync in {lock.parent}" if lock.name == "uv.lock" else f"pip install -r {lock}"
    remedy = f"install what is locked ({how}), or lock what is installed"
    return Problem(f"{locked} is locked, but {state}", "requirements", locked, str(lock), line, remedy)
