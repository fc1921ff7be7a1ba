"""Garbage collection on a real home: outputs on disk, Trainings in the database, versions in a repository."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from lykeion.adapters.local.collector import PIN, Collector, Plan
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock
from lykeion.adapters.local.mentions import mentions
from lykeion.adapters.local.resources import SqliteResources
from lykeion.components.item_cache import DIGEST, SegmentWriter, compact, read_table, segment_files
from lykeion.core.pipelines.reachability import Keep, References
from lykeion.core.resources import Metadata, PipelineSpec, Step, StepStatus, Training, TrainingSpec, TrainingStatus
from lykeion.errors import Unavailable
from lykeion.repository import open_repository

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=100)
STEPS = ("read", "train")
PIPELINE = PipelineSpec(steps=tuple(Step(name=step, component=f"m:{step}") for step in STEPS))


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@contextmanager
def engine_of(home: Home) -> Iterator[None]:
    """As if somebody ran steps of this home: another process would, which has the lock's file open for itself."""
    (home.locks / "tasks").touch()
    with (home.locks / "tasks").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Shop:
    """A home with things in it, a hundred days old unless told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.home = Home.at(folder / "home")
        self.resources = SqliteResources(self.home.database, SystemClock())
        self.repository = open_repository((folder / "repository").as_uri())
        self.collector = Collector(self.home, self.resources, self.repository, SystemClock(), mentions, compact)

    def age(self, path: Path, days: float = 100) -> Path:
        at = (NOW - timedelta(days=days)).timestamp()
        for inner in [*path.rglob("*"), path] if path.is_dir() else [path]:
            os.utime(inner, (at, at), follow_symlinks=False)
        return path

    def output(self, name: str, step: str = "read", days: float = 100, size: int = 1000) -> str:
        key = sha256(name.encode()).hexdigest()
        folder = self.home.outputs / key
        (folder / "out").mkdir(parents=True)
        (folder / "out" / "data").write_bytes(b"x" * size)
        (folder / "out" / "data").chmod(0o444)
        (folder / "manifest.json").write_text(f'{{"step": "{step}"}}')
        (folder / "out").chmod(0o555)
        self.age(folder, days)
        return key

    def run(self, name: str, phase: str, *keys: str, days: float = 100, **annotations: str) -> None:
        spec = TrainingSpec(pipeline=PIPELINE)
        made = self.resources.create(Training(metadata=Metadata(name=name, annotations=annotations), spec=spec))
        status = TrainingStatus(
            phase=phase,
            finished_at=NOW - timedelta(days=days),
            steps=tuple(StepStatus(name=step, key=key) for step, key in zip(STEPS, keys, strict=False)),
        )
        self.resources.write_status(made.model_copy(update={"status": status}))

    def picture(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        path = self.home.cache / "pictures" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.age(path)
        return digest

    def speak_of(self, folder: Path, *digests: str, column: str = "digest") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.table({column: pa.array([bytes.fromhex(digest) for digest in digests], pa.binary(32))})
        with pa.ipc.new_file(folder / "rows.arrow", table.schema) as writer:
            writer.write_table(table)

    def going(self, keep: Keep | None = None) -> set[tuple[str, str]]:
        return {(thing.kind, thing.name) for thing in self.collector.plan(keep or Keep(recent=1)).going}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_an_output_of_no_run_goes_with_its_bytes(shop: Shop) -> None:
    key, young = shop.output("a", size=5000), shop.output("b", days=1)
    plan = shop.collector.plan()
    assert [(thing.kind, thing.name) for thing in plan.going] == [("output", key)]
    assert plan.size >= 5000
    assert plan.staying["young"][0] == 1
    assert (shop.home.outputs / key).exists(), "a plan changes nothing"
    freed = shop.collector.sweep(plan)
    assert freed.removed == {"output": (1, plan.size)}
    assert sorted(os.listdir(shop.home.outputs)) == [young]
    assert not (shop.home.root / "trash").exists()


def test_the_newest_run_of_a_pipeline_keeps_its_outputs_and_older_ones_do_not(shop: Shop) -> None:
    new, old = shop.output("new"), shop.output("old")
    shop.run("older", "Succeeded", old, days=90)
    shop.run("newer", "Failed", new, days=80)
    assert shop.going() == {("output", old)}
    assert shop.going(Keep(recent=2)) == set()


def test_a_pinned_run_keeps_its_outputs(shop: Shop) -> None:
    key = shop.output("pinned")
    shop.run("pinned", "Succeeded", key, days=99, **{PIN: "true"})
    shop.run("newer", "Succeeded", days=80)
    assert shop.going() == set()


def test_a_run_under_way_keeps_what_its_steps_may_ask_for(shop: Shop) -> None:
    shop.output("a", step="read")
    other = shop.output("b", step="unheard-of")
    picture = shop.picture(b"1")
    shop.run("going", "Running")
    with engine_of(shop.home):
        assert shop.going() == {("output", other)}
        assert any("going has ended" in note for note in shop.collector.plan().notes)
        shop.collector.sweep(shop.collector.plan())
    assert (shop.home.cache / "pictures" / picture[:2] / picture).exists()


def test_a_run_that_nobody_runs_keeps_only_what_it_has_made_already(shop: Shop) -> None:
    """It was left by a kill, say. Whoever takes it up looks for everything anew."""
    made, other, picture = shop.output("made"), shop.output("other"), shop.picture(b"1")
    shop.run("left", "Running", made)
    plan = shop.collector.plan()
    assert shop.going() == {("output", other), ("picture", picture)}
    with engine_of(shop.home):
        assert shop.collector.sweep(plan).removed == {}
    assert set(shop.collector.sweep(plan).removed) == {"output", "picture"}
    assert os.listdir(shop.home.outputs) == [made]


def test_what_a_dead_engine_sealed_is_left_for_the_next_one(shop: Shop) -> None:
    folder = shop.home.staging / "attempt"
    (folder / "read").mkdir(parents=True)
    (folder / "read" / "manifest.json").write_text("{}")
    shop.age(folder, 20)
    assert shop.going() == set()
    shop.age(folder, 40)
    assert shop.going() == {("sealed", "attempt")}


def test_the_output_that_a_named_version_was_made_of_stays(shop: Shop, tmp_path: Path) -> None:
    key = shop.output("published")
    made = shop.repository.publish("photos", shop.home.outputs / key / "out", lineage={"key": key})
    assert shop.going() == {("output", key)}
    shop.repository.move_alias("photos", "stable", made.version)
    assert shop.going() == set()


def test_pictures_stay_that_a_kept_output_or_a_served_version_speaks_of(shop: Shop) -> None:
    kept, served, lost = (shop.picture(content) for content in (b"kept", b"served", b"lost"))
    shop.speak_of(shop.home.outputs / ("a" * 64) / "out", kept)
    shop.speak_of(shop.home.models / "photos" / "3", served, column="picture")
    shop.age(shop.home.models / "photos" / "3")
    (shop.home.documents / "photos-load.json").write_text('{"load": [{"model": "photos", "version": 3}]}')
    assert shop.going() == {("picture", lost)}
    (shop.home.documents / "photos-load.json").unlink()
    assert shop.going() == {("picture", lost), ("picture", served), ("mount", "photos/3")}


def test_a_table_that_cannot_be_read_lets_no_picture_go(shop: Shop) -> None:
    shop.picture(b"1")
    folder = shop.home.outputs / ("a" * 64) / "out"
    folder.mkdir(parents=True)
    (folder / "rows.arrow").write_bytes(b"damaged")
    assert shop.going() == set()


def test_features_go_with_the_last_output_that_names_their_extractor(shop: Shop) -> None:
    for name in ("e1", "e2"):
        folder = shop.home.cache / "features" / name
        folder.mkdir(parents=True)
        (folder / "segment-1.arrow").write_bytes(b"x" * 10)
        shop.age(folder)
    out = shop.home.outputs / ("a" * 64) / "out" / "part-00000"
    out.mkdir(parents=True)
    (out / "extractor.json").write_text('{"digest": "sha256:e1", "name": "n"}')
    assert shop.going() == {("features", "e2")}


def test_rows_of_the_item_caches_go_with_the_pictures_that_they_are_of(shop: Shop) -> None:
    kept, gone = shop.picture(b"kept"), shop.picture(b"gone")
    extractor = shop.home.cache / "features" / ("e" * 64)
    for folder in (shop.home.cache / "picture-facts", extractor, extractor / "refused"):
        with SegmentWriter(folder, pa.schema([("digest", DIGEST)])) as writer:
            for digest in (kept, gone):
                writer.add(digest=bytes.fromhex(digest))
    key = shop.output("features")
    shop.run("r", "Succeeded", key)
    shop.speak_of(shop.home.outputs / key / "table", kept)
    plan = shop.collector.plan(Keep(recent=1))
    assert plan.by_kind()["row"][0] == 3
    freed = shop.collector.sweep(plan)
    assert freed.removed["picture"][0] == 1
    assert freed.removed["row"][0] == 3
    for folder in (shop.home.cache / "picture-facts", extractor, extractor / "refused"):
        assert [row["digest"].hex() for path in segment_files(folder) for row in read_table(path).to_pylist()] == [kept]
    assert "row" not in shop.collector.sweep(shop.collector.plan(Keep(recent=1))).removed


def test_rows_stay_while_somebody_runs_steps(shop: Shop) -> None:
    facts = shop.home.cache / "picture-facts"
    with SegmentWriter(facts, pa.schema([("digest", DIGEST)])) as writer:
        writer.add(digest=bytes(32))
    with engine_of(shop.home):
        assert "row" not in shop.collector.sweep(shop.collector.plan()).removed
    assert len(segment_files(facts)) == 1


def test_staging_that_a_process_holds_stays(shop: Shop) -> None:
    for name in ("held", "left"):
        folder = shop.home.staging / name
        folder.mkdir()
        (folder / "lock").write_bytes(b"")
        shop.age(folder)
    with (shop.home.staging / "held" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert shop.going() == {("staging", "left")}


def test_what_comes_into_use_after_the_plan_is_spared(shop: Shop) -> None:
    used, unused = shop.output("used"), shop.output("unused", step="other")
    plan = shop.collector.plan()
    assert len(plan.going) == 2
    shop.run("new", "Running")
    with engine_of(shop.home):
        freed = shop.collector.sweep(plan)
    assert (freed.spared, freed.removed["output"][0]) == (1, 1)
    assert os.listdir(shop.home.outputs) == [used]
    assert unused != used


def test_an_output_that_was_made_anew_after_the_plan_is_spared(shop: Shop) -> None:
    key = shop.output("a")
    plan = shop.collector.plan()
    os.utime(shop.home.outputs / key)
    assert shop.collector.sweep(plan).spared == 1
    assert (shop.home.outputs / key / "out" / "data").exists()


def test_what_a_killed_collector_left_is_finished(shop: Shop) -> None:
    left = shop.home.root / "trash" / "output-1" / "out"
    left.mkdir(parents=True)
    left.chmod(0o555)
    shop.output("a")
    shop.collector.sweep(shop.collector.plan())
    assert not (shop.home.root / "trash").exists()


def test_logs_of_trainings_that_are_gone_go(shop: Shop) -> None:
    for name in ("there", "gone"):
        (shop.home.logs / name).mkdir()
        (shop.home.logs / name / "read.log").write_text("x")
        shop.age(shop.home.logs / name)
    shop.run("there", "Succeeded")
    assert shop.going() == {("log", "gone")}


def test_sweeping_nothing_does_nothing(shop: Shop) -> None:
    before = shop.resources.changes()
    assert shop.collector.sweep(shop.collector.plan()).removed == {}
    assert shop.resources.changes() == before


def test_a_sweep_ends_though_somebody_writes_all_the_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    key = shop.output("a")
    plan = shop.collector.plan()
    looked = shop.collector.looked_again
    other = SqliteResources(shop.home.database, SystemClock())

    def look_and_be_disturbed(plan: Plan, idle: bool) -> tuple[int, References]:
        found = looked(plan, idle)
        if not shop.resources.database.in_transaction:
            other.create(Training(metadata=Metadata(name=f"t{other.changes()}"), spec=TrainingSpec(pipeline=PIPELINE)))
        return found

    monkeypatch.setattr(shop.collector, "looked_again", look_and_be_disturbed)
    with engine_of(shop.home):
        freed = shop.collector.sweep(plan)
    other.close()
    assert freed.spared == 1, "the Trainings that came are under way, and have a step that may ask for it"
    assert (shop.home.outputs / key).exists()


def test_a_download_stays_as_long_as_the_mount_that_points_to_it(shop: Shop) -> None:
    download = shop.home.cache / "models" / "photos" / "1"
    download.mkdir(parents=True)
    (download / "index.faiss").write_bytes(b"x" * 100)
    shop.age(download)
    mount = shop.home.models / "photos" / "1"
    mount.parent.mkdir()
    mount.symlink_to(download, target_is_directory=True)
    assert shop.going() == set()
    shop.age(mount)
    os.utime(mount, (0, 0), follow_symlinks=False)
    assert shop.going() == {("mount", "photos/1"), ("download", "photos/1")}
    shop.collector.sweep(shop.collector.plan())
    assert not mount.is_symlink()
    assert not download.exists()


def test_an_attempt_that_is_just_being_made_is_never_rubbish(shop: Shop) -> None:
    (shop.home.staging / "new").mkdir()
    assert shop.going(Keep(age=timedelta(0), rubbish=timedelta(0))) == set()


def test_of_two_collectors_one_sweeps_and_the_other_says_who(shop: Shop) -> None:
    shop.output("old")
    plan = shop.collector.plan()
    with Lock(shop.home.locks / "gc", "lykeion gc"), pytest.raises(Unavailable, match=r"gc: held by lykeion gc \(process \d+\)"):
        shop.collector.sweep(plan)
    assert shop.collector.sweep(plan).removed["output"][0] == 1
