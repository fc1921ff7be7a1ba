"""What the doctor finds in a healthy home, and in homes with one thing wrong."""

import json
import os
import socket
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from lykeion.adapters.local.doctor import Check, check_all
from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock
from lykeion.adapters.local.resources import SqliteResources
from lykeion.adapters.local.services import TOKEN
from lykeion.adapters.volume.manifest import MANIFEST_FILE, Manifest, SealedFile
from lykeion.testing.clock import FakeClock
from lykeion.testing.resources import FakeResources


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def found(home: Home, port: int = 0, serving: bool = False) -> dict[str, Check]:
    return {check.name: check for check in check_all(home, port, FakeResources(FakeClock()), serving)}


def output(home: Home, content: bytes, says: bytes | None = None) -> str:
    key = sha256(content).hexdigest()
    data = home.outputs / key / "out" / "data"
    data.parent.mkdir(parents=True)
    data.write_bytes(content)
    file = SealedFile("data", len(content), sha256(content if says is None else says).hexdigest(), 1, 2, 3)
    (home.outputs / key / MANIFEST_FILE).write_text(Manifest(key, "read", {"out": (file,)}).to_json())
    return key


def test_a_healthy_home_has_nothing_wrong_and_nothing_to_remedy(home: Home) -> None:
    SqliteResources(home.database, FakeClock()).close()
    output(home, b"whole")
    checks = found(home)
    wrong = [check for check in checks.values() if check.ok is False and check.name not in ("disk", "open files")]
    assert wrong == []
    assert checks["outputs"].detail.startswith("the newest 1 are whole")
    assert not any(check.remedy for check in checks.values() if check.ok)


def test_a_home_that_others_may_look_into_is_wrong_with_the_way_out(home: Home) -> None:
    assert found(home)["privacy"] == Check("privacy", True, "the home is closed to other users")
    home.root.chmod(0o1755)
    check = found(home)["privacy"]
    assert check.ok is False
    assert "mode 1755" in check.detail
    assert "chmod" in check.remedy
    home.root.chmod(0o700)


def test_everything_that_is_wrong_has_a_way_out(home: Home) -> None:
    home.database.write_bytes(b"not a database" * 100)
    output(home, b"damaged", says=b"as it was")
    checks = found(home)
    assert not checks["resources"].ok
    assert not checks["outputs"].ok
    assert all(check.remedy for check in checks.values() if check.ok is False)


def test_an_output_with_other_bytes_than_its_manifest_says_is_named(home: Home) -> None:
    output(home, b"good")
    key = output(home, b"bad", says=b"other")
    assert key in found(home)["outputs"].detail


def test_a_damaged_page_of_the_database_is_found(home: Home) -> None:
    store = SqliteResources(home.database, FakeClock())
    store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    with home.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))
    assert not found(home)["resources"].ok


def test_a_port_that_is_taken_is_told_unless_it_is_ours(home: Home) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        taken = found(home, port)["port"]
        assert (taken.ok, "--port 0" in taken.remedy) == (False, True)
        assert found(home, port, serving=True)["port"].ok


def test_who_holds_a_lock_is_named(home: Home) -> None:
    assert found(home)["locks"].detail == "none is held"
    with Lock(home.locks / "up", "http://127.0.0.1:1"):
        assert found(home)["locks"].detail == f"up: http://127.0.0.1:1 (process {os.getpid()})"


def test_services_without_a_platform_are_found(home: Home) -> None:
    left = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={**os.environ, TOKEN: home.token})
    try:
        assert str(left.pid) in found(home)["services"].detail
        assert found(home, serving=True)["services"].ok
    finally:
        left.communicate(b"\n")
    assert found(home)["services"].ok


def test_checks_change_nothing(home: Home) -> None:
    SqliteResources(home.database, FakeClock()).close()
    before = sorted(str(path) for path in home.root.rglob("*"))
    found(home)
    assert sorted(str(path) for path in home.root.rglob("*") if not path.name.startswith("state.db-")) == before


def test_a_check_is_plain_enough_for_json(home: Home) -> None:
    assert json.dumps([[check.name, check.ok, check.detail, check.remedy] for check in check_all(home, 0, FakeResources(FakeClock()))])
