"""Root file systems unpacked from images: layer over layer, nothing outside the folder, nothing that is not a file, folder or link.

What an image says of owners, set-user-id bits, devices and pipes is passed over: a container is one user without capabilities, and its
devices are its runtime's. A root appears by one rename when it is whole and on the disk, so it is never seen half-unpacked.
"""

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from errno import ENAMETOOLONG, ENOSPC
from hashlib import sha256
from shutil import copyfileobj, rmtree
from tarfile import TarInfo

from lykeion.adapters.images.codecs import UNREADABLE, unpack
from lykeion.adapters.images.store import Store
from lykeion.adapters.local.containment import libc
from lykeion.core.images.oci import Image, Layer
from lykeion.errors import Corrupt, Invalid, Problem

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"  # OCI image specification, "Image layer filesystem changeset"
LINKS_IN_A_ROW = 40  # as the kernel counts
DEEPEST = 250  # folders, of which Python takes a tree away one inside of the other
FOLDERS = ("proc", "dev", "sys", "tmp", "run", "etc", "lykeion")  # where a runtime mounts something
FILES = ("etc/resolv.conf", "etc/hosts", "etc/hostname")


def unpack_image(store: Store, image: Image, folder: str, target: str) -> None:
    """Unpack into `target`, by way of `folder` beside it, which nobody else uses meanwhile.

    Raises Invalid for what cannot be in a root file system, Corrupt for layers that are not what the image says, OSError for a full disk.
    """
    rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o755)
    try:
        for layer in image.layers:
            try:
                Tree(folder).apply(store, layer)
            except Corrupt:
                store.drop_damaged(layer.descriptor.digest)  # so that pulling or building it again helps
                raise
        furnish(folder)
        sync(folder)
        os.rename(folder, target)
    finally:
        rmtree(folder, ignore_errors=True)


def furnish(root: str) -> None:
    """Make the places that are mounted over; a link there would lead the mount astray."""
    for name in FOLDERS:
        place = f"{root}/{name}"
        if os.path.islink(place) or not os.path.isdir(place):
            remove(place)
            os.mkdir(place)
    os.chmod(f"{root}/tmp", 0o1777)  # runc gives what it mounts there the mode of what lies below
    for name in FILES:
        place = f"{root}/{name}"
        if os.path.islink(place) or not os.path.isfile(place):
            remove(place)
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))


