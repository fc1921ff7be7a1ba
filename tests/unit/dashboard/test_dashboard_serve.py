"""The process: on a socket that was opened for it, until it is told to end."""

import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lykeion.adapters.local.token import token_of
from lykeion.dashboard.serve import arguments


@contextmanager
def serving(home: Path, *argv: str, fds: tuple[int, ...] = ()) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "lykeion.dashboard.serve", "--home", str(home), *argv]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=fds)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def get(url: str, host: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read()


def test_it_answers_on_a_socket_that_it_inherits_and_the_port_outlives_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for _ in range(2):
            with serving(tmp_path, "--fd", str(listener.fileno()), fds=(listener.fileno(),)) as (_, said):
                assert said == url
                assert get(f"{url}/healthz") == (200, b'{"alive":true}')
                assert b"Find it by a photo" in get(url)[1]
        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_it_takes_a_port_and_names_that_are_allowed(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0", "--host", "lab.example") as (_, url):
        assert get(f"{url}/healthz", "lab.example")[0] == 200
        assert url.startswith("http://127.0.0.1:")


def test_an_open_page_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as (process, url):
        page = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=10)
        page.sendall(f"GET /api/v1/watch HTTP/1.1\r\nHost: localhost\r\nX-Lykeion-Token: {token_of(tmp_path)}\r\n\r\n".encode())
        heard = b""
        while b"synced" not in heard:
            heard += page.recv(65536)
        process.send_signal(signal.SIGTERM)
        assert process.wait(8) in (0, -signal.SIGTERM)
        page.close()


def test_of_a_head_without_end_little_is_read_and_it_is_told_so(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as (_, url), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 40_000)
        assert caller.recv(4096).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        passed = 0
        with suppress(ConnectionError):
            for _ in range(2000):
                caller.sendall(b"a" * 100_000)
                passed += 100_000
        assert passed < 50_000_000, "what the sockets hold, and no more"
        assert get(f"{url}/healthz")[0] == 200


def test_a_url_with_letters_beyond_ascii_needs_no_escapes(tmp_path: Path) -> None:
    with serving(tmp_path, "--port", "0") as (_, url), socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as caller:
        caller.sendall("GET /v1/search/möbel?filter=colour:röt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        heard = b""
        while piece := caller.recv(65536):
            heard += piece
    assert heard.startswith(b"HTTP/1.1 404")
    assert "no family 'möbel' is served here".encode() in heard


def test_it_ends_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lykeion.dashboard.serve", "--home", str(tmp_path), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert errors == ""


@pytest.mark.parametrize("argv", [[], ["--home", "h"], ["--home", "h", "--port", "1", "--fd", "2"], ["--home", "h", "--port", "x"]])
def test_it_must_be_told_where_to_listen(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments(argv)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
