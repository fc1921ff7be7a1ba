"""Native libraries of an image: what each ELF file asks for, and what of it nobody brings. Found when an image is built, not when it runs.

The loader is followed as ld.so(8) describes it: RUNPATH or RPATH with $ORIGIN, then the system's folders. A library that lies elsewhere in
the same package counts as there, since packages load their own by hand before they need them.
Source of the format: System V ABI, "Object Files" and "Program Loading".
"""

import posixpath
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Read = Callable[[int, int], bytes]  # (offset, size) -> bytes, fewer at the end of the file

MAGIC = b"\x7fELF"
EXECUTABLE, SHARED = 2, 3
LOAD, DYNAMIC = 1, 2
NEEDED, STRTAB, STRSZ, SONAME, RPATH, RUNPATH = 1, 5, 10, 14, 15, 29
MOST_HEADERS = 512
MOST_LINKS = 200  # and parts of a path
LARGEST_TABLE = 64 << 20  # bytes
MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}

PACKAGES = {  # Debian's names that do not follow from the library's
    "ld-linux-x86-64.so.2": "libc6",
    "libGL.so.1": "libgl1",
    "libGLESv2.so.2": "libgles2",
    "libGLU.so.1": "libglu1-mesa",
    "libc.so.6": "libc6",
    "libdl.so.2": "libc6",
    "libgcc_s.so.1": "libgcc-s1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libjpeg.so.62": "libjpeg62-turbo",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "librt.so.1": "libc6",
    "libutil.so.1": "libc6",
    "libvorbis.so.0": "libvorbis0a",
    "libxml2.so.2": "libxml2",
    "libxslt.so.1": "libxslt1.1",
    "libz.so.1": "zlib1g",
}


@dataclass(frozen=True, slots=True)
class Elf:
    """A dynamic ELF file. `paths`: where it looks for libraries first, as it is written in it."""

    machine: str
    needed: tuple[str, ...] = ()
    soname: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Natives:
    """The native side of a layer: its dynamic ELF files by path, and its links, path -> target."""

    files: Mapping[str, Elf] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Missing:
    """A library that a loader will not find. `needed_by`: paths, sorted; `package`: Debian's that has it, by all likelihood.

    `elsewhere`: where another package has it, which helps only if that one is imported before; "" where nobody has it.
    """

    library: str
    needed_by: tuple[str, ...]
    package: str
    elsewhere: str = ""

    def __str__(self) -> str:
        more = f" and {len(self.needed_by) - 1} more" if len(self.needed_by) > 1 else ""
        there = f" where it is looked for (it is /{self.elsewhere})" if self.elsewhere else ""
        remedy = f"add the Debian package {self.package} to the base" if self.package else "add what has it to the base"
        return f"{self.library}, which /{self.needed_by[0]}{more} needs, is not in the image{there}: {remedy}, unless you never use it"


def read_elf(read: Read) -> Elf | None:
    """What a file says of itself; None where it is no dynamic ELF file. Raises ValueError where it is a broken one."""
    ident = read(0, 20)
    if ident[:4] != MAGIC:
        return None
    try:
        return Parser(read, ident).parsed()
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError(f"it is a broken ELF file: {error}") from error


class Parser:
    """Reads one file. Structures differ in 32 and 64 bits and in byte order."""

    def __init__(self, read: Read, ident: bytes) -> None:
        self.read = read
        self.wide, self.order = ident[4] == 2, ">" if ident[5] == 2 else "<"
        if ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise ValueError("it is a broken ELF file: neither 32 nor 64 bits")
        self.type, self.machine = self.unpack("HH", ident[16:20])

    def unpack(self, layout: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + layout, data)

    def parsed(self) -> Elf | None:
        if self.type not in (EXECUTABLE, SHARED):
            return None
        segments = list(self.segments())
        table = next(((offset, size) for kind, offset, _, size in segments if kind == DYNAMIC), None)
        if table is None:
            return None
        entries = list(self.dynamic(*table))
        values = dict(reversed(entries))  # the first of each counts
        texts = self.texts(values, segments)
        needed = tuple(text_at(texts, value) for tag, value in entries if tag == NEEDED)
        paths = values.get(RUNPATH, values.get(RPATH))
        return Elf(
            MACHINES.get(self.machine, f"machine {self.machine}"),
            needed,
            text_at(texts, values[SONAME]) if SONAME in values else "",
            tuple(one for one in text_at(texts, paths).split(":") if one) if paths is not None else (),
        )

    def segments(self) -> Iterator[tuple[int, int, int, int]]:
        """(type, offset in the file, address, bytes in the file) of each program header."""
        if self.wide:
            start, _, _, _, size, count = self.unpack("QQIHHH", self.read(32, 26))
        else:
            start, _, _, _, size, count = self.unpack("IIIHHH", self.read(28, 18))
        layout = "IIQQQQ" if self.wide else "IIIII"
        if count > MOST_HEADERS or size < struct.calcsize(self.order + layout):
            raise ValueError("it is a broken ELF file: its program headers make no sense")
        for number in range(count):
            data = self.read(start + number * size, struct.calcsize(self.order + layout))
            if self.wide:
                kind, _, offset, address, _, length = self.unpack(layout, data)
            else:
                kind, offset, address, _, length = self.unpack(layout, data)
            yield kind, offset, address, length

    def dynamic(self, offset: int, size: int) -> Iterator[tuple[int, int]]:
        """(tag, value) of each entry of the dynamic section."""
        if size > LARGEST_TABLE:
            raise ValueError("it is a broken ELF file: its dynamic section is too large")
        layout = self.order + ("QQ" if self.wide else "II")
        data = self.read(offset, size)
        for tag, value in struct.iter_unpack(layout, data[: len(data) - len(data) % struct.calcsize(layout)]):
            if tag == 0:
                return
            yield tag, value

    def texts(self, values: Mapping[int, int], segments: Iterable[tuple[int, int, int, int]]) -> bytes:
        """The table of strings, which is known by its address."""
        address, size = values.get(STRTAB, 0), values.get(STRSZ, 0)
        if size > LARGEST_TABLE:
            raise ValueError("it is a broken ELF file: its strings are too many")
        for kind, offset, start, length in segments:
            if kind == LOAD and start <= address < start + length:
                return self.read(offset + address - start, size)
        return b""


