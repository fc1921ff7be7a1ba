"""Tasks on one machine: what a step gets, what it leaves, and what its end means."""

import os
import signal
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.adapters.local import tasks as module
from lykeion.adapters.local.memory import makeable
from lykeion.adapters.volume.outputs import DirectoryOutputs
from lykeion.core.masking import MASK
from lykeion.core.pipelines.contract import StepFile
from lykeion.core.values import Ref, Task
from lykeion.errors import NotFound, Unavailable

from .conftest import OWNER, descriptors, key_of, task_of


def read(engine, name: str, file: str = "a.txt") -> str:
    return (engine.tasks.outputs.path(key_of(name), "out") / file).read_text()


def test_a_step_that_ends_well_is_published_under_its_key(engine):
    (child,) = engine.run(task_of("make", text="hi"))
    assert (child.phase, child.reason, child.message) == ("Succeeded", "", "")
    assert child.results["make"] == engine.tasks.outputs.find(key_of("make"))
    assert read(engine, "make") == "hi"
    assert child.started <= child.finished
    assert child.cpu > 0
    assert list((engine.home / "staging").iterdir()) == []


def test_a_step_reads_what_another_left_and_knows_its_digest(engine):
    (made,) = engine.run(task_of("make"))
    digest = made.results["make"].outputs["out"]
    (child,) = engine.run(task_of("copy", inputs={"source": f"outputs/{key_of('make')}/out"}, digests={"source": digest}))
    assert child.phase == "Succeeded"
    assert read(engine, "copy") == f"hello{digest}"


def test_an_input_that_is_not_wired_is_none(engine):
    (child,) = engine.run(task_of("without_optional"))
    assert child.phase == "Succeeded"


def test_a_step_without_outputs_publishes_nothing_and_says_what_it_found(engine, monkeypatch):
    (child,) = engine.run(task_of("tell", outputs=(), env={"WHO": "me"}))
    result = child.results["tell"]
    assert (result.outputs, result.metrics, result.result["attempt"]) == ({}, {"rows": 3.0}, 1)
    assert list(engine.tasks.outputs.keys()) == []


def test_a_step_has_its_environment_and_one_thread_for_openmp(engine):
    (child,) = engine.run(task_of("tell", outputs=(), env={"WHO": "me"}))
    found = child.results["tell"].result["environment"]
    assert found == {"WHO": "me", "PASSWORD": None, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": None}


def test_a_window_reaches_the_component(engine):
    task = task_of("windowed")
    windowed = replace(task.steps[0], window=("2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"))
    engine.run(replace(task, steps=(windowed,)))
    assert read(engine, "windowed", "window") == "2026-01-01 2026-02-01"


def test_several_steps_share_one_worker_and_each_is_published(engine):
    tasks = [task_of("make", name="one", text="1"), task_of("make", name="two", text="2")]
    fused = replace(tasks[0], name="monthly.both.1", steps=(*tasks[0].steps, *tasks[1].steps))
    (child,) = engine.run(fused)
    assert set(child.results) == {"one", "two"}
    assert (read(engine, "one"), read(engine, "two")) == ("1", "2")


def test_what_was_sealed_before_a_later_step_failed_is_kept(engine):
    tasks = [task_of("make", name="one"), task_of("fail")]
    (child,) = engine.run(replace(tasks[0], name="monthly.both.1", steps=(*tasks[0].steps, *tasks[1].steps)))
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert set(child.results) == {"one"}
    assert engine.tasks.outputs.find(key_of("one")) is not None


def test_a_fingerprint_is_asked_for_without_running_the_component(engine):
    (child,) = engine.run(task_of("watched", mode="fingerprint", table="items"))
    assert child.results["watched"].result == {"fingerprint": "items@7"}
    assert engine.tasks.outputs.find(key_of("watched")) is None


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (task_of("fail"), "ValueError: the price is negative"),
        (task_of("leave", code=3), "SystemExit: the component called sys.exit(3)"),
        (task_of("need_a_package"), "install no_such_package beside lykeion"),
        (task_of("odd_result"), "step.result holds a object"),
        (task_of("link"), "link is not a regular file"),
        (task_of("remove_output"), "the folder of the output out is gone"),
        (task_of("odd_name"), "is not UTF-8: give the file another one"),
        (task_of("badly_watched", mode="fingerprint"), "is int, not str"),
        (task_of("make", mode="fingerprint"), "has no fingerprint"),
        (task_of("not_a_component"), "is not a component: write @component above it"),
        (task_of("nowhere"), "has no 'nowhere'"),
        (task_of("die", code=7), "exit code 7 and said nothing"),
        (task_of("die", code=0), "ended with exit code 0"),
        (task_of("write_late"), "changed after the component had returned"),
    ],
    ids=lambda given: given.steps[0].step + given.steps[0].mode if hasattr(given, "steps") else "",
)
def test_every_way_to_fail_says_what_is_wrong(engine, task, message):
    (child,) = engine.run(task)
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert message in child.message
    assert engine.tasks.outputs.find(task.steps[0].key) is None


