"""What others have named is read only where it is a file, and never waited for."""

import os
import socket
from pathlib import Path

import pytest

from lykeion.outside import NotAFile, read_outside


def test_a_file_is_read_through_links(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_outside(tmp_path / "link") == b"content"


def test_a_pipe_a_socket_a_folder_and_devices_are_refused_with_what_they_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path, kind in {
            tmp_path / "pipe": "pipe",
            tmp_path / "link": "pipe",
            tmp_path / "socket": "socket",
            tmp_path: "folder",
            Path("/dev/zero"): "device",
        }.items():
            with pytest.raises(NotAFile, match=f"it is a {kind}, not a file"):
                read_outside(path)


def test_what_is_not_there_is_said_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_outside(tmp_path / "gone")
