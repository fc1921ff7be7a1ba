"""A base of Debian packages: which ones, locked by digest, and where their files lie in an image that was never booted or installed.

The image has Python and the libraries that it and most wheels need, and no package manager; a shell only where somebody names one. What
Debian's packages would do when they are installed is done here as far as an image needs it: the merged /usr, the list of certificate
authorities, accounts, and what is installed in the form in which scanners read it (`status.d`, as in Google's distroless images).
"""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lykeion.core.content import digest_of_value
from lykeion.core.images.entries import Entry
from lykeion.errors import Invalid, Problem

FORMAT = 1  # of what is made of the packages
ROOTS = ("base-files", "ca-certificates", "libgcc-s1", "libstdc++6", "media-types", "netbase", "python3", "tzdata")
TOOLS = frozenset({"debconf", "dpkg", "install-info", "mawk", "openssl", "perl-base", "tar"})  # only installing needs them

MERGED = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
LEFT_OUT = re.compile(r"usr/share/(?:(?:man|info|locale|lintian|bug|doc-base|bash-completion|menu)(?:/|$)|doc(?:$|/(?!.*/copyright$)))")
AUTHORITIES = "usr/share/ca-certificates/"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
STATUS = "var/lib/dpkg/status.d"
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
    "nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
}
HEADER = "# The Debian packages of an image's base, made by: lykeion image lock"
FIRST = re.compile(r"(?P<distribution>debian|ubuntu) (?P<suite>[a-z][a-z0-9-]*) (?P<architecture>[a-z0-9]+)")
LINE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)=(?P<version>[A-Za-z0-9.+~:-]+) sha256:(?P<sha256>[0-9a-f]{64}) (?P<size>[0-9]{1,15})"
    r" (?P<path>[\w.+~%:/-]+\.deb)"
)


@dataclass(frozen=True, slots=True)
class Deb:
    """A package's file. `path`: below the root of whichever mirror has it; `size` in bytes."""

    name: str
    version: str
    sha256: str
    size: int
    path: str


@dataclass(frozen=True, slots=True)
class BaseLock:
    """The packages of a base, sorted by name."""

    distribution: str
    suite: str
    architecture: str
    debs: tuple[Deb, ...]

    @property
    def text(self) -> str:
        lines = (f"{deb.name}={deb.version} sha256:{deb.sha256} {deb.size} {deb.path}\n" for deb in self.debs)
        return f"{HEADER}\n{self.distribution} {self.suite} {self.architecture}\n{''.join(lines)}"

    @property
    def python(self) -> str:
        """The version of its Python ("3.11.2"); "" where it has none."""
        found = (re.fullmatch(r"python3\.\d+-minimal", deb.name) and re.match(r"\d+\.\d+\.\d+", deb.version) for deb in self.debs)
        return next((version.group() for version in found if version), "")

    @property
    def title(self) -> str:
        return f"{self.distribution.capitalize()} {self.suite}, Python {self.python}, {len(self.debs)} packages"

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """For the SBOM."""
        return tuple(
            (f"pkg:deb/{self.distribution}/{one.name}@{one.version}?arch={self.architecture}", f"sha256:{one.sha256}") for one in self.debs
        )

    def key(self, compiled: str) -> str:
        """Of the layer. `compiled`: the key of what makes the .pyc in it."""
        return digest_of_value({"debs": FORMAT, "packages": [[one.name, one.version, one.sha256] for one in self.debs], "pyc": compiled})


def is_base_lock(text: str) -> bool:
    """Whether somebody means a lock of Debian packages by it."""
    return any(FIRST.fullmatch(line.strip()) for line in text.splitlines())


