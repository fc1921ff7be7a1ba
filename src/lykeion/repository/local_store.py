"""An object store in a folder of this machine, by plain file operations.

An object appears whole or not at all, also after a crash: it is written beside (`.staging/`), synced, and then linked (create-only) or
renamed (replace) into place, and the folder is synced. `link` fails where the name exists, which makes create-only put exact among
any number of processes. obstore is not used for it: used before a fork it would hang the child, and steps are forked.

A large file is not copied where that can be helped: it becomes an object as a clone of its own (`FICLONE`: btrfs, XFS, bcachefs), or,
where it is read-only to everybody as outputs of steps are, as a second name of the same file.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from lykeion.core.content import is_executable
from lykeion.durable import sync_folder
from lykeion.errors import Invalid, NotFound, Refused, Unavailable

CHUNK = 1 << 20
RETRIES = 100
STAGING = ".staging"
LEFT = 86400.0  # seconds
FOR_GOOD = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG)
FICLONE = 0x40049409  # linux/fs.h


class LocalStore:
    """Fulfils ports.ObjectStore under `root`, which is made when something is first written."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.swept = False

    def put(self, key: str, data: bytes) -> None:
        self.upload(key, (data,))

    def create(self, key: str, data: bytes) -> bool:
        target = self.file(key)
        if os.path.exists(target):  # False where nobody may look: writing will say so
            return False
        beside = self._write((data,))
        try:
            self._place(target, lambda: os.link(beside, target))
        except FileExistsError:
            return False
        finally:
            beside.unlink()
        return True

    def upload(self, key: str, chunks: Iterable[bytes], *, executable: bool = False) -> None:
        target = self.file(key)
        beside = self._write(chunks, executable)
        try:
            self._place(target, lambda: beside.replace(target))
        finally:
            beside.unlink(missing_ok=True)

    def adopt(self, key: str, file: Path) -> bool:
        target = self.file(key)
        beside = self._beside()
        try:
            if not (cloned(file, beside) or linked(file, beside)):
                return False
            self._place(target, lambda: beside.replace(target))
        finally:
            beside.unlink(missing_ok=True)  # also after the rename, which does nothing between two names of one file
        return True

    def make_folder(self, key: str) -> None:
        with writing(self.root):
            make_folder(self.file(key))

    def get(self, key: str) -> bytes:
        try:
            return self.file(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(f"{self.root} has no {key}") from error
        except OSError as error:
            raise failure(f"cannot read {self.file(key)}", error) from error

    def read(self, key: str, start: int = 0) -> Iterator[bytes]:
        try:
            stream = self.file(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise NotFound(f"{self.root} has no {key}") from error
        except OSError as error:
            raise failure(f"cannot read {self.file(key)}", error) from error
        with stream:
            stream.seek(start)
            while chunk := stream.read(CHUNK):
                yield chunk

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        for folder, inner, files in os.walk(self.file(prefix)):
            inner[:] = [name for name in inner if name != STAGING]
            for name in files:
                path = Path(folder, name)
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue  # deleted meanwhile
                yield path.relative_to(self.root).as_posix(), size

    def names(self, prefix: str) -> Sequence[str]:
        try:
            return [name for name in os.listdir(self.file(prefix)) if name != STAGING]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise failure(f"cannot read {self.file(prefix)}", error) from error

    def delete(self, keys: Iterable[str]) -> None:
        """Folders that become empty go with what was in them."""
        folders: set[Path] = set()
        for key in keys:
            path = self.file(key)
            if path.is_dir():
                folders.update(Path(above) for above, _, _ in os.walk(path))
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise failure(f"cannot delete {path}", error) from error
            folders.add(path.parent)
        for folder in sorted(folders, reverse=True):
            remove_empty(folder, self.root)

    def local_path(self, key: str) -> Path:
        return self.file(key)

    def file(self, key: str) -> Path:
        if any(part in ("", ".", "..") for part in key.split("/")) and key:
            raise Invalid(f"{key!r} is no key: it has an empty part, '.' or '..'")
        return self.root / key

    def _place(self, target: Path, place: Callable[[], object]) -> None:
        """Put a written file where it belongs, durably. FileExistsError passes."""
        for _ in range(RETRIES):
            try:
                make_folder(target.parent)
                place()
            except FileNotFoundError:
                continue  # the folder was empty, and somebody removed it just now
            except FileExistsError:
                raise
            except OSError as error:
                raise failure(f"cannot write {target}", error) from error
            with suppress(FileNotFoundError):  # deleted again already
                sync_folder(target.parent)
            return
        raise Unavailable(f"cannot write {target}: its folder is removed again and again")

    def _sweep(self) -> None:
        """Once: remove what writers that were killed left, which is whatever nobody has written to for a day."""
        if self.swept:
            return
        self.swept = True
        for left in (self.root / STAGING).iterdir():
            with suppress(FileNotFoundError):
                now = left.stat()  # a second name of an old file is new, and costs nothing while there is the first
                if now.st_nlink == 1 and time.time() - now.st_mtime > LEFT:
                    left.unlink()

    def _beside(self) -> Path:
        """Where something is made before it is put in its place."""
        with writing(self.root):
            make_folder(self.root / STAGING)
            self._sweep()
        return self.root / STAGING / uuid4().hex

    def _write(self, chunks: Iterable[bytes], executable: bool = False) -> Path:
        """A synced file beside, read-only: what is published does not change. What `chunks` raises passes, and nothing stays."""
        beside = self._beside()
        with writing(self.root):
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            for chunk in chunks:
                with writing(self.root):
                    write_all(handle, chunk)
            with writing(self.root):
                os.fchmod(handle, 0o555 if executable else 0o444)
                os.fsync(handle)
        except BaseException:
            beside.unlink()
            raise
        finally:
            os.close(handle)
        return beside


def cloned(file: Path, to: Path) -> bool:
    """A synced, read-only file with the same blocks, of which each is copied when one of the two is written; False where that cannot be."""
    handle = -1
    try:
        with file.open("rb") as source:
            handle = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.ioctl(handle, FICLONE, source.fileno())
            executable = is_executable(os.fstat(source.fileno()).st_mode)
        os.fchmod(handle, 0o555 if executable else 0o444)
        os.fsync(handle)
    except OSError:  # another file system, or one that cannot do it
        to.unlink(missing_ok=True)
        return False
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def linked(file: Path, to: Path) -> bool:
    """A second name for a file that nobody writes to any more; False where somebody might, and where that cannot be."""
    try:
        if not stat.S_ISREG(mode := file.lstat().st_mode) or mode & 0o222:
            return False
        os.link(file, to, follow_symlinks=False)
    except OSError:
        return False
    return True


def write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """A full disk, a missing permission: said in a sentence."""
    try:
        yield
    except OSError as error:
        raise failure(f"cannot write to {root}", error) from error


def failure(what: str, error: OSError) -> Unavailable:
    """`what` ("cannot write X") and why; Refused where it will not go better next time."""
    if error.errno in FOR_GOOD:
        return Refused(f"{what}: {error.strerror}; trying again does not help: give yourself the right to it, or use another folder")
    return Unavailable(f"{what}: {error.strerror}")


def make_folder(folder: Path) -> None:
    """With all above it, each of them synced into its parent: after a power cut it is still there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # made by somebody else, and perhaps gone again: whoever writes there will see
        os.mkdir(folder)
        sync_folder(folder.parent)


def remove_empty(folder: Path, root: Path) -> None:
    """`folder` and those above it, below `root`, as far as nothing is in them."""
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or gone already
        folder = folder.parent
