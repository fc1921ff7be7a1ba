"""The JSON API over resources."""

from typing import Any

import pytest
from dashboard_calls import PIPELINE, Platform

from lykeion.core.resources import Condition, Pipeline, Serving, StepStatus
from lykeion.core.values import Event, Ref

V1 = "/api/v1"


def serving(platform: Platform, name: str, **spec: Any) -> Serving:
    made = platform.resources.apply(Serving.model_validate({"metadata": {"name": name}, "spec": spec}))
    assert isinstance(made, Serving)
    return made


def test_a_resource_is_created_read_replaced_listed_and_deleted(platform: Platform) -> None:
    made = platform.ask(f"{V1}/pipelines", "POST", PIPELINE)
    assert (made.status, made.json["metadata"]["name"]) == (201, "p")
    assert platform.ask(f"{V1}/pipelines", "POST", PIPELINE).status == 409
    replaced = platform.ask(f"{V1}/pipelines/p", "PUT", PIPELINE.replace("default: x", "default: y"))
    assert replaced.json["spec"]["parameters"]["name"]["default"] == "y"
    listed = platform.ask(f"{V1}/pipelines").json
    assert (listed["kind"], [one["metadata"]["name"] for one in listed["items"]]) == ("PipelineList", ["p"])
    assert platform.ask(f"{V1}/pipelines/p").json == replaced.json
    assert platform.ask(f"{V1}/pipelines/p", "DELETE").status == 204
    assert platform.ask(f"{V1}/pipelines/p").status == 404
    assert platform.ask(f"{V1}/pipelines/p", "DELETE").status == 404


def test_json_is_read_as_yaml_is(platform: Platform) -> None:
    raw = platform.pipeline().to_dict()
    raw = {name: raw[name] for name in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "q"}}
    assert platform.ask(f"{V1}/pipelines", "PUT", raw).status == 201
    assert platform.resources.get("Pipeline", "q").spec == platform.resources.get("Pipeline", "p").spec


def test_several_resources_come_in_one_text(platform: Platform) -> None:
    both = PIPELINE + "---\n" + PIPELINE.replace("{name: p}", "{name: q}")
    assert [one["metadata"]["name"] for one in platform.ask(f"{V1}/pipelines", "PUT", both).json["items"]] == ["p", "q"]


def test_all_that_is_wrong_is_said_at_once(platform: Platform) -> None:
    wrong = PIPELINE.replace("steps:", "stepz: 3\n  steps:").replace("one.out", "nope.out")
    answer = platform.ask(f"{V1}/pipelines", "POST", wrong)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    said = [error["message"] for error in answer.json["errors"]]
    assert len(said) >= 2
    assert all(error.get("line") for error in answer.json["errors"])


@pytest.mark.parametrize("body", [b"\xff\xfe", "kind: [", "", "3", "a: &a [*a]", "x" * (5 << 20)])
def test_what_is_no_resource_is_refused(platform: Platform, body: bytes | str) -> None:
    assert platform.ask(f"{V1}/pipelines", "POST", body).status == 422


def test_a_resource_is_written_only_under_its_own_path(platform: Platform) -> None:
    assert platform.ask(f"{V1}/servings", "POST", PIPELINE).status == 422
    assert platform.ask(f"{V1}/pipelines/other", "PUT", PIPELINE).status == 422
    assert platform.ask(f"{V1}/pipelines/p", "PUT", PIPELINE + "---\n" + PIPELINE.replace("{name: p}", "{name: q}")).status == 422
    assert platform.resources.list("Pipeline") == []


def test_an_unknown_kind_says_which_there_are(platform: Platform) -> None:
    answer = platform.ask(f"{V1}/models-of-mine")
    assert answer.status == 404
    assert "trainings" in answer.json["detail"]


