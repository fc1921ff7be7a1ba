"""Services while they are used: replaced under load, hung, limited, writing without end."""

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lykeion.adapters.local import replica
from lykeion.core.values import Resources, Route, Target


class Shopper(threading.Thread):
    """Asks without a pause, at addresses that it reads from the table of routes four times a second, as the gateway does."""

    def __init__(self, routes: Path, ask: Callable[..., Any]) -> None:
        super().__init__()
        self.routes, self.ask, self.leave = routes, ask, threading.Event()
        self.versions: list[str] = []
        self.failures: list[str] = []

    def run(self) -> None:
        read, addresses, turn = 0.0, [], 0
        while not self.leave.is_set():
            if time.monotonic() > read + 0.25:
                read = time.monotonic()
                addresses = json.loads(self.routes.read_bytes())[0]["targets"][0]["addresses"]
            turn += 1
            try:
                self.versions.append(self.ask(addresses[turn % len(addresses)], "/slow" if turn % 20 == 0 else "/search")["version"])
            except (OSError, ValueError, IndexError) as lost:
                self.failures.append(repr(lost))


def test_no_request_is_lost_while_a_service_is_replaced_again_and_again(platform: Any) -> None:
    platform.children.apply(Route("r", platform.owner, "/v1", (Target("photos"),)))
    platform.up("version=0", replicas=2)
    platform.children.work()
    shopper = Shopper(platform.home.routes, platform.ask)
    shopper.start()
    try:
        for version in ("1", "2", "3"):
            platform.children.apply(platform.service(f"version={version}", "after=0.2", replicas=2))
            platform.until(lambda version=version: len(platform.processes()) == 2 and version in shopper.versions)
    finally:
        shopper.leave.set()
        shopper.join()
    assert shopper.failures == []
    assert list(dict.fromkeys(shopper.versions)) == ["0", "1", "2", "3"]
    assert len(shopper.versions) > 100


def test_one_that_hangs_is_started_anew(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "SILENT", 1.0)
    monkeypatch.setattr(replica, "PATIENCE", 0.3)
    before = platform.ask(platform.up().addresses[0])["pid"]
    os.kill(before, signal.SIGSTOP)
    platform.until(lambda: not platform.child().ready)
    platform.until(lambda: platform.child().ready)
    assert platform.ask(platform.child().addresses[0])["pid"] != before
    assert not platform.alive(before)


def test_many_kills_leave_as_many_replicas_as_wanted_and_no_more(platform: Any) -> None:
    platform.up(replicas=3)
    killed = set()
    for turn in range(6):
        victim = platform.processes()[turn % 3]
        killed.add(victim)
        os.kill(victim, signal.SIGKILL)
        platform.until(lambda victim=victim: victim not in platform.processes() and len(platform.processes()) == 3)
    platform.until(lambda: platform.child().ready == 3)
    assert len(platform.processes()) == 3
    assert not any(map(platform.alive, killed))
    assert len(list(platform.home.sockets.glob("*-*.*"))) == 3


def test_a_service_that_needs_more_memory_than_it_may_have_fails_alone(platform: Any) -> None:
    platform.children.apply(platform.service(f"eat={2**30}", resources=Resources(memory=256 * 2**20)))
    platform.children.apply(platform.service(f"eat={2**20}", name="other", resources=Resources(memory=256 * 2**20)))
    platform.until(lambda: platform.child().phase == "Failed")
    assert "MemoryError" in platform.child().log_tail
    platform.until(lambda: platform.child("other").ready)


def test_a_log_that_grows_is_cut_and_its_older_part_kept_once(tmp_path: Path) -> None:
    log = tmp_path / "photos-0.log"
    descriptor = replica.open_log(log)
    os.write(descriptor, b"a" * 100)
    replica.shorten(log, 1000)
    assert log.stat().st_size == 100
    replica.shorten(log, 99)
    os.write(descriptor, b"b" * 10)
    os.close(descriptor)
    assert (log.read_bytes(), (tmp_path / "photos-0.log.1").read_bytes()) == (b"b" * 10, b"a" * 100)


def test_a_platform_that_may_open_no_more_files_goes_on_when_it_may_again(platform: Any) -> None:
    platform.up()
    platform.children.apply(platform.service(name="other"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 1, before[1]))
    opened: list[int] = []
    try:
        with suppress(OSError):
            while True:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        os.kill(platform.processes()[0], signal.SIGKILL)
        platform.until(lambda: "Too many open files" in platform.child().message)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in opened:
            os.close(descriptor)
    platform.until(lambda: platform.child().ready and platform.child("other").ready)


def test_a_log_that_was_removed_does_not_end_the_platform(platform: Any) -> None:
    platform.up()
    (platform.home.logs / "services" / "photos-0.log").unlink()
    platform.services.kept["photos"].replicas[0].log_due = 0.0
    platform.children.wait(0.2)
    assert platform.child().ready


def test_a_service_that_is_wanted_again_while_it_drains_comes_back(platform: Any) -> None:
    platform.up("deaf=1", drain=0.5)
    platform.children.delete("photos")
    assert platform.child().reason == "Draining"
    platform.up("version=2")
    assert platform.ask(platform.child().addresses[0])["version"] == "2"
    platform.until(lambda: len(platform.processes()) == 1)