def test_leaving_early_without_a_complaint_is_no_failure(engine):
    (child,) = engine.run(task_of("leave", code=0))
    assert child.phase == "Succeeded"


def test_a_full_disk_is_told_from_other_errors(engine):
    (child,) = engine.run(task_of("fill"))
    assert child.reason == "DiskFull"
    assert "lykeion gc" in child.message


def test_a_step_that_something_killed_says_so(engine):
    (child,) = engine.run(task_of("die", number=signal.SIGSEGV))
    assert (child.reason, child.message) == ("Killed", "something outside Lykeion ended it with SIGSEGV")


def test_the_log_has_what_the_step_printed_and_a_traceback_of_the_authors_frames_alone(engine):
    (child,) = engine.run(task_of("fail"))
    log = engine.log("fail")
    assert log.startswith("about to fail\nTraceback")
    assert log.count("File ") == 1
    assert "components_under_test.py" in log
    assert child.log_tail == log.rstrip("\n")


def test_a_log_tail_is_short(engine):
    (child,) = engine.run(task_of("talk"))
    assert len(child.log_tail) <= 2048
    assert child.log_tail.count("\n") < 20
    assert child.log_tail.endswith("RuntimeError: enough")


def test_a_good_step_has_no_log_tail(engine):
    assert engine.run(task_of("make"))[0].log_tail == ""


def test_an_import_that_the_key_does_not_cover_voids_the_cache_with_the_reason(engine):
    (child,) = engine.run(task_of("hidden_import"))
    assert child.phase == "Succeeded"
    assert "hidden_helper.py" in child.results["hidden_import"].uncached
    assert engine.tasks.outputs.find(key_of("hidden_import")).uncached


def test_a_covered_import_does_not(engine):
    task = task_of("hidden_import")
    covered = replace(task.steps[0], closure=(*task.steps[0].closure, "hidden_helper.py"))
    (child,) = engine.run(replace(task, steps=(covered,)))
    assert child.results["hidden_import"].uncached == ""


# -- partitions


def test_partitions_are_shared_by_workers_and_the_digest_does_not_depend_on_how_many(make_engine, home):
    digests = set()
    for workers in (1, 3, 20):
        engine = make_engine()
        (child,) = engine.run(task_of("split", name="split", partitions=8, parallelism=workers))
        assert child.phase == "Succeeded"
        assert child.results["split"].metrics == {"parts": 8.0}
        assert read(engine, "split", "part-00005/mine.txt") == "5 of 8"
        digests.add(child.results["split"].outputs["out"])
        assert (child.done, child.total, child.unit) == (8, 8, "partitions")
        pids = {line.split()[-1] for line in engine.log("split").splitlines()}
        assert len(pids) == min(workers, 8)
        engine.tasks.outputs.delete(key_of("split"))
        (home / "logs" / OWNER.name / "split.log").unlink()
        engine.tasks.close()
    assert len(digests) == 1


