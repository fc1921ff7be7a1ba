"""Whatever is changed between two runs, exactly the steps that it concerns run again: nothing stale, nothing needless.

One small project with every kind of dependency, run on the real engine again and again. Each case changes one thing and names the steps
that have to run; the others have to be hits. Changes are new each time, so that no case is saved by the one before.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from lykeion.assembly import Platform, children, local, tasks_engine, trainings
from lykeion.core.resources import Metadata, PipelineRef, Training, TrainingSpec
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.parse import parse

WORK = '''
"""The components under test."""
from importlib import import_module
from hashlib import sha256
from pathlib import Path
from lykeion import Input, Output, Step, Uri, component
import helper
from pack import near
from pack.deep import far

VERSION = 0

def digest(path):
    return sha256(Path(path).read_bytes()).hexdigest()

def seen_file(*, uri: Uri) -> str:
    return digest(uri)

@component(fingerprint=seen_file)
def read(out: Output, *, uri: Uri) -> None:
    (out.path / "data.txt").write_bytes(Path(uri).read_bytes())

def seen_folder(*, folder: Uri) -> str:
    return " ".join(f"{path.name}={digest(path)}" for path in sorted(Path(folder).iterdir()))

@component(fingerprint=seen_folder)
def gather(out: Output, *, folder: Uri) -> None:
    for path in sorted(Path(folder).iterdir()):
        (out.path / path.name).write_bytes(path.read_bytes())

@component
def scale(data: Input, out: Output, *, factor: float = 1.0, options: dict = {}, labels: list = []) -> None:
    text = (data.path / "data.txt").read_text()
    (out.path / "scaled.txt").write_text(f"{text}*{factor}{options}{labels}{helper.NAME}{near.NAME}{far.NAME}")

@component(partitions=4)
def split(data: Input, out: Output, *, step: Step) -> None:
    (out.path / "part.txt").write_text(f"{step.partition} of {len(list(data.path.rglob('*')))}")

@component(files=["words.txt"])
def join(left: Input, right: Input, out: Output) -> None:
    words = (Path(__file__).parent / "words.txt").read_text()
    (out.path / "joined.txt").write_text(words + str(len(left.files())) + str(len(right.files())))
'''

PIPELINE = """
apiVersion: lykeion.dev/v1alpha1
kind: Pipeline
metadata: {name: project}
spec:
  environment: {requirements: requirements.lock}
  steps:
    - {name: read, component: "./work.py:read", with: {uri: DATA}}
    - {name: gather, component: "./work.py:gather", with: {folder: PICTURES}}
    - {name: scale, component: "./work.py:scale", inputs: {data: read.out}, with: {factor: 2.0, options: {a: 1, b: [1, 2]}}, env: {MODE: fast}}
    - {name: split, component: "./work.py:split", inputs: {data: gather.out}, parallelism: 2}
    - {name: join, component: "./work.py:join", inputs: {left: scale.out, right: split.out}}
"""

ALL = {"read", "gather", "scale", "split", "join"}
FILES = {
    "work.py": WORK,
    "helper.py": "NAME = 'helper'\n",
    "pack/__init__.py": "",
    "pack/near.py": "from . import sibling\nNAME = 'near' + sibling.NAME\n",
    "pack/sibling.py": "NAME = 'sibling'\n",
    "pack/deep/__init__.py": "",
    "pack/deep/far.py": "NAME = 'far'\n",
    "words.txt": "words\n",
    "requirements.lock": "not-reached==2.0.0 --hash=sha256:00\n",
    "unused.py": "X = 1\n",
    "notes.md": "notes\n",
    "data.csv": "1;2;3\n",
    "pictures/a.png": "picture a",
    "pictures/b.png": "picture b",
    "pictures/c.png": "picture c",
}


@dataclass
class Project:
    """The project's folder, and a platform with a running engine."""

    folder: Path
    platform: Platform
    run_once: Callable[[str], Training]
    number: Iterator[int]
    text: str = PIPELINE

    def run(self, text: str | None = None) -> dict[str, str]:
        """step -> phase; the names are those that the pipeline text has."""
        training = self.run_once(self.filled(text or self.text))
        assert training.status.phase == "Succeeded", training.status.conditions
        return {step.name: step.phase for step in training.status.steps}

    def filled(self, text: str) -> str:
        return text.replace("DATA", str(self.folder / "data.csv")).replace("PICTURES", str(self.folder / "pictures"))

    def output(self, step: str) -> Path:
        """The folder of a step's committed output, as the last run named it."""
        last = list(self.platform.resources.list("Training"))[-1]
        key = next(found.key for found in last.status.steps if found.name == step)
        return self.platform.home.root / "outputs" / key

    def fresh(self) -> str:
        return f"mutation {next(self.number)}"


