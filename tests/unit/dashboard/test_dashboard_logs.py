"""Logs: the end first, bounded, then what is added."""

import asyncio
from pathlib import Path

import pytest
from dashboard_calls import Platform, call, run_in
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from lykeion.core.resources import StepStatus
from lykeion.dashboard.context import State
from lykeion.dashboard.logs import LARGEST_TAIL, after, last, tail_size
from lykeion.errors import Invalid

LOG = "/api/v1/trainings/p-1/logs/one"


def log_file(platform: Platform) -> Path:
    path = platform.home / "logs" / "p-1" / "one.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 250))
def test_the_end_of_a_log_starts_with_a_line(tmp_path_factory: pytest.TempPathFactory, data: bytes, tail: int) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(data)
    piece = last(path, tail)
    assert data.endswith(piece.data)
    assert piece.end == len(data)
    assert len(piece.data) <= tail
    assert piece.start == 0 or data[: piece.start].endswith(b"\n") or b"\n" not in data[len(data) - tail :]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_following_reads_every_byte_once(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    read, offset = b"", 0
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        found = after(path, offset)
        read, offset = read + found.data, found.end
    assert read == b"".join(pieces)


def test_a_log_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("first attempt\n")
    end = last(path, 100).end
    path.write_text("second\n")
    assert after(path, end).data == b"second\n"


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert last(tmp_path / "no", 10).data == b""
    assert after(tmp_path / "no", 5).end == 5


@pytest.mark.parametrize("given", ["-1", "x", "1.5", "", "9999999999", "٣"])
def test_a_tail_is_a_number_of_bytes(given: str) -> None:
    with pytest.raises(Invalid, match="tail"):
        tail_size(given)


def test_a_tail_has_a_bound() -> None:
    assert tail_size("999999999") == LARGEST_TAIL


def test_the_end_of_a_steps_log_is_answered(platform: Platform) -> None:
    platform.pipeline()
    platform.training(phase="Running")
    log_file(platform).write_text("".join(f"line {n}\n" for n in range(1000)))
    answer = platform.ask(f"{LOG}?tail=30")
    assert answer.body == b"line 997\nline 998\nline 999\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert int(answer.headers["lykeion-log-offset"]) == log_file(platform).stat().st_size - len(answer.body)


@pytest.mark.parametrize("path", ["p-1/logs/three", "nope/logs/one", "p-1/logs/..%2F..%2Fstate.db", "../logs/one"])
def test_only_logs_of_steps_are_read(platform: Platform, path: str) -> None:
    platform.pipeline()
    platform.training()
    assert platform.ask(f"/api/v1/trainings/{path}").status in (404, 422)


def test_a_log_is_followed_until_its_step_ends(platform: Platform) -> None:
    platform.pipeline()
    training = platform.training(phase="Running", steps=(StepStatus(name="one", phase="Running"),))
    path = log_file(platform)
    path.write_text("first\n")

    async def case(app: ASGIApp, _: State) -> None:
        seen = asyncio.Event()

        def look(body: bytes) -> bool:
            if b"first" in body:
                seen.set()
            return False

        following = asyncio.create_task(call(app, f"{LOG}?follow=1", stop=look))
        await asyncio.wait_for(seen.wait(), 5)
        with path.open("a") as file:
            file.write("second\n")
        platform.resources.write_status(training.model_copy(update={"status": training.status.model_copy(update={"phase": "Succeeded"})}))
        answer = await asyncio.wait_for(following, 5)
        assert answer.body == b"first\nsecond\n"

    run_in(platform, case)


def test_following_ends_with_the_process(platform: Platform) -> None:
    platform.pipeline()
    platform.training(phase="Running", steps=(StepStatus(name="one", phase="Running"),))
    log_file(platform).write_text("x\n")

    async def case(app: ASGIApp, state: State) -> None:
        following = asyncio.create_task(call(app, f"{LOG}?follow=1"))
        await asyncio.sleep(0.05)
        state.closing.set()
        assert (await asyncio.wait_for(following, 5)).body == b"x\n"

    run_in(platform, case)


def test_a_log_of_a_training_that_was_deleted_ends(platform: Platform) -> None:
    platform.pipeline()
    platform.training(phase="Running", steps=(StepStatus(name="one", phase="Running"),))
    log_file(platform).write_text("x\n")

    async def case(app: ASGIApp, _: State) -> None:
        def look(body: bytes) -> bool:
            if body:
                platform.resources.kept.pop(("Training", "p-1"), None)
            return False

        assert (await asyncio.wait_for(call(app, f"{LOG}?follow=1", stop=look), 5)).body == b"x\n"

    run_in(platform, case)
