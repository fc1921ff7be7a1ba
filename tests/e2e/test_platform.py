"""`lykeion up` as a whole: what it answers, what it survives, and what it leaves behind."""

import http.client
import json
import os
import signal
import socket
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from lykeion.testing.servers import Crowd

pytestmark = pytest.mark.timeout(240)

PHOTO_SEARCH = "examples/photo-search/pipeline.yaml"
WORDS = "examples/01-one-step/pipeline.yaml"
KEYS = {"request_id", "items", "partial", "indexes", "embedding", "took_ms", "next"}
INDEX, PROXY, GATEWAY = "lykeion.servers.index_server", "lykeion.servers.proxy_server", "lykeion.dashboard.serve"


def ids(answer):
    assert answer.status == 200, answer.body
    return [item["id"] for item in answer.json["items"]]


def test_a_photo_finds_its_item_with_everything_that_is_known_of_it(site, indexed):
    found = site.search(indexed.picture("ring-red-0"), "?k=3").json
    assert set(found) == KEYS
    first = found["items"][0]
    assert {"id", "score", "title", "category", "price", "status", "picture"} <= set(first)
    assert (first["id"], first["title"], first["category"], first["price"]) == ("ring-red-0", "a red ring", "ring", 3300.0)
    assert first["score"] > 0.99
    assert len(found["items"]) == 3
    assert found["partial"] is False
    assert [(one["model"], one["version"]) for one in found["indexes"]] == [("photos", 1)]


def test_a_form_an_item_and_a_vector_find_as_well(site, indexed):
    picture = indexed.picture("cross-blue-0")
    form = b'--x\r\ncontent-disposition: form-data; name="image"; filename="p.png"\r\n\r\n' + picture + b"\r\n--x--\r\n"
    assert ids(site.search(form, kind="multipart/form-data; boundary=x")) == ids(site.search(picture))
    assert "cross-blue-9" in ids(site.by("?k=5", item="cross-blue-0"))
    assert "cross-blue-0" not in ids(site.by("?k=5", item="cross-blue-0"))
    dimension = site.ask("/v1/search/photos").json["dimension"]
    assert len(ids(site.by("?k=7", vector=[1.0] * dimension))) == 7


def test_the_picture_of_an_answer_can_be_shown(site, indexed):
    shown = site.ask(site.search(indexed.picture("ring-red-0"), "?k=1").json["items"][0]["picture"])
    assert shown.status == 200
    assert shown.headers["content-type"].startswith("image/")


def test_filters_hold_and_are_told_when_wrong(site, indexed):
    found = site.search(indexed.picture("ring-red-0"), "?k=40&filter=category:ring%7Ccross&filter=price:%3C3000&filter=colour:blue").json
    assert {item["category"] for item in found["items"]} == {"cross"}
    assert {item["colour"] for item in found["items"]} == {"blue"}
    assert all(item["price"] < 3000 for item in found["items"])
    wrong = site.search(indexed.picture("ring-red-0"), "?filter=colr:blue")
    assert wrong.status == 400
    assert "colour" in wrong.json["detail"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/trainings", "text/html"), ("/models", "text/html"), ("/docs", "text/html"), ("/openapi.json", "application/json"),
     ("/metrics", "text/plain"), ("/healthz", "application/json"), ("/readyz", "application/json"), ("/v1/search", "application/json")],
)  # fmt: skip
def test_pages_and_standing_are_answered(site, path, kind):
    answer = site.ask(path, headers=site.token)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)


def test_who_does_not_know_the_token_neither_reads_nor_writes(site):
    """Another user of the machine, who writes the headers that a page of ours would send."""
    pipeline = Path(WORDS).read_bytes()
    forged = {"host": site.url.removeprefix("http://"), "origin": site.url, "referer": f"{site.url}/pipelines"}
    for path in ("/api/v1/trainings", "/api/v1/models", "/api/v1/events", "/api/v1/watch", "/metrics"):
        assert site.status(path, headers=forged) == 401
    for path, body in (("/api/v1/pipelines", pipeline), ("/api/v1/pipelines/photo-search:run", b"{}")):
        assert site.status(path, body=body, headers=forged) == 401
    assert site.status("/api/v1/trainings", headers=site.token) == 200


def test_the_token_is_neither_printed_into_a_file_nor_given_to_a_process(site, cli):
    (token,) = site.token.values()
    assert "lykeion open" in site.told.read_text()
    assert token not in site.told.read_text()
    assert cli("open", "--print", "--home", site.home).out == f"{site.url}/#token={token}\n"
    running = psutil.Process(site.process.pid)
    assert not [one for one in (running, *running.children(recursive=True)) if token in " ".join(one.cmdline())]


def test_metrics_count_the_queries(site, indexed):
    site.search(indexed.picture("ring-red-0"))
    told = site.ask("/metrics", headers=site.token).body.decode()
    assert 'lykeion_gateway_requests_total{code="200",route="photos-route"}' in told
    assert 'replica="photos-0"' in told
    assert 'replica="photos-index-0"' in told