def ran(phases: dict[str, str]) -> set[str]:
    return {name for name, phase in phases.items() if phase == "Succeeded"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("mutations")
    folder = root / "project"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    platform = local(str(root / "home"))
    engine = children(platform, tasks_engine(platform), services=False)
    part = trainings(platform, engine)
    numbers = count(1)

    def run_once(text: str) -> Training:
        (folder / "pipeline.yaml").write_text(text)
        (pipeline,) = parse(text, "pipeline.yaml")
        metadata = pipeline.metadata.model_copy(update={"annotations": {SOURCE_FILE: str(folder / "pipeline.yaml")}})
        platform.resources.apply(pipeline.model_copy(update={"metadata": metadata}))
        spec = TrainingSpec(pipeline_ref=PipelineRef(name=pipeline.name))
        name = f"run-{next(numbers)}"
        platform.resources.create(Training(metadata=Metadata(name=name), spec=spec))
        for _ in range(3000):
            part.pass_()
            if part.seen >= 0 and name not in part.moving:
                return platform.resources.get("Training", name)
            engine.wait(0.05)
        raise AssertionError(f"{name} is not over")

    made = Project(folder, platform, run_once, count(1))
    assert ran(made.run()) == ALL
    yield made
    engine.close()


@pytest.fixture(autouse=True)
def settled(project):
    """Before each case everything is cached, whatever the case before has left."""
    project.run()
    assert ran(project.run()) == set()


def append(name: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        path = project.folder / name
        mark = project.fresh()
        path.write_text(path.read_text() + (f"# {mark}\n" if name.endswith(".py") else mark))

    return change


SOURCES = ["work.py", "helper.py", "pack/__init__.py", "pack/near.py", "pack/sibling.py", "pack/deep/__init__.py", "pack/deep/far.py"]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("times", range(3))
def test_a_changed_source_file_runs_every_component_that_imports_it(project, name, times):
    append(name)(project)
    assert ran(project.run()) >= {"read", "gather", "scale"}


@pytest.mark.parametrize("name", ["unused.py", "notes.md"])
@pytest.mark.parametrize("times", range(3))
def test_a_changed_file_that_nothing_imports_runs_nothing(project, name, times):
    append(name)(project)
    assert ran(project.run()) == set()


@pytest.mark.parametrize(
    "name", ["other.py", "pack/new.py", "data.bak", "__pycache__/work.cpython-311.pyc", "pack/.hidden", "requirements.in"]
)
def test_a_new_file_runs_nothing(project, name):
    path = project.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(project.fresh())
    assert ran(project.run()) == set()


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("moment", [0, 1_000_000_000, 2_000_000_000])
def test_a_touched_file_runs_nothing(project, name, moment):
    os.utime(project.folder / name, (moment, moment))
    assert ran(project.run()) == set()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_was_copied_over_itself_runs_nothing(project, name):
    path = project.folder / name
    copy = path.with_name("copy of " + path.name)
    shutil.copy(path, copy)
    copy.replace(path)
    assert ran(project.run()) == set()


@pytest.mark.parametrize("times", range(5))
def test_changed_data_runs_what_reads_it_and_what_follows(project, times):
    append("data.csv")(project)
    assert ran(project.run()) == {"read", "scale", "join"}


@pytest.mark.parametrize("times", range(5))
def test_data_of_the_same_size_and_time_is_seen_to_differ(project, times):
    path = project.folder / "data.csv"
    before = path.stat()
    text = project.fresh().ljust(before.st_size)[: before.st_size] if before.st_size > 16 else project.fresh()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ran(project.run()) == {"read", "scale", "join"}


@pytest.mark.parametrize("times", range(3))
def test_data_under_another_name_runs_nothing(project, times):
    other = project.folder / f"{project.fresh()}.csv"
    shutil.copy(project.folder / "data.csv", other)
    assert ran(project.run(PIPELINE.replace("DATA", f'"{other}"'))) == set()


@pytest.mark.parametrize("name", ["a.png", "b.png", "c.png"])
@pytest.mark.parametrize("times", range(3))
def test_an_overwritten_picture_runs_what_reads_it(project, name, times):
    append(f"pictures/{name}")(project)
    phases = project.run()
    assert {"gather", "split"} <= ran(phases) <= {"gather", "split", "join"}


@pytest.mark.parametrize("times", range(3))
def test_a_new_picture_and_a_removed_one_are_seen(project, times):
    new = project.folder / "pictures" / f"{project.fresh()}.png"
    new.write_text(project.fresh())
    assert {"gather", "split"} <= ran(project.run())
    new.unlink()
    assert ran(project.run()) == set(), "as before: as it was cached then"


def test_a_folder_of_pictures_under_another_name_runs_nothing(project):
    other = project.folder / "moved"
    shutil.copytree(project.folder / "pictures", other, dirs_exist_ok=True)
    assert ran(project.run(PIPELINE.replace("PICTURES", str(other)))) == set()


@pytest.mark.parametrize("times", range(3))
def test_a_changed_lock_runs_everything(project, times):
    append("requirements.lock")(project)
    assert ran(project.run()) >= {"read", "gather", "scale", "split"}


def test_a_lock_under_another_name_runs_nothing(project):
    shutil.copy(project.folder / "requirements.lock", project.folder / "other.lock")
    assert ran(project.run(PIPELINE.replace("requirements.lock", "other.lock"))) == set()


@pytest.mark.parametrize("times", range(3))
def test_a_declared_file_runs_the_component_that_declares_it(project, times):
    append("words.txt")(project)
    assert ran(project.run()) == {"join"}


@pytest.mark.parametrize("factor", ["2.5", "-1", "0", "1e3", "200", "2.0000001", "3", "4.5", "0.001", "12345678"])
def test_another_value_of_a_parameter_runs_the_step(project, factor):
    phases = project.run(PIPELINE.replace("factor: 2.0", f"factor: {factor}"))
    assert ran(phases) >= {"scale"}
    assert ran(phases) <= {"scale", "join"}


@pytest.mark.parametrize(
    "options",
    ["{a: '1', b: [1, 2]}", "{a: 1.0, b: [1, 2]}", "{a: true, b: [1, 2]}", "{a: 1, b: [2, 1]}", "{a: 1, b: ['1', 2]}", "{a: 1}", "{}",
     "{a: 1, b: [1, 2], c: null}", "{a: null, b: [1, 2]}", "{a: 1, b: [[1], 2]}", "{A: 1, b: [1, 2]}"],
)  # fmt: skip
def test_the_type_and_the_order_of_a_value_count(project, options):
    assert "scale" in ran(project.run(PIPELINE.replace("{a: 1, b: [1, 2]}", options)))


@pytest.mark.parametrize(
    "same",
    ["{b: [1, 2], a: 1}", "{'a': 1, 'b': [1, 2]}", "{a: 1, b: [1,   2]}", "{a: 0x1, b: [1, 2]}"],
)
def test_how_a_value_is_written_does_not_count(project, same):
    assert ran(project.run(PIPELINE.replace("{a: 1, b: [1, 2]}", same))) == set()


@pytest.mark.parametrize("given", ["factor: 2", "factor: 2.00", "labels: [], factor: 2.0"])
def test_a_default_that_is_written_out_and_a_whole_float_do_not_count(project, given):
    assert ran(project.run(PIPELINE.replace("factor: 2.0", given))) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("parallelism: 2", "parallelism: 1"),
        ("parallelism: 2", "parallelism: 4"),
        ("parallelism: 2", "parallelism: 2, retry: {limit: 3}"),
        ("parallelism: 2", "parallelism: 2, timeout: 10m"),
        ("parallelism: 2", "parallelism: 2, resources: {memory: 1Gi}"),
        ("name: project", "name: another"),
        ("name: project", "name: project, labels: {team: search}"),
        ("spec:\n", "spec:\n  parameters: {unused: {default: x}}\n"),
        ("spec:\n", "# a comment\nspec:\n"),
        ("env: {MODE: fast}", 'env: {MODE: "fast"}'),
    ],
)
def test_how_it_is_run_and_what_it_is_called_do_not_count(project, old, new):
    assert ran(project.run(PIPELINE.replace(old, new))) == set()


