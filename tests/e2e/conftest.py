"""The command line as a person uses it, the platform as it is started, and a small catalogue of drawn pictures."""

import csv
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw

from lykeion.adapters.local.token import token_of
from lykeion.testing.commands import LYKEION, Said
from lykeion.testing.servers import Answer, ask_over, until

ROOT = Path(__file__).parents[2]
PHOTO_SEARCH = "examples/photo-search/pipeline.yaml"
COLUMNS = ("id", "title", "description", "category", "price", "status", "updated_at", "pictures", "colour")


Cli = Callable[..., Said]


def command_line(home: Path) -> Cli:
    """`lykeion` over a home; a traceback is never an answer."""

    def run(*words, code: int | None = 0, cwd: Path = ROOT, timeout: float = 100, text: str | None = None) -> Said:
        env = {**os.environ, "LYKEION_HOME": str(home)}
        done = subprocess.run([LYKEION, *map(str, words)], capture_output=True, text=True, cwd=cwd, env=env, timeout=timeout, input=text)
        assert "Traceback" not in done.stderr.split("--- the end of the log")[0], done.stderr  # a step's own log may have one
        assert code is None or done.returncode == code, done.stderr + done.stdout
        return Said(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home) -> Cli:
    return command_line(home)


COLOURS = {"red": (200, 30, 30), "green": (20, 150, 60), "blue": (30, 60, 200), "yellow": (220, 200, 30)}
SHAPES = ("ellipse", "rectangle", "triangle", "cross", "ring")


def draw(path: Path, shape: str, colour: str, turn: int) -> None:
    picture = Image.new("RGB", (160, 160), "white")
    pen = ImageDraw.Draw(picture)
    box = (20 + turn, 25, 130 + turn, 135)
    match shape:
        case "ellipse":
            pen.ellipse(box, fill=COLOURS[colour])
        case "rectangle":
            pen.rectangle(box, fill=COLOURS[colour])
        case "triangle":
            pen.polygon([(box[0], box[3]), (box[2], box[3]), ((box[0] + box[2]) // 2, box[1])], fill=COLOURS[colour])
        case "cross":
            pen.line(box, fill=COLOURS[colour], width=26)
            pen.line((box[0], box[3], box[2], box[1]), fill=COLOURS[colour], width=26)
        case "ring":
            pen.ellipse(box, outline=COLOURS[colour], width=24)
    picture.save(path)


def draw_catalogue(folder: Path) -> Path:
    """A CSV of 40 listings with a drawn picture each, in a folder of its own."""
    folder.mkdir()
    with (folder / "listings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for number, (shape, colour, turn) in enumerate((s, c, t) for s in SHAPES for c in COLOURS for t in (0, 9)):
            name = f"{shape}-{colour}-{turn}"
            draw(folder / f"{name}.png", shape, colour, turn)
            day = f"2026-01-{number % 28 + 1:02d}T00:00:00Z"
            rows.writerow([name, f"a {colour} {shape}", "drawn", shape, 100 * (number + 1), "on_sale", day, f"{name}.png", colour])
    return folder / "listings.csv"


@pytest.fixture
def catalogue(tmp_path) -> Path:
    return draw_catalogue(tmp_path / "catalogue")


@pytest.fixture(name="until")
def until_in_this_test():
    return until


def processes_of(home: Path) -> list[psutil.Process]:
    """All that runs of a home: it is in what they were started with."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(home) in one for one in told):
            found.append(process)
    return found


@pytest.fixture
def running_of():
    return processes_of


@dataclass(frozen=True)
class Indexed:
    """A home in which the drawn catalogue is indexed as the family `photos`, and what the run printed."""

    home: Path
    listings: Path
    printed: dict

    @property
    def cli(self) -> Cli:
        return command_line(self.home)

    def index(self, *words) -> dict:
        """The pipeline over the catalogue as it is now."""
        return self.cli("run", PHOTO_SEARCH, "-p", f"listings={self.listings}", *words, "-o", "json").json

    def copy(self, folder: Path) -> "Indexed":
        """One of its own, for those who change something."""
        for source in (self.home, self.listings.parent):
            others = shutil.ignore_patterns("state.db-*")  # come and go with whoever reads; all is in state.db once a run has ended
            shutil.copytree(source, folder / source.name, symlinks=True, ignore=others)
        home = folder / self.home.name
        shutil.rmtree(home / "models", ignore_errors=True)  # links into the other home
        return Indexed(home, folder / self.listings.parent.name / self.listings.name, self.printed)

    def picture(self, name: str) -> bytes:
        return (self.listings.parent / f"{name}.png").read_bytes()


@pytest.fixture(scope="session")
def indexed(tmp_path_factory) -> Indexed:
    """Made once for all, also where tests run in several processes. Not to be changed."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "indexed-for-all"
    shared.mkdir(exist_ok=True)
    made = Indexed(shared / "home", shared / "catalogue" / "listings.csv", {})
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "printed.json").exists():
            draw_catalogue(shared / "catalogue")
            (shared / "printed.json").write_text(json.dumps(made.index()))
    return Indexed(made.home, made.listings, json.loads((shared / "printed.json").read_text()))


@pytest.fixture
def own(indexed, tmp_path) -> Indexed:
    """A copy of the indexed home and its catalogue that a test may change."""
    return indexed.copy(tmp_path)


class Up:
    """`lykeion up` over a home, on a free port."""

    def __init__(self, home: Path) -> None:
        self.home, self.told = home, home / "up.out"
        home.mkdir(exist_ok=True)
        with self.told.open("wb") as out:
            command = [LYKEION, "up", "--port", "0", "--home", home]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "LYKEION_HOME": str(home)})
        until(lambda: "http://" in self.told.read_text() or self.process.poll() is not None, 40, "a URL that is printed")
        assert self.process.poll() is None, self.told.read_text()
        self.url = next(word for word in self.told.read_text().split() if word.startswith("http://"))

    @property
    def token(self) -> dict[str, str]:
        """The header that shows that it is the owner who asks."""
        return {"x-lykeion-token": token_of(self.home)}

    def ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str | None = None) -> Answer:
        """Raises OSError or HTTPException where nobody answers."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        return ask_over(connection, path, method or ("GET" if body is None else "POST"), body, headers)

    def status(self, path: str, **how) -> int:
        """0 where nobody answers."""
        try:
            return self.ask(path, **how).status
        except (OSError, http.client.HTTPException):
            return 0

    def search(self, body: bytes, query: str = "", family: str = "photos", kind: str = "image/png") -> Answer:
        return self.ask(f"/v1/search/{family}{query}", body, {"content-type": kind})

    def by(self, query: str = "", family: str = "photos", **question) -> Answer:
        return self.search(json.dumps(question).encode(), query, family, "application/json")

    def ready(self, *families: str) -> "Up":
        """Wait until every Serving is ready, and these families are among them."""
        until(lambda: self.status("/readyz") == 200, 60, "/readyz")
        for family in families or ("photos",):
            until(lambda family=family: self.status(f"/v1/search/{family}") == 200, 60, f"a family {family} that is served")
        return self

    def processes(self, module: str, of: int | None = None) -> list[int]:
        """Process ids by what they run; `of`: the children of one."""
        found = psutil.Process(of or self.process.pid).children()
        return [one.pid for one in found if any(module in word for word in one.cmdline())]

    def workers(self, module: str) -> list[int]:
        return [worker for supervisor in self.processes(module) for worker in self.processes(module, supervisor)]

    def end(self, seconds: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


@pytest.fixture(scope="session")
def start_up() -> type[Up]:
    return Up


@pytest.fixture(scope="module")
def site(indexed, tmp_path_factory) -> Iterator[Up]:
    """A platform that many tests ask; what they break must come back by itself."""
    up = Up(indexed.copy(tmp_path_factory.mktemp("site")).home)
    try:
        yield up.ready()
    finally:
        up.end()


@pytest.fixture
def platform(own) -> Iterator[Up]:
    """A platform over a test's own home and catalogue."""
    up = Up(own.home)
    try:
        yield up.ready()
    finally:
        if up.process.poll() is None:
            up.end()