def sync(folder: str) -> None:
    """Make all of it durable: after a power failure a name without its bytes would be a wrong result's beginning."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        libc.syncfs(opened)
    finally:
        os.close(opened)


class Tree:
    """A folder that one more layer is laid over."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.made: set[str] = set()  # by this layer, which an opaque whiteout spares
        self.resolved: dict[str, str] = {}

    def apply(self, store: Store, layer: Layer) -> None:
        """Raises Invalid, Corrupt, OSError."""
        tar = Tar(unpack(layer.descriptor.media_type, store.read(layer.descriptor.digest)))
        try:
            with tarfile.open(fileobj=tar, mode="r|") as members:
                for member in members:
                    try:
                        self.put(member, members)
                    except ValueError as error:
                        raise refused(member, str(error)) from error
                    except OSError as error:
                        if error.errno != ENAMETOOLONG:
                            raise
                        raise refused(member, "its name is too long") from error
            tar.drain()
        except UNREADABLE as error:
            raise Corrupt(f"layer {layer.descriptor.digest} cannot be unpacked: {error}; pull or build the image again") from error
        if tar.digest != layer.diff_id:
            raise Corrupt(f"layer {layer.descriptor.digest} unpacks to {tar.digest}, not {layer.diff_id}; pull or build the image again")

    def put(self, member: TarInfo, members: tarfile.TarFile) -> None:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if not parts:
            return
        if ".." in parts:
            raise refused(member, "it leads out of the root")
        if len(parts) > DEEPEST:
            raise refused(member, f"it lies more than {DEEPEST} folders deep")
        parent = self.folder("/".join(parts[:-1]), member)
        name = parts[-1]
        if name == OPAQUE:
            for entry in os.listdir(parent):
                self.hide(f"{parent}/{entry}")
        elif name.startswith(WHITEOUT):
            hidden = name.removeprefix(WHITEOUT)
            if hidden in ("", ".", ".."):
                raise refused(member, "it hides no name")
            self.hide(f"{parent}/{hidden}")
        else:
            self.place(member, members, f"{parent}/{name}")

    def place(self, member: TarInfo, members: tarfile.TarFile, target: str) -> None:
        self.mark(target)
        if not (member.isdir() and os.path.isdir(target) and not os.path.islink(target)):
            self.clear(target)
        if member.isdir():
            os.makedirs(target, exist_ok=True)
            os.chmod(target, member.mode & 0o777 | stat.S_IRWXU)
        elif member.issym() and not member.linkname:
            raise refused(member, "it is a link to nothing")
        elif member.issym():
            os.symlink(member.linkname, target)
            self.resolved.clear()
        elif member.islnk():
            os.link(self.shared(member), target, follow_symlinks=False)
        elif member.isfile():
            room = shutil.disk_usage(self.root)
            if member.size > room.total:
                raise refused(member, f"it has {member.size} bytes, and the disk {room.total}")
            if member.size > room.free:
                raise OSError(ENOSPC, f"{member.name} has {member.size} bytes, and {room.free} are free", target)
            content = members.extractfile(member)
            assert content is not None  # as of any file
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                copyfileobj(content, file, 1 << 20)
                os.fchmod(handle, member.mode & 0o777 | stat.S_IRUSR | stat.S_IWUSR)

    def shared(self, member: TarInfo) -> str:
        """The file that a hard link is another name of. Raises Invalid where there is none."""
        folder, _, name = member.linkname.strip("/").rpartition("/")
        found = f"{self.folder(folder, member)}/{name}"
        if name in ("", ".", "..") or ".." in folder.split("/") or not os.path.isfile(found) or os.path.islink(found):
            raise refused(member, f"it is a hard link to {member.linkname}, which is no file of the image")
        return found

    def folder(self, path: str, member: TarInfo) -> str:
        """Where the folder `path` is, as whoever has this root sees it; made where it is not there."""
        if path not in self.resolved:
            found = within(self.root, path)
            if os.path.exists(found) and not os.path.isdir(found):
                raise refused(member, "it lies below something that is no folder")
            if found.count("/") - self.root.count("/") > DEEPEST:
                raise refused(member, f"it lies more than {DEEPEST} folders deep")
            os.makedirs(found, exist_ok=True)
            self.resolved[path] = found
        return self.resolved[path]

    def mark(self, target: str) -> None:
        """It is of this layer, and so are the folders above it."""
        while target not in self.made and target != self.root:
            self.made.add(target)
            target = os.path.dirname(target)

    def hide(self, target: str) -> None:
        """Take away what layers below have put there."""
        if target not in self.made:
            self.clear(target)
        elif os.path.isdir(target) and not os.path.islink(target):
            for entry in os.listdir(target):
                self.hide(f"{target}/{entry}")

    def clear(self, target: str) -> None:
        if os.path.lexists(target):
            remove(target)
            self.resolved.clear()


def within(root: str, path: str) -> str:
    """Where `path` leads for a process whose root is `root`: no link leads out of it. Raises Invalid for links in a circle."""
    waiting = path.split("/")[::-1]
    at: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            at = at[:-1]
            continue
        here = "/".join([root, *at, part])
        if not os.path.islink(here):
            at.append(part)
            continue
        links += 1
        if links > LINKS_IN_A_ROW:
            raise Invalid([Problem(f"{path}: its links lead in a circle", field="image", value=path)])
        target = os.readlink(here)
        at = [] if target.startswith("/") else at
        waiting += target.split("/")[::-1]
    return "/".join([root, *at])


def remove(target: str) -> None:
    """A file, a link, or a folder with all that is in it; nothing where nothing is there."""
    if os.path.isdir(target) and not os.path.islink(target):
        rmtree(target)
    else:
        with suppress(FileNotFoundError):
            os.unlink(target)


def refused(member: TarInfo, why: str) -> Invalid:
    shown = member.name.encode("utf-8", "backslashreplace").decode()[:120]
    remedy = "it was not made by a well-behaved builder; use another image"
    return Invalid([Problem(f"{shown} cannot be unpacked: {why}", field="image", value=shown, remedy=remedy)])


class Tar(io.RawIOBase):
    """The bytes of a tar as a file that is read once, and their digest."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks, self.content, self.rest = chunks, sha256(), b""

    def read(self, size: int = -1) -> bytes:
        pieces, length = [self.rest], len(self.rest)
        while length < size and (chunk := next(self.chunks, None)) is not None:
            self.content.update(chunk)
            pieces.append(chunk)
            length += len(chunk)
        whole = b"".join(pieces)
        self.rest = whole[size:]
        return whole[:size]

    def drain(self) -> None:
        """What follows the last entry counts for the digest too."""
        for chunk in self.chunks:
            self.content.update(chunk)

    @property
    def digest(self) -> str:
        return f"sha256:{self.content.hexdigest()}"
