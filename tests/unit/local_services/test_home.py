"""A home: its folders, its sockets, its locks and its bell."""

import os
import select
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lykeion.adapters.local.home import Home
from lykeion.adapters.local.locks import Lock, is_held
from lykeion.adapters.local.schema import connect
from lykeion.adapters.local.wake import Bell
from lykeion.errors import Unavailable


def test_a_home_is_made_with_its_folders_and_closed_to_others(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "deep" / "home")
    assert all(folder.is_dir() for folder in (home.outputs, home.partial, home.staging, home.cache, home.models, home.logs, home.documents))
    assert home.root.stat().st_mode & 0o777 == 0o700
    assert Home.at(home.root) == home


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_home_that_was_there_open_to_others_is_closed_with_its_state(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("state.db", "state.db-wal", "mine.txt"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o664)
    (tmp_path / "outputs").mkdir(mode=0o755)
    home = Home.at(tmp_path)
    assert (mode(home.root), mode(home.outputs), mode(home.cache)) == (0o700, 0o700, 0o700)
    assert (mode(home.database), mode(tmp_path / "state.db-wal")) == (0o600, 0o600)
    assert mode(tmp_path / "mine.txt") == 0o664  # no business of ours, behind a closed door
    assert home.exposure == ""


def test_the_state_is_made_for_its_owner_only_in_whatever_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    before = os.umask(0)
    try:
        with closing(connect(tmp_path / "state.db")) as database:
            database.execute("DELETE FROM event")
            assert {mode(path) for path in tmp_path.glob("state.db*")} == {0o600}
    finally:
        os.umask(before)


def test_a_folder_for_everybody_stays_one_and_it_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    home = Home.at(tmp_path)
    assert mode(home.root) == 0o1777
    assert "(mode 1777), and it is not closed, since it is a folder for everybody" in home.exposure
    assert mode(home.outputs) == 0o700
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_stays_as_it_is_and_it_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 12345, -1)
    home = Home.at(tmp_path)
    assert mode(home.root) == 0o755
    assert "it belongs to another user (12345)" in home.exposure


def test_a_link_in_an_open_home_leads_nobody_to_change_what_lies_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "elsewhere").chmod(0o644)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "state.db").symlink_to(tmp_path / "elsewhere")
    Home.at(tmp_path / "home")
    assert mode(tmp_path / "elsewhere") == 0o644


def test_socket_paths_are_short_wherever_the_home_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp/" + "x" * 90)
    home = Home.at(tmp_path / ("a" * 100) / ("b" * 100))
    assert len(str(home.sockets)) < 60
    assert home.sockets.stat().st_mode & 0o777 == 0o700
    assert home.sockets != Home.at(tmp_path / "other").sockets


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.sockets.chmod(0o755)
    with pytest.raises(Unavailable, match="chmod"):
        Home.at(tmp_path / "home")
    home.sockets.chmod(0o700)


def test_a_home_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="LYKEION_HOME"):
        Home.at(tmp_path / "file" / "home")


def test_a_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "controller"
    with Lock(path, "lykeion up") as lock:
        assert lock.held
        assert is_held(path)
        with pytest.raises(Unavailable, match=rf"lykeion up \(process {os.getpid()}\)"):
            Lock(path, "lykeion run").acquire()
    assert not is_held(path)
    assert Lock(path, "again").try_acquire()


def test_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "controller"
    program = f"""
from pathlib import Path; from lykeion.adapters.local.locks import Lock; import sys, time
lock = Lock(Path({str(path)!r}), "lykeion up"); lock.acquire(); print("held", flush=True); time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert not Lock(path, "me").try_acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with Lock(path, "me") as lock:
        assert lock.held


def test_a_bell_wakes_the_others_and_not_the_one_that_rings(tmp_path: Path) -> None:
    one, two = Bell(tmp_path), Bell(tmp_path)
    one.listen()
    two.listen()
    one.ring()
    one.ring()
    assert select.select([two], [], [], 1)[0]
    assert (two.hush(), two.hush(), one.hush()) == (True, False, False)
    one.close()
    two.close()
    assert list(tmp_path.iterdir()) == []


def test_a_bell_that_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    dead, living = Bell(tmp_path), Bell(tmp_path)
    dead.listen()
    dead.socket.close()
    living.ring()
    assert list(tmp_path.iterdir()) == []
    living.close()


def test_ringing_never_waits_for_a_listener_that_does_not_listen(tmp_path: Path) -> None:
    deaf, one = Bell(tmp_path), Bell(tmp_path)
    deaf.listen()
    for _ in range(2000):
        one.ring()
    assert deaf.hush()
    deaf.close()
    one.close()
