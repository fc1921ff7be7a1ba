"""Runs uv: it resolves and installs for the image's platform. The user's indexes and passwords (UV_*, netrc) are its business alone."""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from uv import find_uv_bin

from lykeion.core.images.locks import without_secrets
from lykeion.core.images.wheels import Target

UNREACHABLE = re.compile(
    r"error sending request|dns error|timed out|connection|offline|HTTP status (?:server error|too many)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of uv ended. `said`: what it wrote about a failure, without names and passwords in URLs."""

    ok: bool
    out: str
    said: str

    @property
    def is_unreachable(self) -> bool:
        """Whether trying again later may help."""
        return not self.ok and bool(UNREACHABLE.search(self.said))


def uv(arguments: Sequence[str], given: str = "", folder: str | None = None) -> Ended:
    """Run it with `given` on its standard input, in `folder`, whose settings for uv hold."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    command = [find_uv_bin(), *arguments]
    ended = subprocess.run(command, input=given, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    return Ended(not ended.returncode, ended.stdout, without_secrets(ended.stderr).strip())


def for_target(target: Target) -> list[str]:
    """What says that an image is meant: wheels only, since nothing of a package may run here."""
    return ["--quiet", "--python-platform", target.platform, "--python-version", target.version, "--only-binary", ":all:"]
