"""What this machine's apt knows: which packages a base needs, their digests, and where they are fetched from (with its proxies, its
passwords and its keys). Nothing is installed, and nobody needs to be root."""

import os
import re
import subprocess
from collections.abc import Collection, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from shutil import which

from lykeion.adapters.images.caches import touched
from lykeion.core.images.debs import ROOTS, BaseLock, Deb, needed
from lykeion.errors import Invalid, LykeionError, Problem, Unavailable

NOTHING_INSTALLED = ("-o", "Dir::State::status=/dev/null", "-o", "Dir::State::extended_states=/dev/null", "-o", "Debug::NoLocking=1")
HELPER = Path("/usr/lib/apt/apt-helper")
INSTALLED = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)
WITHOUT_APT = "take a base from a registry instead: --base REGISTRY/IMAGE@DIGEST, or copy a base lock and its packages from such a machine"


def resolve(extra: Sequence[str] = ()) -> BaseLock:
    """The base with these further packages, at the newest versions that apt knows.

    Raises Invalid for packages that there are not, Unavailable where there is no apt or it knows of no packages.
    """
    roots = sorted({*ROOTS, *extra})
    said = apt("apt-get", *NOTHING_INSTALLED, "--no-install-recommends", "-qq", "--simulate", "install", *roots)
    versions = dict(INSTALLED.findall(said))
    records: dict[str, dict[str, str]] = {}
    for record in apt("apt-cache", "show", *(f"{name}={version}" for name, version in versions.items())).split("\n\n"):
        fields = fields_of(record)
        if fields:
            records.setdefault(fields["Package"], fields)
    debs = [deb_of(records[name]) for name in sorted(needed(roots, records))]
    system = dict(re.findall(r"^(\w+)=\"?([^\"\n]*)", Path("/etc/os-release").read_text(), re.MULTILINE))
    return BaseLock(system["ID"], system["VERSION_CODENAME"], apt("dpkg", "--print-architecture").strip(), tuple(debs))


def fields_of(record: str) -> dict[str, str]:
    """The fields of a control file that stand on one line."""
    return dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", record, re.MULTILINE))


def deb_of(fields: dict[str, str]) -> Deb:
    return Deb(fields["Package"], fields["Version"], fields["SHA256"], int(fields["Size"]), fields["Filename"])


def apt(*command: str) -> str:
    """What a command of apt prints. Raises Unavailable, Invalid."""
    if not which(command[0]):
        raise Unavailable(f"there is no {command[0]} on this machine, which knows Debian's packages; {WITHOUT_APT}")
    environment = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if unknown := re.findall(r"Unable to locate package (\S+)", ended.stderr):
        if set(unknown) & set(ROOTS):
            raise Unavailable("apt knows of no packages; run apt-get update (as root) and try again")
        remedy = "check the name (apt-cache search), or run apt-get update"
        raise Invalid([Problem(f"there is no Debian package {name}", field="packages", value=name, remedy=remedy) for name in unknown])
    if ended.returncode:
        raise LykeionError(f"{command[0]} failed: {ended.stderr.strip() or ended.stdout.strip()}")
    return ended.stdout


def fetch(debs: Collection[Deb], folder: Path) -> None:
    """Bring packages into `folder`, named by their digests, from whichever mirror has them. Raises Unavailable with all that none has."""
    missing = {deb: folder / deb.sha256 for deb in debs if not (folder / deb.sha256).exists()}
    for deb in debs:
        if deb not in missing:
            touched(folder / deb.sha256)
    if not missing:
        return
    if not HELPER.exists():
        raise Unavailable(f"{len(missing)} Debian packages are missing and there is no apt here that could fetch them; {WITHOUT_APT}")
    folder.mkdir(parents=True, exist_ok=True)
    for mirror in sorted(set(apt("apt-get", "indextargets", "--format", "$(REPO_URI)").split())):
        beside = {deb: to.with_suffix(f".{os.getpid()}") for deb, to in missing.items() if not to.exists()}
        wanted = [(f"{mirror.rstrip('/')}/{deb.path}", str(part), f"SHA256:{deb.sha256}") for deb, part in beside.items()]
        if wanted:
            subprocess.run([str(HELPER), "download-file", *chain.from_iterable(wanted)], capture_output=True, check=False)
        for deb, part in beside.items():
            if part.exists() and sha256(part.read_bytes()).hexdigest() == deb.sha256:
                part.replace(missing[deb])
            for left in folder.glob(f"{part.name}*"):
                left.unlink()
    if lost := [deb for deb, to in missing.items() if not to.exists()]:
        names = ", ".join(f"{deb.name} {deb.version}" for deb in lost)
        raise Unavailable(
            f"no mirror has {names}: newer ones took their place; lock again (lykeion image lock), or add snapshot.debian.org"
        )