@pytest.mark.parametrize("step", sorted(ALL))
def test_a_renamed_step_is_still_cached(project, step):
    text = PIPELINE.replace(f"name: {step},", f"name: {step}-new,").replace(f"{step}.out", f"{step}-new.out")
    assert ran(project.run(text)) == set()


def test_steps_in_another_order_are_still_cached(project):
    head, *steps = PIPELINE.split("    - ")
    assert ran(project.run(head + "".join(f"    - {step.rstrip()}\n" for step in reversed(steps)))) == set()


@pytest.mark.parametrize("env", ["{MODE: slow}", "{MODE: fast, MORE: x}", "{}", "{mode: fast}", "{MODE: ''}"])
def test_environment_variables_count(project, env):
    assert "scale" in ran(project.run(PIPELINE.replace("{MODE: fast}", env)))


def test_a_project_in_another_folder_is_still_cached(project):
    other = project.folder.parent / "checkout"
    shutil.copytree(project.folder, other, dirs_exist_ok=True)
    here, project.folder = project.folder, other
    try:
        assert ran(project.run()) == set()
    finally:
        project.folder = here


def committed(project) -> list[tuple[str, str]]:
    return [("read", "out/data.txt"), ("gather", "out/b.png"), ("scale", "out/scaled.txt"), ("split", "out/part-00002/part.txt"),
            ("join", "out/joined.txt")]  # fmt: skip