def test_partitions_that_are_done_are_not_done_again(engine):
    task = task_of("split", partitions=8, fails_at=5)
    (child,) = engine.run(task)
    assert (child.phase, child.message) == ("Failed", "ValueError: partition 5 is bad")
    assert engine.tasks.outputs.find(key_of("split")) is None
    before = engine.log("split").count("did ")
    assert before == 5
    again = replace(task, name="monthly.split.2", steps=(replace(task.steps[0], parameters={}),))
    (child,) = engine.run(again)
    assert child.phase == "Succeeded"
    assert engine.log("split").count("did ") == 8


def test_when_all_partitions_are_there_nothing_runs(engine):
    task = task_of("split", partitions=8, parallelism=2)
    halves = [replace(task.steps[0], partitions=half, partition_count=8) for half in ((0, 1, 2, 3), (4, 5, 6, 7))]
    (first,) = engine.run(replace(task, name="monthly.split.1", steps=(halves[0],)))
    assert first.phase == "Failed"  # its share is there, the whole is not
    (second,) = engine.run(replace(task, name="monthly.split.2", steps=(halves[1],)))
    assert second.phase == "Succeeded"
    assert engine.log("split").count("did ") == 8


def test_one_bad_partition_ends_the_other_workers(engine):
    (child,) = engine.run(task_of("split", partitions=8, parallelism=2, fails_at=0, seconds=0.2))
    assert child.reason == "Error"
    assert engine.log("split").count("did ") < 7


def test_progress_in_items_adds_up_over_partitions_and_workers(engine):
    (child,) = engine.run(task_of("counted", partitions=4, parallelism=2))
    assert (child.done, child.total, child.unit) == (40, 40, "items")


# -- time, cancellation, memory


def test_a_step_past_its_time_limit_is_stopped_with_all_that_it_started(engine):
    (child,) = engine.run(task_of("hang_badly", timeout=0.5))
    assert (child.reason, child.message) == ("TimedOut", "it was stopped after 0.5 s, its time limit")
    assert len(engine.running()) == 1  # the parent
    assert engine.daemons() == []
    assert "time limit" in child.log_tail


def test_cancelling_leaves_nothing_behind(engine):
    task = task_of("hang_badly")
    engine.tasks.start(task)
    engine.until(lambda: len(engine.daemons()) == 1)
    engine.tasks.cancel(task.name)
    engine.tasks.cancel(task.name)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")
    assert engine.children()[task.name].reason == "Cancelled"
    assert len(engine.running()) == 1
    assert engine.daemons() == []
    assert list((engine.home / "staging").iterdir()) == []


def test_a_step_that_is_cancelled_before_its_parent_has_imported_is_stopped(engine):
    task = task_of("hang_badly")
    engine.tasks.start(task)
    assert engine.children()[task.name].phase == "Pending"  # the parent has only just been started
    engine.tasks.cancel(task.name)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")
    assert engine.children()[task.name].reason == "Cancelled"
    assert engine.daemons() == []


def test_a_step_of_a_warm_parent_runs_from_when_it_is_asked_for(engine):
    engine.run(task_of("make"))
    task = task_of("hang_badly")
    engine.tasks.start(task)
    child = engine.children()[task.name]
    assert child.phase == "Running"
    assert child.started is not None
    engine.tasks.cancel(task.name)
    engine.until(lambda: engine.children()[task.name].phase == "Failed")


