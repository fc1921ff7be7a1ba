"""Services as real processes: made ready, replaced, restarted, drained, and never left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from lykeion.adapters.local.children import LocalChildren
from lykeion.core.content import digest_of_value
from lykeion.core.values import Document, ModelVersion, Route, Service, Target
from lykeion.errors import Unavailable


def test_a_service_is_ready_when_it_says_so_and_not_before(platform: Any) -> None:
    platform.children.apply(platform.service("after=0.6"))
    platform.until(lambda: platform.child().message == "warming up")
    assert (platform.child().phase, platform.child().addresses) == ("Pending", ())
    platform.until(lambda: platform.child().ready)
    child = platform.child()
    assert child.phase == "Running"
    assert platform.ask(child.addresses[0])["ready"] is True


def test_applying_the_same_again_changes_nothing(platform: Any) -> None:
    before = platform.up().addresses
    platform.children.apply(platform.service())
    platform.children.wait(0.2)
    assert platform.child().addresses == before


def test_a_killed_replica_comes_back(platform: Any) -> None:
    first = platform.ask(platform.up().addresses[0])["pid"]
    os.kill(first, signal.SIGKILL)
    platform.until(lambda: not platform.child().ready)
    assert (platform.child().reason, "SIGKILL" in platform.child().message) == ("Restarting", True)
    platform.until(lambda: platform.child().ready)
    assert platform.ask(platform.child().addresses[0])["pid"] != first


def test_a_service_that_cannot_live_is_failed_with_its_last_words(platform: Any) -> None:
    platform.children.apply(platform.service("crash=no disk"))
    platform.until(lambda: platform.child().phase == "Failed")
    child = platform.child()
    assert child.reason == "CrashLoopBackOff"
    assert "exit code 3" in child.message
    assert child.log_tail.endswith("cannot go on: no disk")


def test_a_program_that_is_not_there_is_failed_with_its_name(platform: Any) -> None:
    platform.children.apply(Service("photos", platform.owner, ("no-such-program",)))
    platform.until(lambda: platform.child().phase == "Failed")
    assert "no-such-program: cannot be started: No such file" in platform.child().log_tail


def test_a_changed_service_is_replaced_without_a_gap(platform: Any) -> None:
    platform.children.apply(Route("r", platform.owner, "/v1", (Target("photos"),)))
    platform.up("version=1")
    platform.children.apply(platform.service("version=2", "after=0.4"))
    versions: list[str] = []

    def all_moved() -> bool:
        (route,) = json.loads(platform.home.routes.read_bytes())
        versions.append(platform.ask(route["targets"][0]["addresses"][0])["version"])
        return versions[-1] == "2" and len(platform.processes()) == 1

    platform.until(all_moved)
    assert versions == sorted(versions)
    assert set(versions) == {"1", "2"}


def test_a_new_version_that_never_becomes_ready_leaves_the_old_one_answering(platform: Any) -> None:
    platform.up("version=1")
    platform.children.apply(platform.service("crash=bad"))
    platform.until(lambda: platform.services.kept["photos"].replicas[0].crashes.count >= 3)
    assert platform.ask(platform.child().addresses[0])["version"] == "1"
    platform.children.apply(platform.service("version=3"))
    platform.until(lambda: platform.ask(platform.child().addresses[0])["version"] == "3")


def test_replicas_are_added_and_taken_away(platform: Any) -> None:
    one = platform.up().addresses
    three = platform.up(replicas=3).addresses
    assert len(set(three)) == 3
    assert set(one) < set(three)
    platform.up(replicas=1)
    platform.until(lambda: len(platform.processes()) == 1)
    assert platform.child().addresses == one


def test_a_request_under_way_is_finished_when_the_service_goes(platform: Any) -> None:
    address = platform.up().addresses[0].removeprefix("unix:")
    client = socket.socket(socket.AF_UNIX)
    client.connect(address)
    client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    platform.children.wait(0.1)
    platform.children.delete("photos")
    platform.until(lambda: not platform.children.observe(platform.owner))
    client.settimeout(5)
    assert client.recv(15) == b"HTTP/1.1 200 OK"
    client.close()


def test_one_that_does_not_hear_is_killed_when_its_time_is_over(platform: Any) -> None:
    platform.up("deaf=1", drain=0.3)
    (process,) = platform.processes()
    platform.children.delete("photos")
    platform.until(lambda: not platform.children.observe(platform.owner))
    assert not platform.alive(process)


@pytest.mark.parametrize("how", ["stays", "escapes"])
def test_nothing_survives_a_kill_of_the_platform(platform_of: Any, tmp_path: Path, how: str) -> None:
    """The service dies with it at once; what had left its group, when the next platform starts."""
    platform = platform_of(tmp_path)
    platform.children.close()
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from conftest import Platform
platform = Platform(Path({str(tmp_path)!r}))
child = platform.up("child={how}")
print(*platform.processes(), flush=True)
platform.until(lambda: False, 60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    service = int(parent.stdout.readline())
    grandchildren = [child.pid for child in psutil.Process(service).children(recursive=True)]
    assert grandchildren
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 5
    while platform.alive(service):
        assert time.monotonic() < end
    assert list(platform.home.sockets.iterdir()) != []
    platform_of(tmp_path).children.close()
    assert not any(map(platform.alive, grandchildren))
    assert list(platform.home.sockets.iterdir()) == []


def test_close_leaves_nothing_running(platform_of: Any, tmp_path: Path) -> None:
    platform = platform_of(tmp_path)
    platform.up(replicas=2)
    processes = platform.processes()
    platform.children.close()
    assert len(processes) == 2
    assert not any(map(platform.alive, processes))
    assert json.loads(platform.home.routes.read_bytes()) == []


def test_a_document_is_followed_and_acknowledged(platform: Any) -> None:
    platform.up()
    content = {"b": 1, "a": ["ü"]}
    platform.children.apply(Document("photos-cover", platform.owner, content))
    child = platform.child("photos-cover")
    assert child.digest == digest_of_value(content)
    assert child.content == content
    platform.until(lambda: platform.child().acknowledged.get("photos-cover") == child.digest, 3)


def test_a_document_outlives_the_platform_with_its_owner(platform: Any, tmp_path: Path) -> None:
    platform.children.apply(Document("photos-cover", platform.owner, {"family": "photos"}))
    again = LocalChildren(platform.home, mount=lambda model: None)
    assert again.observe(platform.owner)["photos-cover"] == platform.child("photos-cover")
    again.delete("photos-cover")
    assert not (platform.home.documents / "photos-cover.json").exists()
    again.close()


def test_models_are_mounted_first_and_a_mount_that_fails_is_told(platform_of: Any, tmp_path: Path) -> None:
    there: set[ModelVersion] = set()

    def mount(model: ModelVersion) -> None:
        if model not in there:
            raise Unavailable("the store does not answer")

    model = ModelVersion("photos", 1, "sha256:0")
    platform = platform_of(tmp_path, mount)
    document = Document("photos-load", platform.owner, {"load": [1]}, models=(model,))
    platform.children.apply(platform.service(models=(model,)))
    platform.children.apply(document)
    assert (platform.child().phase, platform.child().reason) == ("Failed", "MountFailed")
    assert platform.child("photos-load").message == "the store does not answer"
    assert not (platform.home.documents / "photos-load.json").exists()
    there.add(model)
    platform.children.apply(document)
    assert (platform.home.documents / "photos-load.json").exists()
    platform.services.kept["photos"].try_at = 0.0
    platform.until(lambda: platform.child().ready)
    platform.children.close()


def test_a_process_that_hangs_does_not_hold_up_the_others(platform: Any) -> None:
    process = platform.ask(platform.up().addresses[0])["pid"]
    os.kill(process, signal.SIGSTOP)
    platform.until(lambda: platform.services.kept["photos"].all[0].probe)  # it has been asked
    platform.children.apply(platform.service(name="clothes"))
    platform.until(lambda: platform.child("clothes").ready)
    assert platform.child().ready
    os.kill(process, signal.SIGCONT)