def text_at(texts: bytes, offset: int) -> str:
    end = texts.index(b"\0", offset) if b"\0" in texts[offset:] else -1
    if end < 0:
        raise ValueError("it is a broken ELF file: a name lies outside of its strings")
    return texts[offset:end].decode("utf-8", "replace")


class Tree:
    """The native files of all layers, as the loader sees them. A layer's entries replace those of the layers below it."""

    def __init__(self, layers: Iterable[Natives]) -> None:
        files: dict[str, Elf] = {}
        self.links: dict[str, str] = {}
        for layer in layers:
            files |= layer.files
            self.links |= layer.links
        machines = Counter(elf.machine for elf in files.values())
        self.machine = max(machines, key=lambda one: (machines[one], one), default="")
        self.files = {path: elf for path, elf in files.items() if elf.machine == self.machine}  # the others are data of some package
        self.named: dict[str, list[str]] = {}
        for path in [*self.files, *(link for link in self.links if self.real(link) in self.files)]:
            self.named.setdefault(posixpath.basename(path), []).append(path)

    def real(self, path: str) -> str:
        """The path without links, however many are in it."""
        done, waiting = "", [part for part in reversed(path.split("/")) if part]
        for _ in range(MOST_LINKS):
            if not waiting:
                return done
            part = waiting.pop()
            at = posixpath.normpath(posixpath.join(done, part))
            target = self.links.get(at)
            if target is None:
                done = "" if at in (".", "..") else at.removeprefix("../")
                continue
            waiting += [part for part in reversed(target.split("/")) if part]
            done = "" if target.startswith("/") else done
        return ""  # links in a circle

    def has(self, path: str, library: str) -> bool:
        """Whether the loader finds what the file at `path` needs, or its package may have loaded it."""
        if "/" in library:
            return self.real(library) in self.files
        origin = posixpath.dirname(path)
        own = (expanded(one, origin, self.machine) for one in self.files[path].paths)
        system = (f"{folder}/{self.machine}-linux-gnu" for folder in ("lib", "usr/lib"))
        folders = (*own, *system, "lib64", "usr/lib64", "lib", "usr/lib", "usr/local/lib")
        if any(self.real(f"{folder}/{library}") in self.files for folder in folders):
            return True
        return any(package_of(there) == package_of(path) for there in self.named.get(library, ()))


def expanded(folder: str, origin: str, machine: str) -> str:
    """An entry of RUNPATH or RPATH with what the loader puts into it."""
    for word, value in (("ORIGIN", f"/{origin}"), ("LIB", f"lib/{machine}-linux-gnu"), ("PLATFORM", machine)):
        folder = folder.replace(f"${{{word}}}", value).replace(f"${word}", value)
    return folder


def package_of(path: str) -> str:
    """What a file belongs to: a package and the folder of libraries that was packed with it are one; else its folder."""
    _, inside, rest = path.rpartition("site-packages/")
    top, slash, _ = rest.partition("/")
    return top.removesuffix(".libs").lower().replace("-", "_") if inside and slash else posixpath.dirname(path)


def missing(layers: Iterable[Natives]) -> list[Missing]:
    """The libraries that ELF files of these layers need and that the loader will not find, sorted."""
    tree = Tree(layers)
    lost: dict[str, list[str]] = {}
    for path, elf in sorted(tree.files.items()):
        for library in elf.needed:
            if not tree.has(path, library):
                lost.setdefault(library, []).append(path)
    return [
        Missing(library, tuple(paths), debian_package(library), min(tree.named.get(posixpath.basename(library), [""])))
        for library, paths in sorted(lost.items())
    ]


def debian_package(library: str) -> str:
    """The package that has a library, by Debian's naming: its name and the version of its interface, apart where both meet in digits."""
    if library in PACKAGES:
        return PACKAGES[library]
    if python := re.fullmatch(r"(libpython3\.\d+)\.so.*", library):
        return python.group(1)
    found = re.fullmatch(r"(lib[\w.+-]+?)\.so(?:\.(\d+))?(?:\.[\d.]+)?", library)
    if not found:
        return ""
    name, version = found.group(1).lower().replace("_", "-"), found.group(2) or ""
    return f"{name}{'-' if version and name[-1].isdigit() else ''}{version}"