def test_a_long_list_comes_in_pages_newest_first(platform: Platform) -> None:
    platform.pipeline()
    for number in range(7):
        platform.training(f"t{number}")
    first = platform.ask(f"{V1}/trainings?limit=3").json
    assert [one["metadata"]["name"] for one in first["items"]] == ["t6", "t5", "t4"]
    assert first["metadata"]["remainingItemCount"] == 4
    last = platform.ask(f"{V1}/trainings?limit=3&offset=6").json
    assert ([one["metadata"]["name"] for one in last["items"]], last["metadata"]["remainingItemCount"]) == (["t0"], 0)


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "offset=1.5", "limit=9999999999", "limit=٣"])
def test_a_page_is_asked_for_in_whole_numbers(platform: Platform, query: str) -> None:
    assert platform.ask(f"{V1}/trainings?{query}").status == 422


def test_a_list_leaves_out_the_snapshots(platform: Platform) -> None:
    spec = platform.pipeline().spec
    platform.training(pipeline=spec, steps=(StepStatus(name="one", outputs={"out": "sha256:1"}),))
    (listed,) = platform.ask(f"{V1}/trainings").json["items"]
    assert "pipeline" not in listed["status"]
    assert "outputs" not in listed["status"]["steps"][0]
    whole = platform.ask(f"{V1}/trainings/p-1").json
    assert whole["status"]["pipeline"]["steps"][0]["name"] == "one"


def test_a_pipeline_is_run_with_its_parameters(platform: Platform) -> None:
    platform.pipeline()
    first = platform.ask(f"{V1}/pipelines/p:run", "POST", {"parameters": {"size": "3"}})
    second = platform.ask(f"{V1}/pipelines/p:run", "POST", {"parameters": {"size": 4, "name": "y"}})
    assert [first.status, second.status] == [201, 201]
    assert [first.json["metadata"]["name"], second.json["metadata"]["name"]] == ["p-1", "p-2"]
    assert second.json["spec"]["parameters"] == {"size": 4, "name": "y"}


@pytest.mark.parametrize(
    "body", [{}, {"parameters": {}}, {"parameters": {"size": "x"}}, {"parameters": {"size": 1, "sise": 2}}, {"parameters": []}, [], "{"]
)
def test_a_run_with_wrong_parameters_creates_nothing(platform: Platform, body: Any) -> None:
    platform.pipeline()
    assert platform.ask(f"{V1}/pipelines/p:run", "POST", body).status == 422
    assert platform.resources.list("Training") == []


def test_a_run_of_what_is_not_there_is_not_found(platform: Platform) -> None:
    assert platform.ask(f"{V1}/pipelines/p:run", "POST").status == 404


def test_a_training_is_cancelled_once(platform: Platform) -> None:
    platform.pipeline()
    platform.training(phase="Running")
    assert platform.ask(f"{V1}/trainings/p-1:cancel", "POST").json["spec"]["state"] == "Cancelled"
    kept = platform.resources.get("Training", "p-1")
    assert kept.spec.state == "Cancelled"
    platform.resources.write_status(kept.model_copy(update={"status": kept.status.model_copy(update={"phase": "Cancelled"})}))
    answer = platform.ask(f"{V1}/trainings/p-1:cancel", "POST")
    assert answer.status == 409
    assert "ended already" in answer.json["detail"]


def test_a_training_is_run_again_under_the_next_name(platform: Platform) -> None:
    platform.pipeline()
    platform.training(phase="Succeeded")
    names = [platform.ask(f"{V1}/trainings/p-1:rerun", "POST").json["metadata"]["name"] for _ in range(2)]
    assert names == ["p-1-r1", "p-1-r2"]
    assert platform.ask(f"{V1}/trainings/p-1-r2:rerun", "POST").json["metadata"]["name"] == "p-1-r3"
    made = platform.resources.get("Training", "p-1-r1")
    assert made.spec == platform.resources.get("Training", "p-1").spec
    assert made.metadata.annotations == {"a": "b"}


def test_actions_are_not_done_by_looking(platform: Platform) -> None:
    platform.pipeline()
    platform.training(phase="Running")
    for path in ("trainings/p-1:cancel", "trainings/p-1:rerun", "pipelines/p:run"):
        assert platform.ask(f"{V1}/{path}").status == 404 or platform.ask(f"{V1}/{path}").status == 405
    assert platform.resources.get("Training", "p-1").spec.state == "Run"


