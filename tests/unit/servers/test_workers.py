"""The supervisor, with real processes."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from lykeion.testing.servers import ask, until

ECHO = str(Path(__file__).with_name("echo_server.py"))


class Started:
    def __init__(self, folder, workers=2, how="good", drain=()):
        self.socket = folder / "s"
        self.behaviour = folder / "behaviour"
        self.behaviour.write_text(how)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, ECHO, str(self.socket), str(self.behaviour), str(workers), *map(str, drain)], stderr=log
            )

    def readyz(self):
        try:
            return ask(self.socket, "/readyz").json
        except OSError:
            return {"ready": False, "addresses": [], "acknowledged": {}, "reason": ""}

    def up(self, workers=2):
        return until(lambda: len(found := self.readyz()["addresses"]) == workers and found, 15, "readiness")

    def pids(self):
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def metric(self, name):
        found = re.search(rf"^{name} (\S+)$", ask(self.socket, "/metrics").body.decode(), re.MULTILINE)
        return float(found[1]) if found else None


@pytest.fixture
def start():
    with TemporaryDirectory() as folder:
        made = []

        def start(**options):
            made.append(Started(Path(folder), **options))
            return made[0]

        yield start
        for one in made:
            children = [psutil.Process(pid) for pid in one.pids()] if one.process.poll() is None else []
            one.process.kill()
            one.process.wait()
            psutil.wait_procs(children, 5)


def echo(address):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(address.removeprefix("unix:"))
        return int(client.recv(100))


def ended(process):
    """Gone, or waiting for somebody to take note of its end."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_each_worker_answers_at_an_address_of_its_own(start):
    server = start(workers=3)
    addresses = server.up(3)
    assert addresses == [f"unix:{server.socket}.{number}" for number in range(3)]
    assert {echo(address) for address in addresses} == server.pids()
    assert server.readyz()["acknowledged"] == {"document": "good"}
    assert ask(server.socket, "/healthz").status == ask(server.socket, "/readyz").status == 200
    assert ask(server.socket, "/other").status == 404


def test_a_killed_worker_comes_back_at_its_address(start):
    server = start()
    addresses = server.up()
    victim = echo(addresses[1])
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.pids() and len(server.pids()) == 2, what="a new worker")
    assert server.up() == addresses
    assert echo(addresses[1]) != victim
    assert "killed by SIGKILL" in server.log.read_text()


def test_what_a_worker_counted_is_not_lost_with_it(start):
    server = start()
    first, second = server.up()
    for address in (first, first, second):
        echo(address)
    until(lambda: server.metric("echo_answers_total") == 3)
    victim = echo(first)
    until(lambda: server.metric("echo_answers_total") == 4)
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in server.pids())
    server.up()
    echo(first)
    until(lambda: server.metric("echo_answers_total") == 5)


def test_workers_that_end_again_and_again_are_tried_ever_more_slowly_and_the_reason_is_told(start):
    server = start(workers=1, how="crash")
    said = until(lambda: "CrashLoopBackOff" in (found := server.readyz())["reason"] and found, 15)
    assert said["ready"] is False
    assert "ValueError: as told" in server.log.read_text()
    server.behaviour.write_text("good")
    server.up(1)


def test_on_sigterm_what_was_begun_is_finished_and_all_end(start):
    server = start(workers=1, how="slow")
    (address,) = server.up(1)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(address.removeprefix("unix:"))
        server.process.terminate()
        assert int(client.recv(100)) > 0
    assert server.process.wait(10) == 0
    assert not server.socket.exists()
    assert not Path(f"{server.socket}.0").exists()


def test_workers_die_with_a_supervisor_that_is_killed(start):
    server = start()
    server.up()
    workers = [psutil.Process(pid) for pid in server.pids()]
    server.process.kill()
    server.process.wait()
    assert len(workers) == 2
    until(lambda: all(ended(worker) for worker in workers), 5)


def test_sighup_replaces_every_worker_without_a_moment_in_which_nobody_answers(start):
    server = start()
    server.up()
    before = server.pids()
    server.behaviour.write_text("new")
    server.process.send_signal(signal.SIGHUP)

    def replaced():
        found = server.readyz()
        assert found["ready"]
        assert echo(found["addresses"][-1])
        return found["acknowledged"] == {"document": "new"} and not before & server.pids()

    until(replaced, 15)
    assert len(server.up()) == 2
    assert server.metric("echo_answers_total") > 0


def test_what_workers_share_is_loaded_again_before_each_fork(start):
    server = start(workers=1)
    (address,) = server.up(1)
    os.kill(echo(address), signal.SIGKILL)
    until(lambda: (server.metric("echo_loads") or 0) >= 2, 15)


def test_a_worker_that_will_not_leave_is_killed_when_the_time_to_drain_is_over(start):
    server = start(workers=2, how="stubborn", drain=[0.3])
    server.up()
    workers = [psutil.Process(pid) for pid in server.pids()]
    server.process.terminate()
    assert server.process.wait(10) == 0
    until(lambda: all(ended(worker) for worker in workers), 5)


def test_while_it_drains_it_is_not_ready_and_says_so_and_nothing_starts_again(start):
    server = start(workers=1, how="stubborn", drain=[3])
    server.up(1)
    (worker,) = server.pids()
    server.process.terminate()
    said = until(lambda: (found := server.readyz())["reason"] == "draining" and found)
    assert (said["ready"], said["addresses"]) == (False, [])
    assert ask(server.socket, "/healthz").status == 200
    server.process.terminate()  # told twice is as once
    server.process.send_signal(signal.SIGHUP)
    os.kill(worker, signal.SIGKILL)
    assert server.process.wait(10) == 0


@pytest.mark.parametrize("how", ["crash", "never ready"])
def test_what_is_to_replace_a_worker_and_never_gets_ready_leaves_the_old_one_at_work(start, how):
    server = start(workers=2)
    server.up()
    before = server.pids()
    server.behaviour.write_text(how)
    server.process.send_signal(signal.SIGHUP)
    if how == "crash":
        until(lambda: server.log.read_text().count("ValueError: as told") >= 2, what="a try for each")
    else:
        until(lambda: len(server.pids()) == 3, what="a third worker")
    assert {echo(address) for address in server.up()} == before
    if how == "crash":  # between two tries; one that has just begun has acknowledged nothing
        until(lambda: server.readyz()["acknowledged"] == {"document": "good"}, what="what the old ones hold")
    server.process.terminate()
    assert server.process.wait(10) == 0


def test_a_worker_that_dies_while_it_is_replaced_is_not_missed(start):
    server = start(workers=1)
    server.up(1)
    (old,) = server.pids()
    server.behaviour.write_text("never ready")
    server.process.send_signal(signal.SIGHUP)
    until(lambda: len(server.pids()) == 2, what="its replacement")
    os.kill(old, signal.SIGKILL)
    server.behaviour.write_text("good")
    assert len(server.up(1)) == 1
