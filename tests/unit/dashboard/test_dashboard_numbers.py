"""Metrics that JSON has no word for: a page's `JSON.parse` must read every answer that tells of them."""

import asyncio
import json
import math
from typing import Any

import pytest
from dashboard_calls import Platform, call, run_in

from lykeion.core.resources import StepStatus

V1 = "/api/v1"
ODD = {"recall": math.nan, "loss": math.inf, "gain": -math.inf, "items": 3.0}
PLAIN = {"recall": None, "loss": None, "gain": None, "items": 3.0}


def strictly(body: bytes | str) -> Any:
    """As a browser reads it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(body, parse_constant=refuse)


@pytest.fixture
def odd(platform: Platform) -> Platform:
    """A Training with such metrics."""
    platform.pipeline()
    platform.training("p-1", steps=(StepStatus(name="one", phase="Succeeded", metrics=ODD), StepStatus(name="two")), phase="Running")
    return platform


@pytest.mark.parametrize(
    ("path", "of"),
    [
        ("trainings", lambda told: told["items"][0]["status"]["steps"][0]["metrics"]),
        ("trainings/p-1", lambda told: told["status"]["steps"][0]["metrics"]),
    ],
)
def test_what_is_no_number_is_null(odd: Platform, path: str, of: Any) -> None:
    answer = odd.ask(f"{V1}/{path}")
    assert answer.status == 200
    assert of(strictly(answer.body)) == PLAIN


def test_changes_tell_of_it_too(odd: Platform) -> None:
    async def case(app: Any, _: Any) -> None:
        told = await asyncio.wait_for(call(app, f"{V1}/watch", stop=lambda seen: b"synced" in seen), 10)
        data = [strictly(line.removeprefix(b"data: ")) for line in told.body.splitlines() if line.startswith(b"data: ")]
        (training,) = [one["object"] for one in data if one.get("kind") == "Training"]
        assert training["status"]["steps"][0]["metrics"] == PLAIN

    run_in(odd, case)


def test_a_training_with_such_metrics_can_be_cancelled_and_run_again(odd: Platform) -> None:
    cancelled = odd.ask(f"{V1}/trainings/p-1:cancel", "POST")
    assert (cancelled.status, strictly(cancelled.body)["spec"]["state"]) == (200, "Cancelled")
    again = odd.ask(f"{V1}/trainings/p-1:rerun", "POST")
    assert (again.status, strictly(again.body)["metadata"]["name"]) == (201, "p-1-r1")