def test_cancelling_one_step_leaves_its_neighbour_alone(engine):
    neighbours = [task_of("hang_badly", name=name) for name in ("one", "two")]
    for task in neighbours:
        engine.tasks.start(task)
    engine.until(lambda: len(engine.daemons()) == 2)
    engine.tasks.cancel("monthly.one.1")
    engine.until(lambda: engine.children()["monthly.one.1"].phase == "Failed")
    assert engine.children()["monthly.two.1"].phase == "Running"
    engine.tasks.cancel("monthly.two.1")
    engine.until(lambda: engine.children()["monthly.two.1"].phase == "Failed")
    assert engine.daemons() == []


def test_a_daemon_does_not_outlive_its_step(engine):
    (child,) = engine.run(task_of("leave_a_daemon"))
    assert child.phase == "Succeeded"
    assert engine.daemons() == []


def test_a_deleted_task_is_forgotten_when_it_is_gone(engine):
    task = task_of("hang")
    engine.tasks.start(task)
    engine.until(lambda: engine.children()[task.name].phase == "Running")
    engine.tasks.delete(task.name)
    engine.until(lambda: not engine.children())
    engine.tasks.delete(task.name)
    assert len(engine.running()) == 1


def test_a_task_is_started_once_by_its_name(engine):
    task = task_of("make")
    engine.tasks.start(task)
    engine.run(task)
    engine.tasks.start(task)
    assert engine.children()[task.name].phase == "Succeeded"


def test_tasks_are_told_to_their_owner_alone(engine):
    engine.run(task_of("make"))
    assert engine.tasks.observe(Ref("Training", "another")) == {}


def test_tasks_beyond_the_slots_wait_their_turn(make_engine):
    engine = make_engine(slots=1)
    for name in ("one", "two", "three"):
        engine.tasks.start(task_of("make", name=name, seconds=0.1))
    engine.until(lambda: engine.children()["monthly.one.1"].phase == "Running")
    assert [child.phase for child in engine.children().values()] == ["Running", "Pending", "Pending"]
    engine.tasks.cancel("monthly.two.1")
    assert engine.children()["monthly.two.1"].reason == "Cancelled"
    engine.until(lambda: all(child.phase in ("Succeeded", "Failed") for child in engine.children().values()))
    assert [child.phase for child in engine.children().values()] == ["Succeeded", "Failed", "Succeeded"]


@pytest.mark.parametrize("with_groups", [True, False])
def test_memory_is_limited(engine, with_groups):
    if with_groups and not any(makeable(place) for place in engine.tasks._groups.places):
        pytest.skip("this user may not make memory cgroups")
    if not with_groups:
        engine.tasks._groups.places = ()
    (child,) = engine.run(task_of("eat", memory=200 << 20))
    assert (child.phase, child.reason) == ("Failed", "OutOfMemory")
    assert "resources.memory" in child.message
    (child,) = engine.run(task_of("eat", name="less", memory=200 << 20, megabytes=50))
    assert child.phase == "Succeeded"


def test_no_memory_group_is_left(make_engine):
    engine = make_engine()
    engine.run(task_of("make", memory=200 << 20))
    places = engine.tasks._groups.places
    engine.tasks.close()
    assert not any(place.exists() for place in places)


# -- parents, descriptors, secrets


def test_a_step_has_no_descriptor_of_another_but_its_own_lock(engine):
    tasks = [task_of("descriptors", name=f"d{number}", outputs=()) for number in range(6)]
    for child in engine.run(*tasks):
        (lock,) = (path for result in child.results.values() for path in result.result["open"] if not path.startswith("/proc"))
        assert lock == str(engine.home / "staging" / Path(lock).parent.name / "lock")
        assert Path(lock).parent.name.startswith(child.name)


def test_a_hundred_steps_leak_no_descriptor(engine):
    engine.run(task_of("make", name="first"))
    before = descriptors()
    engine.run(*(task_of("make", name=f"s{number}") for number in range(100)))
    assert descriptors() == before


def test_imports_are_there_before_the_step_and_random_numbers_are_its_own(engine):
    children = engine.run(*(task_of("draw", name=f"d{number}", outputs=(), imports=("numpy",)) for number in range(3)))
    assert {child.phase for child in children} == {"Succeeded"}
    numbers = {result.result["number"] for child in children for result in child.results.values()}
    assert len(numbers) == 3


