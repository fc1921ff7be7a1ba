"""Where everything of one install lies: the folder layout of a home, and the short folder for its sockets."""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lykeion.errors import Unavailable

PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class Home:
    """The home of an install, which is also the volume: paths in a StepFile are relative to `root`."""

    root: Path

    @staticmethod
    def at(folder: str | Path) -> "Home":
        """The home at `folder` ("~" is understood), made where it is not there yet. Raises Unavailable where it cannot be."""
        home = Home(Path(folder).expanduser().absolute())
        home.create()
        return home

    @staticmethod
    def chosen(folder: str | None) -> "Home":
        """The home at `folder`, else at $LYKEION_HOME, else at ~/.lykeion. Raises Unavailable as `at` does."""
        return Home.at(folder or os.environ.get("LYKEION_HOME") or "~/.lykeion")

    @property
    def database(self) -> Path:
        return self.root / "state.db"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def partial(self) -> Path:
        return self.root / "partial"

    @property
    def staging(self) -> Path:
        return self.root / "staging"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    @property
    def documents(self) -> Path:
        return self.root / "documents"

    @property
    def routes(self) -> Path:
        return self.documents / "routes.json"

    @property
    def token(self) -> str:
        """Names this home in ten characters: of its sockets' folder, and in the environment of what it starts."""
        return sha256(os.fsencode(self.root)).hexdigest()[:10]

    @property
    def sockets(self) -> Path:
        """Not below the home: the path of a Unix socket may have 107 characters."""
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
        if len(os.fsencode(base)) > 48 or not os.access(base, os.W_OK):
            base = Path("/tmp")
        return base / f"lykeion-{os.getuid()}" / self.token

    def create(self) -> None:
        """Make the folders that are not there. What is private to the user is closed to others."""
        try:
            for folder in (self.root, self.locks, self.logs, self.documents):
                folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            for folder in (self.outputs, self.partial, self.staging, self.cache, self.models):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as wrong:
            raise Unavailable(f"{self.root}: cannot be the home: {wrong.strerror}; choose another with --home or LYKEION_HOME") from wrong
        self.create_sockets()

    def create_sockets(self) -> None:
        """The socket folder, which nobody else may have made: whoever owns it could answer in our name."""
        folder = self.sockets
        for made in (folder.parent, folder):
            made.mkdir(mode=PRIVATE, exist_ok=True)
            found = made.stat(follow_symlinks=False)
            if found.st_uid != os.getuid() or found.st_mode & 0o077 or made.is_symlink():
                raise Unavailable(f"{made}: sockets lie there, but it is not a folder of yours alone; remove it, or chmod it to 700")