def test_the_api_describes_the_search(site):
    described = site.ask("/openapi.json").json
    assert described["openapi"].startswith("3.")
    assert any(path.startswith("/v1/search/") for path in described["paths"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_family_is_a_problem_that_names_those_there_are(site, method):
    answer = site.ask("/v1/search/shoes", b"{}" if method == "POST" else None, method=method)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == 404
    assert "photos" in answer.json["detail"]


def test_a_second_platform_on_the_same_home_is_refused_with_the_url(site, cli):
    assert site.url in cli("up", "--port", "0", "--home", site.home, code=5).err
    assert site.status("/readyz") == 200


def test_a_port_that_is_taken_is_told(cli, site):
    port = site.url.rsplit(":", 1)[1]
    assert port in cli("up", "--port", port, code=5).err


def test_what_runs_beside_the_platform_is_run_by_it_and_prints_the_same(site, cli):
    alone = cli("run", WORDS, "-o", "json").json
    beside = cli("run", WORDS, "-o", "json", "--home", site.home).json
    assert json.loads((site.home / "locks" / "tasks").read_text())["pid"] == site.process.pid
    for one in (alone, beside):
        for step in one["steps"]:
            del step["seconds"], step["cpuSeconds"]
    assert beside == alone
    assert cli("logs", "words-1", "top", "--home", site.home).code == 0
    again = cli("run", WORDS, "-o", "json", "--home", site.home).json
    assert [step["cache"] for step in again["steps"]] == ["hit", "hit"]


def test_a_failing_step_beside_the_platform_is_told_and_the_platform_stays(site, cli, tmp_path):
    (tmp_path / "work.py").write_text(
        "from lykeion import Output, component\n\n\n@component\ndef fail(out: Output) -> None:\n    raise ValueError('no luck')\n"
    )
    (tmp_path / "p.yaml").write_text(
        "apiVersion: lykeion.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: failing}\nspec:\n  steps:\n    - {name: a, component: './work.py:fail'}\n"
    )
    ran = cli("run", tmp_path / "p.yaml", "--home", site.home, "-o", "json", code=1)
    assert ran.json["phase"] == "Failed"
    assert "no luck" in ran.err
    assert site.status("/readyz") == 200


class Shoppers(Crowd):
    """Ask without a pause, and remember each answer: a version, or what went wrong."""

    def __init__(self, up, picture, threads=4):
        super().__init__(threads)
        self.up, self.picture = up, picture
        self.seen = Counter()
        self.wrong = []
        self.last = {}

    def once(self, number):
        try:
            answer = self.up.search(self.picture, "?k=3") if number % 2 else self.up.by("?k=3", item="ring-red-9")
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append(repr(error))
            return
        if answer.status != 200:
            self.wrong.append(answer.body)
            return
        found = answer.json
        if found["partial"] or found["items"][0]["id"] != "ring-red-0":
            self.wrong.append(answer.body)
        version = tuple(one["version"] for one in found["indexes"])
        self.seen[version] += 1
        self.last[number] = version

    def all_see(self, version):
        return len(self.last) == len(self.threads) and set(self.last.values()) == {(version,)}


def loaded(home):
    return [one["version"] for one in json.loads((home / "documents" / "photos-index-load.json").read_text())["load"]]


def test_a_new_version_takes_over_without_a_failed_query_and_can_be_rolled_back(platform, own, until):
    lines = own.listings.read_text().splitlines()
    own.listings.write_text("\n".join(line for line in lines if not line.startswith("triangle-red-9")) + "\n")
    with Shoppers(platform, own.picture("ring-red-0")) as shoppers:
        until(lambda: shoppers.all_see(1), 20)
        assert own.index()["published"][-1] == {"model": "photos", "version": 2, "output": "index.index", "alias": "stable", "whyNot": ""}
        until(lambda: shoppers.all_see(2), 40, "version 2 for all")
        until(lambda: loaded(own.home) == [2], 40, "version 1 unloaded")
        assert own.cli("models", "rollback", "photos", "-o", "json").json["version"] == 1
        until(lambda: shoppers.all_see(1), 40, "version 1 for all")
        until(lambda: loaded(own.home) == [1], 40, "version 2 unloaded")
    assert shoppers.wrong == []
    assert set(shoppers.seen) == {(1,), (2,)}


def one(pids):
    assert pids
    return pids[0]


VICTIMS = {
    "the gateway": lambda up: one(up.processes(GATEWAY)),
    "a proxy worker": lambda up: one(up.workers(PROXY)),
    "the proxy's supervisor": lambda up: one(up.processes(PROXY)),
    "an index worker": lambda up: one(up.workers(INDEX)),
    "the index supervisor": lambda up: one(up.processes(INDEX)),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_comes_back_by_itself_and_no_answer_is_wrong(site, indexed, victim, until):
    pid = VICTIMS[victim](site)
    os.kill(pid, signal.SIGKILL)
    in_a_row, end = 0, time.monotonic() + 60
    while in_a_row < 10:
        assert time.monotonic() < end, f"{victim} did not come back"
        try:
            answer = site.search(indexed.picture("ring-red-0"), "?k=2")
        except (OSError, http.client.HTTPException):
            in_a_row = 0
            continue
        assert answer.status in (200, 502, 503, 504), answer.body
        good = answer.status == 200 and not answer.json["partial"]
        assert not good or ids(answer) == ["ring-red-0", "ring-red-9"]
        in_a_row = in_a_row + 1 if good else 0
    until(lambda: pid not in [find(site) for find in VICTIMS.values() if came_back(find, site)], 30)
    site.ready()


def came_back(find, up):
    try:
        return find(up)
    except AssertionError:
        return None


def is_free(url):
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))
        except OSError:
            return False
        return True


HALF_SENT = {
    "an upload": b"POST /v1/search/photos HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\nhalf",
    "a header": b"GET / HTTP/1.1\r\nhost: local",
    "a page that watches": b"GET /api/v1/watch HTTP/1.1\r\nhost: localhost\r\nx-lykeion-token: TOKEN\r\n\r\n",
    "nothing": b"",
}


def test_told_to_end_it_ends_well_and_leaves_nothing_whoever_holds_a_connection(platform, running_of):
    assert len(running_of(platform.home)) >= 6
    with ExitStack() as stack:
        for sent in HALF_SENT.values():
            client = stack.enter_context(socket.create_connection(("127.0.0.1", int(platform.url.rsplit(":", 1)[1]))))
            client.sendall(sent.replace(b"TOKEN", platform.token["x-lykeion-token"].encode()))
        assert platform.end() == 0
    assert running_of(platform.home) == []
    assert is_free(platform.url)


def test_ctrl_c_ends_it_as_well(platform, running_of):
    platform.process.send_signal(signal.SIGINT)
    assert platform.process.wait(20) == 0
    assert running_of(platform.home) == []


def test_when_it_is_killed_nothing_runs_on_and_a_new_one_serves(platform, own, running_of, until, start_up):
    platform.process.kill()
    platform.process.wait()
    until(lambda: not running_of(own.home), 30, "nothing that runs on")
    until(lambda: is_free(platform.url), 10, "a port that is free")  # the kernel may take a moment to close what was killed
    with ExitStack() as stack:
        again = start_up(own.home)
        stack.callback(again.end)
        assert ids(again.ready().search(own.picture("ring-red-0"), "?k=2")) == ["ring-red-0", "ring-red-9"]


def test_when_it_is_killed_in_the_middle_of_a_training_the_next_one_finishes_it(own, halting, running_of, until, start_up):
    file, ran, go = halting
    with ExitStack() as stack:
        first = start_up(own.home)
        stack.callback(lambda: first.process.poll() is None and first.end())
        own.cli("run", file, "--no-wait", "-o", "json")
        until(lambda: ran.exists() and "b" in ran.read_text(), 40, "the second step")
        first.process.kill()
        first.process.wait()
        until(lambda: not running_of(own.home), 30, "nothing that runs on")
        go.touch()
        second = start_up(own.home)
        stack.callback(second.end)
        until(lambda: own.cli("get", "training", "halting-1", "-o", "json").json["status"]["phase"] == "Succeeded", 40, "the end")
    assert ran.read_text().split() == ["a", "b", "b"]


@pytest.mark.parametrize("next_command", ["run", "rerun", "up"])
def test_a_run_that_was_killed_is_finished_by_the_next(home, cli, halting, running_of, until, start_up, killed_run, next_command):
    file, ran, go = halting
    killed_run(file, when=lambda: ran.exists() and "b" in ran.read_text())
    until(lambda: not running_of(home), 30, "nothing that runs on")
    go.touch()
    if next_command == "up":
        up = start_up(home)
        try:
            until(lambda: cli("get", "training", "halting-1", "-o", "json").json["status"]["phase"] == "Succeeded", 40, "the end")
        finally:
            up.end()
    else:
        done = cli("run", file, "-o", "json") if next_command == "run" else cli("rerun", "halting-1", "-o", "json")
        assert [(step["name"], step["cache"]) for step in done.json["steps"]] == [("a", "hit"), ("b", "miss")]
    assert ran.read_text().split() == ["a", "b", "b"], "what was finished is not run again"


def test_indexing_that_was_killed_again_and_again_ends_with_the_same_index(indexed, own, until, killed_run, running_of):
    """At whatever step it dies, the next one goes on; nothing wrong is published."""
    lines = own.listings.read_text().splitlines()
    own.listings.write_text("\n".join(lines[:-1]) + "\n")
    log = own.home / "logs"
    for step in ("pictures", "index", "report"):
        before = set(log.glob(f"*/{step}*.log"))
        words = (PHOTO_SEARCH, "-p", f"listings={own.listings}")
        killed_run(*words, when=lambda step=step, before=before: set(log.glob(f"*/{step}*.log")) - before, home=own.home)
        until(lambda: not running_of(own.home), 30, "nothing that runs on")
    ended = own.index()
    assert ended["phase"] == "Succeeded"
    assert own.cli("models", "verify", "-o", "json").code == 0
    assert [one["versions"] for one in own.cli("models", "list", "-o", "json").json if one["model"] == "photos"] == [[1, 2]]