def parse_base_lock(text: str, file: str = "") -> BaseLock:
    """Raises Invalid with every line that is wrong."""
    problems: list[Problem] = []
    debs: dict[str, Deb] = {}
    distribution = suite = architecture = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if found := LINE.fullmatch(line.strip()):
            deb = Deb(found["name"], found["version"], found["sha256"], int(found["size"]), found["path"])
            if deb.path.startswith("/") or ".." in deb.path.split("/") or "://" in deb.path:
                problems.append(Problem("a package lies below the root of a mirror", value=deb.path, file=file, line=number))
            elif deb.name in debs:
                problems.append(Problem(f"{deb.name} is there twice", value=line, file=file, line=number, remedy="keep one of them"))
            debs[deb.name] = deb
        elif not suite and (first := FIRST.fullmatch(line.strip())):
            distribution, suite, architecture = first["distribution"], first["suite"], first["architecture"]
        else:
            remedy = "a line is NAME=VERSION sha256:DIGEST SIZE PATH; make the file anew: lykeion image lock"
            problems.append(Problem("it is no package of a base", value=line, file=file, line=number, remedy=remedy))
    if not suite:
        problems.append(Problem("it does not say of which Debian", file=file, remedy="begin with: debian bookworm amd64"))
    lock = BaseLock(distribution, suite, architecture, tuple(debs[name] for name in sorted(debs)))
    if not problems and not lock.python:
        problems.append(Problem("it has no Python", file=file, remedy="make it with: lykeion image lock"))
    if problems:
        raise Invalid(problems)
    return lock


def needed(roots: Iterable[str], records: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Names of the packages that `roots` need, themselves included, without tools of installing that nobody named.

    `records`: all that apt would install, name -> fields of its control file.
    """
    providers = {provided: name for name, record in records.items() for provided in names_in(record.get("Provides", ""))}
    waiting, found = list(roots), set[str]()
    while waiting:
        name = waiting.pop()
        if name in found or name not in records:
            continue
        found.add(name)
        wanted = names_in(",".join(records[name].get(field, "") for field in ("Pre-Depends", "Depends")))
        waiting += [real for one in wanted if (real := one if one in records else providers.get(one, "")) not in TOOLS]
    return found


def names_in(relation: str) -> list[str]:
    """The packages that a field like `Depends` names, alternatives included."""
    return [found.group() for part in re.split(r"[,|]", relation) if (found := re.match(r"[a-z0-9][a-z0-9+.-]+", part.strip()))]


def place(path: str) -> str:
    """Where a file of a package lies in the image; "" for the root, and for what no image needs."""
    path = posixpath.normpath(path).lstrip("/")
    if path == "." or path in MERGED or LEFT_OUT.match(path):
        return ""
    top, slash, rest = path.partition("/")
    return f"{MERGED.get(top, top)}{slash}{rest}"


def link_target(path: str, target: str) -> str:
    """Where a link of a package points in the image: one that is moved into /usr and leaves its folder by "..", in full."""
    path = posixpath.normpath(path)
    if path.partition("/")[0] in MERGED and target.startswith("../"):
        return "/" + posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).lstrip("./")
    return target


def merged(packages: Sequence[tuple[str, Sequence[Entry]]]) -> list[Entry]:
    """The entries of all packages (name -> entries), each once. Raises Invalid where two packages differ about a file."""
    found: dict[str, tuple[str, Entry]] = {}
    problems: list[Problem] = []
    for name, entries in packages:
        for entry in entries:
            owner, other = found.setdefault(entry.path, (name, entry))
            if owner != name and not (entry.type == other.type == "folder") and (entry.type, entry.target) != ("link", other.target):
                remedy = "leave one of them out"
                problems.append(Problem(f"{owner} and {name} both have /{entry.path}", value=entry.path, remedy=remedy))
    if problems:
        raise Invalid(problems)
    return [entry for _, entry in found.values()]


def made(controls: Mapping[str, bytes], authorities: Sequence[bytes]) -> list[Entry]:
    """What installing would have made. `controls`: name -> control file; `authorities`: certificates in PEM, in order."""
    return [
        *(Entry(path, "link", target=target) for path, target in MERGED.items()),
        *(Entry(path, data=text.encode()) for path, text in ACCOUNTS.items()),
        *(Entry(f"{STATUS}/{name}", data=control) for name, control in controls.items()),
        Entry(CERTIFICATES, data=b"".join(one.rstrip() + b"\n" for one in authorities)),
        Entry("usr/lib/ssl/cert.pem", "link", target=f"/{CERTIFICATES}"),  # where OpenSSL looks
    ]
