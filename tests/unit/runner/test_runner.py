"""The runner by itself: what it calls, what it writes, what it makes of an exception."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.volume.seal import seal as seal_volume
from lykeion.components import runner
from lykeion.components.runner import FAILED, SUCCEEDED, PartitionStep
from lykeion.core.pipelines.contract import StepFile

SOURCE = """
from lykeion import component, Input, Output, Step

@component
def good(out: Output, step: Step, *, n: int = 1):
    (out.path / "n").write_text(str(n))
    step.metric("n", n)
    step.result["n"] = n

@component
def quiet():
    pass

@component
def sneaky():
    __import__("hidden")
    import colorsys

@component
def bad(out: Output):
    deeper()

def deeper():
    raise KeyError("price")

@component(partitions=4)
def split(out: Output, step: Step):
    (out.path / "n").write_text(str(step.partition))
    step.progress(step.partition + 1, step.partition + 1, "items")
"""


@pytest.fixture
def file(tmp_path: Path):
    (tmp_path / "mine.py").write_text(SOURCE)

    def make(function: str, **given) -> StepFile:
        staging = tmp_path / "staging"
        staging.mkdir(exist_ok=True)
        fields = {"outputs": ("out",), "closure": ("mine.py",), **given}
        return StepFile("s", f"{tmp_path}/mine.py:{function}", "k" * 64, folder=str(tmp_path), staging=str(staging), **fields)

    return make


@pytest.fixture
def sealed() -> list[tuple[str, int | None]]:
    return []


@pytest.fixture
def seal(sealed):
    return lambda folder, step, partition: sealed.append((Path(folder).name, partition))


def test_a_good_step_is_sealed_once_with_its_result_beside(file, seal, sealed):
    given = file("good", parameters={"n": 7})
    assert runner.run(given, seal) == SUCCEEDED
    assert sealed == [("staging", None)]
    said = json.loads((Path(given.staging) / "result.json").read_text())
    assert said == {"metrics": {"n": 7.0}, "result": {"n": 7}, "uncached": ""}


def test_a_step_that_says_nothing_of_its_outputs_writes_no_result(file, seal, sealed):
    given = file("quiet")
    assert runner.run(given, seal) == SUCCEEDED
    assert sealed == [("staging", None)]
    assert not (Path(given.staging) / "result.json").exists()


def test_a_step_without_outputs_always_writes_its_result(file, seal):
    given = file("quiet", outputs=())
    assert runner.run(given, seal) == SUCCEEDED
    assert json.loads((Path(given.staging) / "result.json").read_text()) == {"metrics": {}, "result": {}, "uncached": ""}


def test_an_import_that_no_key_covers_is_found_though_other_modules_came_after_it(file, seal, tmp_path):
    (tmp_path / "hidden.py").write_text("X = 1\n")
    given = file("sneaky")
    assert runner.run(given, seal) == SUCCEEDED
    assert "it imported hidden.py" in json.loads((Path(given.staging) / "result.json").read_text())["uncached"]


def test_a_step_that_has_its_partitions_seals_each(file, seal, sealed):
    given = file("split", partitions=(1, 3), partition_count=4)
    assert runner.run(given, seal) == SUCCEEDED
    assert sealed == [("part-00001", 1), ("part-00003", 3)]
    assert json.loads((Path(given.staging) / "progress.json").read_text()) == {"done": 6, "total": 6, "unit": "items"}


def test_a_component_that_is_partitioned_has_all_partitions_where_nothing_else_is_said(file, seal, sealed):
    assert runner.run(file("split"), seal) == SUCCEEDED
    assert [partition for _, partition in sealed] == [0, 1, 2, 3]


def test_an_exception_is_told_by_type_message_and_the_authors_frames(file, seal, sealed, capfd):
    given = file("bad")
    assert runner.run(given, seal) == FAILED
    said = json.loads((Path(given.staging) / "error.json").read_text())
    assert (said["type"], said["message"], said["retryable"]) == ("KeyError", "'price'", True)
    assert said["traceback"].count("File ") == 2
    assert "runner.py" not in said["traceback"]
    assert capfd.readouterr().err == said["traceback"]
    assert sealed == []


def test_what_a_component_says_on_purpose_is_told_without_a_traceback_and_not_tried_again(file, seal, tmp_path, capfd):
    given = file("bad")
    (tmp_path / "mine.py").write_text(
        "from lykeion import Output, component\nfrom lykeion.errors import Invalid\n\n\n"
        "@component\ndef bad(out: Output) -> None:\n    raise Invalid('the price of a is no number')\n"
    )
    assert runner.run(given, seal) == FAILED
    said = json.loads((Path(given.staging) / "error.json").read_text())
    assert (said["type"], said["message"], said["retryable"]) == ("Invalid", "the price of a is no number", False)
    assert capfd.readouterr().err == "the price of a is no number\n"


@pytest.mark.parametrize(("kind", "again"), [("Refused", False), ("Unavailable", True)])
def test_a_store_that_says_no_is_not_worth_another_try_and_one_that_does_not_answer_is(file, seal, tmp_path, kind, again):
    (tmp_path / "mine.py").write_text(
        f"from lykeion import component\nfrom lykeion.errors import {kind}\n@component\ndef go():\n    raise {kind}('access is denied')\n"
    )
    assert runner.run(file("go", outputs=()), seal) == FAILED
    told = json.loads((tmp_path / "staging" / "error.json").read_text())
    assert (told["type"], told["message"], told["retryable"]) == (kind, "access is denied", again)


def test_what_no_output_can_hold_is_told_in_a_sentence(file, tmp_path, capfd):
    (tmp_path / "mine.py").write_text(
        "from lykeion import component, Output\n@component\ndef go(out: Output):\n    (out.path / 'l').symlink_to('x')\n"
    )
    assert runner.run(file("go"), lambda folder, step, partition: seal_volume(folder, step, 0.0, partition)) == FAILED
    told = json.loads((tmp_path / "staging" / "error.json").read_text())
    assert told["message"].startswith("an output of step s cannot be kept: l is not a regular file: an output holds files and folders only")
    assert (told["type"], told["retryable"]) == ("Invalid", False)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("where", "told"), [("in", "an input is read-only: write to an output, or to a copy"), ("out", "copy_function=shutil")]
)
def test_writing_to_what_is_read_only_is_told_with_the_way_out(file, seal, tmp_path, where, told):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    (tmp_path / "in" / "a").chmod(0o444)
    (tmp_path / "mine.py").write_text(
        "import shutil\nfrom lykeion import component, Input, Output\n@component\ndef go(given: Input, out: Output):\n"
        "    shutil.copytree(given.path, out.path / 'copy')\n"
        f"    path = (given.path if {where!r} == 'in' else out.path / 'copy') / 'a'\n"
        "    if path.stat().st_mode & 0o222 == 0: raise PermissionError(13, 'Permission denied', str(path))\n"
    )
    assert runner.run(file("go", inputs={"given": str(tmp_path / "in")}), seal) == FAILED
    assert told in json.loads((tmp_path / "staging" / "error.json").read_text())["message"]


def test_a_missing_package_is_not_worth_another_try(file, seal, tmp_path):
    given = file("bad")
    (tmp_path / "mine.py").write_text("import no_such_thing_at_all\n")
    assert runner.run(given, seal) == FAILED
    said = json.loads((Path(given.staging) / "error.json").read_text())
    assert not said["retryable"]
    assert "install no_such_thing_at_all" in said["message"]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8))
def test_progress_over_partitions_only_grows_and_ends_with_the_sum(tmp_path_factory, sizes):
    staging = tmp_path_factory.mktemp("staging")
    said, before = [], 0
    for number, size in enumerate(sizes):
        step = PartitionStep("s", staging=staging, number=number, share=len(sizes), before=before)
        for done in range(size):
            step.progress(done + 1, size, "items")
            said.append(json.loads((staging / "progress.json").read_text()))
        before += step.total
    assert [each["done"] for each in said] == list(range(1, sum(sizes) + 1))
    assert all(each["done"] <= each["total"] for each in said)
    if sizes[-1]:
        assert said[-1]["total"] == sum(sizes)
