"""Where everything of one install lies: the folder layout of a home, closed to others, and the short folder for its sockets."""

import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from stat import S_IMODE, S_ISVTX

from lykeion.errors import Unavailable

PRIVATE = 0o700
OTHERS = 0o077
CLOSE_IT = "chmod it to 700 as its owner, or choose another with --home or LYKEION_HOME"


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
        """Make the folders that are not there, and close to others what was there and is ours."""
        inner = (self.locks, self.logs, self.documents, self.outputs, self.partial, self.staging, self.cache, self.models)
        try:
            for folder in (self.root, *inner):
                folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
                close_to_others(folder)
            for file in self.root.glob(f"{self.database.name}*"):
                close_to_others(file)
        except OSError as wrong:
            raise Unavailable(f"{self.root}: cannot be the home: {wrong.strerror}; choose another with --home or LYKEION_HOME") from wrong
        self.create_sockets()

    @property
    def exposure(self) -> str:
        """That others may look into the home, why that could not be changed, and what to do; "" where it is closed."""
        found = self.root.stat()
        if not found.st_mode & OTHERS:
            return ""
        why = "its file system keeps no such modes"
        if found.st_uid != os.getuid():
            why = f"it belongs to another user ({found.st_uid})"
        elif found.st_mode & S_ISVTX:
            why = "it is a folder for everybody"
        return f"{self.root}: others may look into this home (mode {S_IMODE(found.st_mode):o}), and it is not closed, since {why}"

    def create_sockets(self) -> None:
        """The socket folder, which nobody else may have made: whoever owns it could answer in our name."""
        folder = self.sockets
        for made in (folder.parent, folder):
            made.mkdir(mode=PRIVATE, exist_ok=True)
            found = made.stat(follow_symlinks=False)
            if found.st_uid != os.getuid() or found.st_mode & 0o077 or made.is_symlink():
                raise Unavailable(f"{made}: sockets lie there, but it is not a folder of yours alone; remove it, or chmod it to 700")


def close_to_others(path: Path) -> None:
    """Take from others what they may do with what is ours. A folder for everybody, as /tmp, stays one; what fails, `exposure` tells."""
    with suppress(FileNotFoundError):  # SQLite removes its files at any time
        found = path.lstat()
        if found.st_uid == os.getuid() and found.st_mode & OTHERS and not found.st_mode & S_ISVTX and not path.is_symlink():
            with suppress(PermissionError):
                path.chmod(S_IMODE(found.st_mode) & ~OTHERS)
