"""What changes, told to every page that is open."""

import asyncio
import json
from typing import Any

from dashboard_calls import Platform, call, run_in
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from lykeion.core.resources import Training
from lykeion.dashboard.context import State
from lykeion.dashboard.events import Listener, differences, version

keys = st.tuples(st.just("Training"), st.sampled_from("abcd"))


def training(name: str, resource_version: str) -> Training:
    raw = {"metadata": {"name": name, "resourceVersion": resource_version}, "spec": {"pipelineRef": {"name": "p"}}}
    return Training.model_validate(raw)


worlds = st.dictionaries(keys, st.sampled_from("12")).map(lambda found: {key: training(key[1], number) for key, number in found.items()})


@settings(deadline=None)
@given(worlds, worlds)
def test_applying_the_differences_to_what_was_gives_what_is(before: dict[Any, Training], now: dict[Any, Training]) -> None:
    changed = differences({key: version(one) for key, one in before.items()}, now)
    after = dict(before)
    for key, what in changed.items():
        assert (what == "ADDED") == (key not in before)
        if what == "DELETED":
            del after[key]
        else:
            after[key] = now[key]
    assert after == now


@settings(deadline=None)
@given(worlds)
def test_what_did_not_change_is_not_told(world: dict[Any, Training]) -> None:
    assert differences({key: version(one) for key, one in world.items()}, world) == {}


@settings(deadline=None)
@given(st.lists(st.tuples(keys, st.integers())))
def test_a_slow_page_gets_the_newest_state_of_each_once(told: list[tuple[Any, int]]) -> None:
    async def case() -> None:
        listener = Listener()
        for key, number in told:
            listener.tell(key, f"{key} {number}")
        assert sorted(listener.take()) == sorted(f"{key} {number}" for key, number in dict(told).items())
        assert listener.take() == []

    asyncio.run(case())


def parsed(body: bytes) -> list[tuple[str, Any]]:
    found = []
    for block in body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_page_hears_what_is_then_what_changes(platform: Platform) -> None:
    platform.pipeline()
    made = platform.training(phase="Running")

    async def case(app: ASGIApp, state: State) -> None:
        synced, changed = asyncio.Event(), asyncio.Event()

        def look(body: bytes) -> bool:
            if b"synced" in body:
                synced.set()
            if b"DELETED" in body:
                changed.set()
                return True
            return False

        listening = asyncio.create_task(call(app, "/api/v1/watch", stop=look))
        await asyncio.wait_for(synced.wait(), 5)
        platform.resources.write_status(made.model_copy(update={"status": made.status.model_copy(update={"phase": "Succeeded"})}))
        platform.resources.delete("Pipeline", "p")
        await asyncio.wait_for(changed.wait(), 5)
        state.closing.set()
        answer = await asyncio.wait_for(listening, 5)
        assert answer.headers["content-type"].startswith("text/event-stream")
        heard = [(said.get("type"), said.get("kind"), said.get("name")) for _, said in parsed(answer.body)]
        assert set(heard[:2]) == {("ADDED", "Pipeline", "p"), ("ADDED", "Training", "p-1")}
        assert heard[2] == (None, None, None)
        assert set(heard[3:]) == {("MODIFIED", "Training", "p-1"), ("DELETED", "Pipeline", "p")}
        after = next(said["object"] for _, said in parsed(answer.body) if said.get("type") == "MODIFIED")
        assert after["status"]["phase"] == "Succeeded"

    run_in(platform, case)


def test_many_pages_are_told_from_one_look(platform: Platform) -> None:
    platform.pipeline()
    looks = 0
    listed = platform.resources.list

    def counted(kind: str) -> Any:
        nonlocal looks
        looks += kind == "Training"
        return listed(kind)

    platform.resources.list = counted  # type: ignore[method-assign]

    async def case(app: ASGIApp, state: State) -> None:
        heard = [asyncio.Event() for _ in range(10)]

        def look(number: int, body: bytes) -> bool:
            if b"synced" in body:
                heard[number].set()
            return False

        pages = [asyncio.create_task(call(app, "/api/v1/watch", stop=lambda body, n=n: look(n, body))) for n in range(10)]
        await asyncio.wait_for(asyncio.gather(*(one.wait() for one in heard)), 5)
        state.closing.set()
        answers = await asyncio.wait_for(asyncio.gather(*pages), 5)
        assert all(b"Pipeline" in answer.body for answer in answers)
        assert looks <= 3

    run_in(platform, case)
