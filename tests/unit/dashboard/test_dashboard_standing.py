"""Metrics of many processes as one text, and one description of all that answers."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

from dashboard_calls import Platform, call, run_in
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp

from lykeion.dashboard.app import make_app, make_state
from lykeion.dashboard.context import State
from lykeion.dashboard.openapi import PATHS, merged, own, read
from lykeion.dashboard.standing import combined
from lykeion.dashboard.wiring import service_sockets
from lykeion.servers.openapi import PROBLEM

NAMES = st.sampled_from(["a_requests_total", "b_requests_total"])


def text(samples: dict[str, float]) -> str:
    return "".join(f"# HELP {name} h\n# TYPE {name} counter\n{name} {value}\n" for name, value in samples.items())


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["", "p-0", "p-1"]), st.dictionaries(NAMES, st.integers(0, 10**6).map(float))))
def test_every_sample_of_every_process_is_there_once_with_its_process(given: dict[str, dict[str, float]]) -> None:
    found = combined({source: text(samples) for source, samples in given.items()})
    samples = [
        (sample.labels.get("replica", ""), sample.name, sample.value)
        for family in text_string_to_metric_families(found)
        for sample in family.samples
    ]
    assert sorted(samples) == sorted((source, name, value) for source, one in given.items() for name, value in one.items())
    assert all(found.count(f"# TYPE {name} ") <= 1 for name in ("a_requests_total", "b_requests_total"))


def test_a_histogram_keeps_its_buckets() -> None:
    said = '# TYPE s histogram\ns_bucket{le="1.0"} 2.0\ns_bucket{le="+Inf"} 3.0\ns_count 3.0\ns_sum 4.0\n'
    assert 's_bucket{le="1.0",replica="p-0"} 2.0' in combined({"p-0": said})


async def serve_text(path: Path, answers: dict[str, str]) -> asyncio.Server:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = answers.get(head.split()[1])
        status = "200 OK" if body is not None else "404 Not Found"
        data = (body or "").encode()
        writer.write(f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(talk, path)


def test_the_metrics_of_services_that_answer_stand_beside_the_gateways_own(platform: Platform) -> None:
    platform.services |= {"photos-0": f"unix:{platform.home}/s", "photos-1": f"unix:{platform.home}/gone"}

    async def case(app: ASGIApp, _: State) -> None:
        server = await serve_text(platform.home / "s", {"/metrics": text({"a_requests_total": 5})})
        answer = await ask(app, "/metrics")
        assert 'a_requests_total{replica="photos-0"} 5.0' in answer
        assert "lykeion_gateway_active_requests" in answer
        assert "photos-1" not in answer
        server.close()

    run_in(platform, case)


async def ask(app: ASGIApp, path: str) -> str:
    answer = await call(app, path)
    assert answer.status == 200
    return answer.body.decode()


def test_a_service_describes_itself_beside_the_platform(platform: Platform) -> None:
    said = {
        "paths": {"/v1/search/photos": {"post": {"summary": "Search"}}, "/healthz": {"get": {}}},
        "components": {"schemas": {"Item": {}}},
    }
    routes = [
        {"name": "photos", "prefix": "/v1/search/photos", "targets": [{"service": "photos", "addresses": [f"unix:{platform.home}/s"]}]}
    ]
    (platform.home / "documents" / "routes.json").write_text(json.dumps(routes))

    async def case(app: ASGIApp, _: State) -> None:
        server = await serve_text(platform.home / "s", {"/openapi.json": json.dumps(said)})
        found = json.loads(await ask(app, "/openapi.json"))
        assert found["paths"]["/v1/search/photos"]["post"]["summary"] == "Search"
        assert found["paths"]["/healthz"]["get"]["summary"]
        assert found["components"]["schemas"] == {"Item": {}, "Problem": PROBLEM}
        assert set(PATHS) <= set(found["paths"])
        server.close()

    run_in(platform, case)


def test_the_description_names_what_is_really_answered(platform: Platform) -> None:
    found = platform.ask("/openapi.json").json
    for path, methods in found["paths"].items():
        concrete = path.replace("{plural}", "trainings").replace("{version}", "1").replace("{digest}", "0" * 64)
        concrete = concrete.replace("{name}", "x").replace("{model}", "x").replace("{alias}", "x").replace("{step}", "x")
        for method in methods:
            if method != "parameters" and not path.endswith("/watch"):
                answer = platform.ask(concrete, method.upper())
                assert answer.status != 405, (method, path)
                assert answer.status != 404 or not answer.json["detail"].startswith("Nothing answers"), (method, path)


def test_every_name_in_a_path_is_described() -> None:
    for path, methods in own()["paths"].items():
        named = {one["name"] for one in methods.get("parameters", ())}
        assert named == {part.partition("}")[0] for part in path.split("{")[1:]}


def test_of_two_descriptions_the_platforms_own_counts() -> None:
    first = {"paths": {"/a": {"get": {"summary": "first"}}}, "components": {"schemas": {"A": 1}}}
    other = {"paths": {"/a": {"get": {"summary": "other"}, "post": {}}, "/b": {}}, "components": {"schemas": {"A": 2, "B": 3}}}
    found = merged(first, [other])
    assert found["paths"] == {"/a": {"get": {"summary": "first"}, "post": {}}, "/b": {}}
    assert found["components"]["schemas"] == {"A": 1, "B": 3}


def test_what_is_no_description_is_left_out() -> None:
    for answer in (None, b"", b"<html>", b"[]", b'{"paths": []}', b"3"):
        assert read(answer) is None


def test_sockets_are_found_by_the_name_of_their_service(tmp_path: Path) -> None:
    async def case() -> None:
        prefix = sha256(b"photos").hexdigest()[:8]
        servers = [await serve_text(tmp_path / name, {}) for name in (f"{prefix}-1.1", f"{prefix}-1.1.0", f"{prefix}-2.1", "00000000-1.1")]
        (tmp_path / f"{prefix}-3.1").write_text("no socket")
        found = service_sockets(tmp_path, ["photos", "none"])
        assert found == {"photos-0": f"unix:{tmp_path}/{prefix}-1.1", "photos-1": f"unix:{tmp_path}/{prefix}-2.1"}
        for server in servers:
            server.close()

    asyncio.run(case())


def test_an_app_is_a_function_of_its_context(platform: Platform) -> None:
    state = make_state(platform.context())
    assert make_app(platform.context()) is not make_app(platform.context(), state)
    state.store.close()