def writable(path: Path) -> None:
    for one in (path, path.parent):
        one.chmod(one.stat().st_mode | stat.S_IWUSR)


STEPS = [0, 1, 2, 3, 4]


@pytest.mark.parametrize("which", STEPS)
@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_flipped_byte_in_a_blob_is_found(project, which, keeps_time):
    step, name = committed(project)[which]
    path = project.output(step) / name
    before = path.stat()
    writable(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if keeps_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ran(project.run()) == {step}
    assert bytes(data) != path.read_bytes(), "made anew"


@pytest.mark.parametrize("which", STEPS)
@pytest.mark.parametrize("size", [0, 1])
def test_a_truncated_blob_is_found(project, which, size):
    step, name = committed(project)[which]
    path = project.output(step) / name
    writable(path)
    os.truncate(path, size)
    assert ran(project.run()) == {step}


@pytest.mark.parametrize("which", STEPS)
def test_a_deleted_blob_is_found(project, which):
    step, name = committed(project)[which]
    path = project.output(step) / name
    writable(path)
    path.unlink()
    assert ran(project.run()) == {step}


@pytest.mark.parametrize("which", STEPS)
def test_an_added_file_in_an_output_is_found(project, which):
    step, name = committed(project)[which]
    path = project.output(step) / name
    writable(path)
    path.with_name("added.txt").write_text("more")
    assert ran(project.run()) == {step}


@pytest.mark.parametrize("which", STEPS)
@pytest.mark.parametrize("damage", ["delete", "empty", "garbage"])
def test_a_damaged_manifest_is_found(project, which, damage):
    step, _ = committed(project)[which]
    path = project.output(step) / "manifest.json"
    writable(path)
    if damage == "delete":
        path.unlink()
    else:
        path.write_text("" if damage == "empty" else "{garbage")
    assert ran(project.run()) == {step}


@pytest.mark.parametrize("which", STEPS)
def test_a_deleted_output_is_made_again(project, which):
    step, _ = committed(project)[which]
    folder = project.output(step)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)
    assert ran(project.run()) == {step}


@pytest.mark.parametrize("which", STEPS)
def test_a_touched_blob_is_still_a_hit(project, which):
    step, name = committed(project)[which]
    os.utime(project.output(step) / name, (1, 1))
    assert ran(project.run()) == set()


@pytest.mark.parametrize("which", STEPS)
def test_a_blob_copied_over_itself_is_still_a_hit(project, which):
    step, name = committed(project)[which]
    path = project.output(step) / name
    writable(path)
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)
    assert ran(project.run()) == set()


@pytest.mark.parametrize("way", ["import_module('hid' + 'den')", "__import__('hid' + 'den')"])
def test_an_import_that_the_closure_missed_is_never_cached(project, way):
    source = (project.folder / "work.py").read_text()
    (project.folder / "hidden.py").write_text("NAME = 'hidden'\n")
    (project.folder / "work.py").write_text(source.replace("    words = ", f"    {way}  # {project.fresh()}\n    words = "))
    try:
        assert "join" in ran(project.run())
        assert ran(project.run()) == {"join"}
    finally:
        (project.folder / "work.py").write_text(source)
