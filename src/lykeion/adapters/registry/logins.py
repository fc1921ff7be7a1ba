"""Who one is at a registry: what `docker login` or `podman login` left in their `config.json`, helpers included."""

import json
import os
import subprocess
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lykeion.errors import Invalid, Problem

HELPER_SECONDS = 30.0
NO_USER = "<token>"  # what helpers say in place of a user where the secret is an identity token


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a secret, or an identity token. `source` says where it comes from, for errors; the secret is never shown."""

    user: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    source: str = ""


def places() -> list[Path]:
    """Where logins are kept, the first one that has a host counts."""
    said = [Path(os.environ["REGISTRY_AUTH_FILE"])] if os.environ.get("REGISTRY_AUTH_FILE") else []
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return [*said, docker, *([Path(runtime) / "containers" / "auth.json"] if runtime else [])]


def login_for(host: str) -> Login | None:
    """The login for a registry; None where nobody has logged in. Raises Invalid for a file that cannot be read."""
    for path in places():
        try:
            config = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise Invalid(
                [Problem(f"logins cannot be read: {error}", file=str(path), remedy="log in again, or remove the file")]
            ) from error
        if isinstance(config, dict) and (found := from_config(config, host, path)):
            return found
    return None


def from_config(config: dict[str, Any], host: str, path: Path) -> Login | None:
    helper = (config.get("credHelpers") or {}).get(host) or config.get("credsStore")
    if helper and (found := from_helper(str(helper), host)):
        return found
    for name, entry in (config.get("auths") or {}).items():
        if name.removeprefix("https://").removeprefix("http://").partition("/")[0] == host and isinstance(entry, dict):
            return from_entry(entry, f"{path}")
    return None


def from_entry(entry: dict[str, Any], source: str) -> Login | None:
    if entry.get("identitytoken"):
        return Login(token=str(entry["identitytoken"]), source=source)
    if entry.get("auth"):
        try:
            user, _, secret = b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except ValueError as error:
            raise Invalid([Problem("a login is not readable: its `auth` is no base64", file=source, remedy="log in again")]) from error
        return Login(user, secret.rstrip("\0"), source=source)
    if entry.get("username"):
        return Login(str(entry["username"]), str(entry.get("password", "")), source=source)
    return None


def from_helper(name: str, host: str) -> Login | None:
    """From `docker-credential-NAME get`; None where it has none. Raises Invalid where it is not there."""
    program = f"docker-credential-{name}"
    try:
        said = subprocess.run([program, "get"], input=host, capture_output=True, text=True, timeout=HELPER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "it does not answer"
        raise Invalid(
            [Problem(f"{program}, which keeps the logins, cannot be run: {why}", remedy="install it, or log in again")]
        ) from error
    if said.returncode:
        return None
    try:
        told = json.loads(said.stdout)
        user, secret = str(told["Username"]), str(told["Secret"])
    except (ValueError, KeyError, TypeError):
        return None
    return Login(token=secret, source=program) if user == NO_USER else Login(user, secret, source=program)