def test_steps_say_what_they_wait_for(platform: Platform) -> None:
    spec = platform.pipeline().spec
    platform.training(pipeline=spec)
    items = platform.ask(f"{V1}/trainings/p-1/steps").json["items"]
    assert [(one["name"], one["dependsOn"], one["phase"]) for one in items] == [("one", [], "Waiting"), ("two", ["one"], "Waiting")]


def test_events_come_newest_first_and_of_one_resource(platform: Platform) -> None:
    for number in range(3):
        platform.resources.record(Event(Ref("Training", f"t{number}"), "Normal", "Planned", "x"), platform.resources.clock.now())
    whole = platform.ask(f"{V1}/events").json["items"]
    assert [one["regarding"]["name"] for one in whole] == ["t2", "t1", "t0"]
    (one,) = platform.ask(f"{V1}/events?kind=Training&name=t1").json["items"]
    assert (one["reason"], one["count"], one["type"]) == ("Planned", 1, "Normal")


def test_families_are_those_with_a_search(platform: Platform) -> None:
    serving(platform, "photos", search={"family": "photos"})
    serving(platform, "photos-index", index={"family": "photos"})
    (family,) = platform.ask("/v1/search/").json["families"]
    assert family == {"family": "photos", "serving": "photos", "url": "/v1/search/photos", "ready": False}
    assert platform.ask("/v1/search").json["families"] == [family]
    for method in ("GET", "POST"):
        answer = platform.ask("/v1/search/fotos", method)
        assert answer.status == 404
        assert "photos" in answer.json["detail"]


@pytest.mark.parametrize(
    ("conditions", "generation", "expected", "state"),
    [
        ([], 1, 503, "Waiting"),
        ([("True", "Serving")], 1, 200, "Ready"),
        ([("True", "Serving")], 0, 503, "Waiting"),
        ([("False", "Starting")], 1, 503, "Waiting"),
        ([("False", "NoVersion")], 1, 200, "Failed"),
        ([("False", "CrashLoopBackOff")], 1, 200, "Failed"),
    ],
)
def test_ready_is_every_serving_ready_or_failed_for_a_reason(
    platform: Platform, conditions: list[tuple[str, str]], generation: int, expected: int, state: str
) -> None:
    assert platform.ask("/readyz").status == 200
    made = serving(platform, "photos", search={"family": "photos"})
    said = tuple(Condition(type="Ready", status=status, reason=reason, message="why") for status, reason in conditions)  # type: ignore[arg-type]
    platform.resources.write_status(
        made.model_copy(update={"status": made.status.model_copy(update={"conditions": said, "observed_generation": generation})})
    )
    answer = platform.ask("/readyz")
    assert answer.status == expected
    assert answer.json["servings"][0]["state"] == state
    assert (state == "Failed") == (answer.json["servings"][0]["reason"] == "why" and expected == 200)


def test_nothing_but_the_process_is_needed_to_be_alive(platform: Platform) -> None:
    assert platform.ask("/healthz").json == {"alive": True}


def test_a_bug_is_a_problem_without_its_traceback(platform: Platform) -> None:
    platform.resources.list = None  # type: ignore[assignment,method-assign]
    with pytest.raises(TypeError):
        platform.ask(f"{V1}/trainings")


def test_the_spec_says_what_a_pipeline_is(platform: Platform) -> None:
    assert isinstance(platform.pipeline(), Pipeline)


def test_a_training_that_nobody_runs_is_told_as_such_and_one_that_has_ended_is_not(platform: Platform) -> None:
    platform.idle = {"left": "nobody runs it: lykeion up does"}
    for name, phase in (("left", "Running"), ("driven", "Running"), ("over", "Failed")):
        platform.training(name, phase=phase)
    told = {one["metadata"]["name"]: one for one in platform.ask("/api/v1/trainings").json["items"]}
    assert (told["left"]["driven"], told["left"]["whyNotDriven"]) == (False, "nobody runs it: lykeion up does")
    assert (told["driven"]["driven"], told["driven"]["whyNotDriven"]) == (True, "")
    assert "driven" not in told["over"]
    assert platform.ask("/api/v1/trainings/left/steps").json["whyNotDriven"] == "nobody runs it: lykeion up does"
