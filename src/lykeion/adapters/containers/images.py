"""Images that steps run: from a name to a digest, and from a digest to a folder that a container has as its root."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lykeion.adapters.containers.launch import NOBODY
from lykeion.adapters.containers.rootfs import unpack_image, within
from lykeion.adapters.images.store import Store
from lykeion.adapters.registry.connect import registry
from lykeion.adapters.registry.push import pull
from lykeion.core.content import read_json
from lykeion.core.images.oci import Image, start_of
from lykeion.core.images.references import DIGEST, parse_reference
from lykeion.core.models.names import did_you_mean
from lykeion.errors import Invalid, NotFound, Problem, Unavailable

PLATFORM = ("linux", "amd64")
LARGEST_ID = 2**32 - 2  # of users and groups; the one above means none
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # where an image does not say


def pinned(store: Store, image: str) -> str:
    """See `ports.Containers`. An image of the store by its tag; else one in a registry, by what the registry says now."""
    _, at, digest = image.partition("@")
    if at and DIGEST.fullmatch(digest):
        return image
    tags = store.tags()
    if "/" not in image:
        if image not in tags:
            remedy = "build it (lykeion image build), or name one in a registry: HOST/NAME[:TAG][@DIGEST]"
            raise Invalid([Problem(f"there is no image {image!r} here{did_you_mean(image, tags)}", "image", image, remedy=remedy)])
        return f"{image}@{tags[image].digest}"
    reference = parse_reference(image)
    try:
        with registry(reference.host) as there:
            found = there.digest(reference.repository, reference.wanted)
    except Unavailable as error:
        if image in tags:
            raise Unavailable(f"{error}; the one that was pulled is {image}@{tags[image].digest}, which can be named") from error
        raise
    if found is None and image in tags:  # built here under that name, and not pushed
        found = tags[image].digest
    if found is None:
        raise NotFound(f"{reference.host} has no {reference}")
    return str(reference.at(found))


def brought(store: Store, image: str) -> Image:
    """A pinned image, pulled where it is not here. Raises NotFound, Corrupt, Unavailable; Invalid where it is not for this machine."""
    found = None
    for name in (image, image.partition("@")[2]):
        with suppress(NotFound):
            found = found or store.image(name)
    if found is None:
        try:
            reference = parse_reference(image)
        except Invalid as error:
            raise NotFound(f"the image {image} is not here any more; build it again: lykeion image build") from error
        print(f"pulling {reference}", flush=True)
        with registry(reference.host) as there:
            found = pull(store, there, reference)
    told = read_json(found.config)
    if (platform := (told.get("os"), told.get("architecture"))) != PLATFORM:
        remedy = "choose one for linux/amd64"
        raise Invalid([Problem(f"{image} is for {platform[0]}/{platform[1]}", field="image", value=image, remedy=remedy)])
    return found


@dataclass(frozen=True, slots=True)
class Root:
    """An image that can be run: its unpacked files, and how it wants to be started."""

    folder: Path
    settings: Mapping[str, Any]

    @property
    def env(self) -> dict[str, str]:
        given = dict(pair.partition("=")[::2] for pair in self.settings.get("Env") or [])
        return {"PATH": SEARCHED, "HOME": "/tmp", **given}

    @property
    def working_folder(self) -> str:
        wanted = self.settings.get("WorkingDir") or "/"
        return wanted if os.path.isdir(within(str(self.folder), wanted)) else "/"

    @property
    def user(self) -> tuple[int, int]:
        """Whom it runs as, and his group. Root, and nobody at all, are user 65532. Raises Invalid for a name that it has not."""
        name, _, group = str(self.settings.get("User") or "").partition(":")
        number, own = self.entry("passwd", name, (2, 3)) if name and not name.isdecimal() else (int(name or 0), None)
        chosen = own if not group else int(group) if group.isdecimal() else self.entry("group", group, (2, 2))[0]
        if not (0 <= number <= LARGEST_ID and 0 <= (chosen or 0) <= LARGEST_ID):
            raise Invalid(
                [Problem(f"the image runs as {self.settings['User']}, which is no user", field="image", value=self.settings["User"])]
            )
        return (number, chosen or number) if number else (NOBODY, NOBODY)

    def entry(self, file: str, name: str, columns: tuple[int, int]) -> tuple[int, int]:
        """Two numbers of a line of /etc/passwd or /etc/group."""
        with suppress(OSError, ValueError, IndexError):
            for line in Path(within(str(self.folder), f"etc/{file}")).read_text(errors="replace").splitlines():
                fields = line.split(":")
                if fields[0] == name:
                    return int(fields[columns[0]]), int(fields[columns[1]])
        raise Invalid([Problem(f"the image runs as {name}, whom its /etc/{file} does not have", field="image", value=name)])

    def command(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """What to run: `given`, else what the image says. Raises Invalid where there is nothing, or no such program."""
        argv = given or (*(self.settings.get("Entrypoint") or ()), *(self.settings.get("Cmd") or ()))
        if not argv:
            raise Invalid([Problem("the image does not say what to run", field="command", remedy="write command: [PROGRAM, ARGUMENT …]")])
        folders = [self.working_folder] if "/" in argv[0] else self.env["PATH"].split(":")
        places = (within(str(self.folder), os.path.join(folder, argv[0])) for folder in folders)
        if not any(os.path.isfile(place) and os.access(place, os.X_OK) for place in places):
            raise Invalid([Problem(f"the image has no program {argv[0]!r}", field="command", value=argv[0])])
        return argv


@contextmanager
def root_of(store: Store, roots: Path, image: Image) -> Iterator[Root]:
    """The root of an image, unpacked where it is not there yet; it stays while this is held. Raises as `unpack_image`."""
    name = image.digest.removeprefix("sha256:")
    folder = roots / name
    roots.mkdir(parents=True, exist_ok=True)
    lock = os.open(roots / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not folder.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():  # nobody else was faster
                print(f"unpacking {image.digest}", flush=True)
                with store.using():
                    unpack_image(store, image, f"{roots}/.{name}", str(folder))
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(folder)
        yield Root(folder, start_of(image.config))
    finally:
        os.close(lock)