@pytest.fixture
def killed_run(home) -> Callable[..., None]:
    """Start `lykeion run …`, and kill it without warning as soon as something is true."""
    default = home

    def run(*words, when: Callable[[], object], home: Path = default) -> None:
        process = subprocess.Popen(
            [LYKEION, "run", *map(str, words), "-q"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "LYKEION_HOME": str(home)},
        )
        try:
            until(lambda: when() or process.poll() is not None, 60, "the moment to kill it")
            assert process.poll() is None, "it had ended before"
        finally:
            process.kill()
            process.wait()

    return run


@pytest.fixture
def halting(tmp_path):
    """A pipeline of two steps that note that they ran; the second one waits for a file. (its file, the notes, the file to make)"""
    ran, go = tmp_path / "ran", tmp_path / "go"
    (tmp_path / "halting.py").write_text(
        "import time\nfrom pathlib import Path\nfrom lykeion import Input, Output, component\n\n\n"
        "def note(name: str) -> None:\n"
        f"    with Path({str(ran)!r}).open('a') as file:\n        file.write(name + '\\n')\n\n\n"
        "@component\ndef a(out: Output) -> None:\n    note('a')\n    (out.path / 'x').write_text('x')\n\n\n"
        "@component\ndef b(x: Input, out: Output) -> None:\n    note('b')\n    print('waits', flush=True)\n"
        f"    while not Path({str(go)!r}).exists():\n        time.sleep(0.05)\n"
    )
    (tmp_path / "halting.yaml").write_text(
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: halting}\nspec:\n  steps:\n"
        "    - {name: a, component: './halting.py:a'}\n    - {name: b, component: './halting.py:b', inputs: {x: a.out}}\n"
    )
    return tmp_path / "halting.yaml", ran, go
