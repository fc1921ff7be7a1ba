"""What the end of a worker means, and the arithmetic of shares and progress."""

import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lykeion.adapters.local.jobs import DISK_FULL_CODE, Failure, publishes, shares, tail, together, verdict, volume_failed
from lykeion.core.pipelines.contract import StepFile

TIMED_OUT = Failure("TimedOut", "it was stopped after 1 s")


@given(st.lists(st.integers(0, 500), max_size=80, unique=True), st.integers(1, 100))
def test_every_partition_is_dealt_once_and_evenly(numbers, workers):
    dealt = shares(numbers, workers)
    assert sorted(number for share in dealt for number in share) == sorted(numbers)
    assert len(dealt) <= workers
    sizes = [len(share) for share in dealt]
    assert max(sizes) - min(sizes) <= 1
    assert not numbers or min(sizes) >= 1


workers = st.tuples(st.integers(1, 9), st.integers(0, 50), st.integers(0, 50), st.just("items")).map(
    lambda given: (given[0], min(given[1], given[2]), given[2], given[3])
)


@given(st.lists(workers, max_size=6), st.integers(0, 60))
def test_progress_never_runs_past_its_total_nor_backwards_of_what_is_done(reports, partitions):
    done, total, unit = together(reports, partitions)
    assert done == sum(report[1] for report in reports if report[2])
    assert done <= total
    assert unit in ("", "items")


@given(st.lists(workers.filter(lambda report: report[2] > 0), min_size=1, max_size=6))
def test_when_all_workers_have_spoken_the_total_is_their_sum(reports):
    assert together(reports, sum(report[0] for report in reports))[1] == sum(report[2] for report in reports)


def test_workers_that_have_not_spoken_count_by_their_share():
    assert together([(2, 5, 10, "items"), (2, 0, 0, "")], 6) == (5, 30, "items")


@pytest.mark.parametrize(
    ("code", "error", "ran_out", "doomed", "reason"),
    [
        (0, {}, False, None, None),
        (0, {}, True, None, None),
        (1, {"type": "ValueError", "message": "x"}, False, None, "Error"),
        (1, {"type": "MemoryError", "message": ""}, False, None, "OutOfMemory"),
        (-9, {}, True, None, "OutOfMemory"),
        (-9, {}, False, TIMED_OUT, "TimedOut"),
        (-9, {}, True, TIMED_OUT, "OutOfMemory"),
        (-9, {}, False, None, "Killed"),
        (None, {}, False, None, "Lost"),
        (None, {}, False, TIMED_OUT, "TimedOut"),
        (DISK_FULL_CODE, {}, False, None, "DiskFull"),
        (DISK_FULL_CODE, {"type": "OSError", "message": "full"}, False, None, "DiskFull"),
        (70, {}, False, None, "Error"),
    ],
)
def test_the_end_of_a_worker_has_one_reason(code, error, ran_out, doomed, reason):
    found = verdict(code, error, ran_out, doomed)
    assert (found and found.reason) == reason


def test_an_exception_without_a_message_is_told_by_its_name():
    assert verdict(1, {"type": "AssertionError", "message": ""}, False, None) == Failure("Error", "AssertionError")


@pytest.mark.parametrize(
    ("said", "hopeless"), [({}, False), ({"retryable": True}, False), ({"retryable": False}, True), ({"retryable": 0}, False)]
)
def test_what_says_that_it_need_not_be_tried_again_is_hopeless(said, hopeless):
    assert verdict(1, {"type": "Invalid", "message": "x", **said}, False, None) == Failure("Error", "x", hopeless)


def test_a_signal_is_told_by_its_name():
    found = verdict(-signal.SIGSEGV, {}, False, None)
    assert found is not None
    assert "SIGSEGV" in found.message


@pytest.mark.parametrize(("errno", "reason"), [(28, "DiskFull"), (122, "DiskFull"), (5, "VolumeFailed")])
def test_a_full_volume_is_told_from_a_broken_one(errno, reason):
    assert volume_failed(OSError(errno, "it says")).reason == reason


@given(st.text(st.characters(codec="utf-8"), max_size=5000))
def test_a_tail_is_the_end_of_the_log_and_short(tmp_path_factory, text):
    log = tmp_path_factory.mktemp("log") / "x.log"
    log.write_bytes(text.encode())
    found = tail(log)
    assert len(found.splitlines()) <= 20
    if len(text.encode()) <= 2048:
        assert found == "\n".join(text.splitlines()[-20:]) or "\r" in text


def test_a_log_that_is_not_there_has_no_tail(tmp_path: Path):
    assert tail(tmp_path / "none.log") == ""


def test_only_a_run_with_outputs_publishes():
    assert publishes(StepFile("s", "m:f", "k", outputs=("out",)))
    assert not publishes(StepFile("s", "m:f", "k"))
    assert not publishes(StepFile("s", "m:f", "k", outputs=("out",), mode="fingerprint"))