def test_a_package_that_is_missing_fails_the_step_that_needs_it_and_no_other(engine):
    needs, other = engine.run(task_of("need_a_package", imports=("no_such_package",)), task_of("make", imports=("no_such_package",)))
    assert needs.message.startswith("ModuleNotFoundError: No module named 'no_such_package'")
    assert other.phase == "Succeeded"


def test_a_package_whose_import_breaks_the_parent_fails_the_task_with_its_last_words(engine, tmp_path, monkeypatch):
    (tmp_path / "breaks_it.py").write_text("raise RuntimeError('no such instruction')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (child,) = engine.run(task_of("make", imports=("breaks_it",)))
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert child.message == "importing breaks_it ended the process: RuntimeError: no such instruction"


def test_only_a_few_parents_live_at_a_time(engine):
    for number, package in enumerate(["colorsys", "wave", "sndhdr", "chunk", "cmd"]):
        engine.run(task_of("make", name=f"p{number}", imports=(package,)))
        assert len(engine.running()) <= 3
    assert len([parent for parent in engine.tasks._parents.alive.values() if parent.imports]) == 3


def test_an_idle_parent_goes_and_the_light_one_stays(engine):
    engine.run(task_of("make", name="one", imports=("wave",)), task_of("make", name="two"))
    engine.tasks._parents.end_idle(0.0)
    assert list(engine.tasks._parents.alive) == [()]
    assert engine.run(task_of("make", name="three", imports=("wave",)))[0].phase == "Succeeded"


def test_secrets_reach_the_step_alone(make_engine, home):
    engine = make_engine(secrets=lambda name, key: f"{name}-{key}-opensesame")
    (child,) = engine.run(task_of("tell", outputs=(), secrets={"PASSWORD": "db.password"}))
    assert child.results["tell"].result["environment"]["PASSWORD"] == MASK  # it was there, and is not shown
    engine.tasks.start(task_of("hang", secrets={"PASSWORD": "db.password"}))
    engine.until(lambda: engine.children()["monthly.hang.1"].phase == "Running")
    assert [path for path in home.rglob("*") if path.is_file() and b"opensesame" in path.read_bytes()] == []


def test_a_secret_that_is_not_there_fails_the_task_with_the_reason(engine):
    (child,) = engine.run(task_of("make", secrets={"PASSWORD": "db.password"}))
    assert (child.phase, child.reason) == ("Failed", "Error")
    assert "there is no secret db.password" in child.message


def test_an_image_step_is_refused_with_the_reason_where_nothing_runs_images(engine):
    (child,) = engine.run(task_of("make", image="alpine"))
    assert "without anything that runs images" in child.message


# -- the volume under a step


def test_what_a_step_made_of_an_input_that_changed_meanwhile_is_dropped(engine):
    (made,) = engine.run(task_of("make"))
    digest = made.results["make"].outputs["out"]
    (child,) = engine.run(task_of("tamper", inputs={"source": f"outputs/{key_of('make')}/out"}, digests={"source": digest}))
    assert child.phase == "Failed"
    assert "its input source was changed or replaced" in child.message
    assert engine.tasks.outputs.find(key_of("tamper")) is None
    assert DirectoryOutputs(engine.home).find(key_of("make")) is None


def test_a_full_volume_delays_but_loses_nothing(engine, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    room = os.statvfs(engine.home)
    with monkeypatch.context() as patch:
        patch.setattr(module, "RESERVE", room.f_bavail * room.f_frsize * 2)
        engine.tasks.start(task_of("make"))
        engine.tasks.wait(0.1)
        child = engine.children()["monthly.make.1"]
        assert (child.phase, child.reason) == ("Pending", "DiskFull")
    engine.until(lambda: engine.children()["monthly.make.1"].phase == "Succeeded")


def finds_no_room(engine, monkeypatch):
    """Start a task, and wait until its outputs find no room; returns what makes some."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    publish = engine.tasks.outputs.publish

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.tasks.outputs, "publish", full)
    engine.tasks.start(task_of("make"))
    engine.until(lambda: engine.children()["monthly.make.1"].reason == "DiskFull")
    return lambda: monkeypatch.setattr(engine.tasks.outputs, "publish", publish)


def test_a_publication_that_finds_no_room_is_tried_again(engine, monkeypatch):
    room = finds_no_room(engine, monkeypatch)
    assert engine.children()["monthly.make.1"].phase == "Running"
    room()
    engine.until(lambda: engine.children()["monthly.make.1"].phase == "Succeeded")
    assert (engine.children()["monthly.make.1"].reason, read(engine, "make")) == ("", "hello")


def test_a_task_can_be_cancelled_while_its_outputs_wait_for_room(engine, monkeypatch):
    room = finds_no_room(engine, monkeypatch)
    engine.tasks.cancel("monthly.make.1")
    room()
    engine.until(lambda: engine.children()["monthly.make.1"].phase == "Failed")
    assert engine.children()["monthly.make.1"].reason == "Cancelled"
    assert engine.tasks.outputs.find(key_of("make")) is not None  # it was finished, and is kept


def test_a_parent_that_is_killed_fails_its_steps_as_lost_and_the_next_step_has_a_new_one(engine):
    engine.tasks.start(task_of("hang_badly"))
    engine.until(lambda: len(engine.daemons()) == 1)
    (parent,) = engine.tasks._parents.alive.values()
    os.kill(parent.process.pid, signal.SIGKILL)
    engine.until(lambda: engine.children()["monthly.hang_badly.1"].phase == "Failed")
    assert engine.children()["monthly.hang_badly.1"].reason == "Lost"
    for daemon in engine.daemons():  # a session of its own, no environment, and its adoptive parent is gone: nobody can know it
        os.kill(daemon, signal.SIGKILL)
    assert engine.running() == []
    assert engine.run(task_of("make"))[0].phase == "Succeeded"


def test_two_engines_cannot_have_one_home(engine, make_engine):
    with pytest.raises(Unavailable, match="tasks: held by"):
        make_engine()


def test_closing_leaves_nothing(make_engine):
    engine = make_engine()
    engine.tasks.start(task_of("hang_badly"))
    engine.until(lambda: len(engine.daemons()) == 1)
    engine.tasks.close()
    engine.tasks.close()
    assert engine.running() == []
    assert engine.daemons() == []


def test_no_secrets_without_a_place_for_them():
    with pytest.raises(NotFound):
        module.no_secrets("a", "b")


def test_a_source_that_was_edited_since_the_run_was_planned_is_not_run_under_the_old_key(engine, tmp_path):
    source = "from lykeion import component, Output\nimport helper\n@component\ndef f(out: Output): (out.path / 'x').write_text(helper.X)\n"
    files = {"mine.py": source, "helper.py": "X = 'planned'\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    sources = {name: sha256(text.encode()).hexdigest() for name, text in files.items()}
    step = StepFile(
        "f", f"{tmp_path}/mine.py:f", key_of("f"), folder=str(tmp_path), outputs=("out",), sources=sources, closure=tuple(files)
    )
    task = Task("monthly.f.1", OWNER, (step,))
    (child,) = engine.run(task)
    assert child.phase == "Succeeded"
    engine.tasks.outputs.delete(key_of("f"))
    (tmp_path / "helper.py").write_text("X = 'edited!'\n")
    (child,) = engine.run(replace(task, name="monthly.f.2"))
    assert child.phase == "Failed"
    assert "helper.py was changed since this run was planned" in child.message
    assert engine.tasks.outputs.find(key_of("f")) is None
