"""The token of an install: what its owner can read and other users of the machine cannot, so that it proves who asks the port."""

import os
import secrets
from pathlib import Path

from lykeion.errors import Corrupt

PRIVATE = 0o600
OTHERS = 0o077


def token_of(home: Path) -> str:
    """The token, in a file that only its owner can read; made when first asked for, once though many ask at once.

    Raises Corrupt where the file is empty, since anybody can show nothing.
    """
    path = home / "token"
    if not path.exists():
        make(path, home / f".token.{os.getpid()}")
    if path.stat().st_mode & OTHERS:
        path.chmod(PRIVATE)
    token = path.read_text().strip()
    if not token:
        raise Corrupt(f"{path}: it is empty; remove it, and start `lykeion up` again: a new one is made")
    return token


def make(path: Path, beside: Path) -> None:
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as file:
        file.write(secrets.token_urlsafe(32))
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()


def page_with_token(url: str, token: str) -> str:
    """The address that opens the pages with the token. In the fragment: browsers send it to nobody, so no server can log it."""
    return f"{url}/#token={token}"
