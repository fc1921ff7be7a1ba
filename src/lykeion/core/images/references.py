"""How an image is named: "registry.example:5000/team/photos:7", "…@sha256:…". Grammar: distribution's `reference` package."""

import re
from dataclasses import dataclass

from lykeion.errors import Invalid, Problem

DEFAULT_TAG = "latest"
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{PART}(?:/{PART})*")
HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
)
TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in a registry. `digest` counts before `tag`; a name without either means the tag `latest`."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def wanted(self) -> str:
        """What a registry is asked for: the digest, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    @property
    def name(self) -> str:
        """Without tag and digest."""
        return f"{self.host}/{self.repository}"

    def at(self, digest: str) -> "Reference":
        """The same image, by what it is."""
        return Reference(self.host, self.repository, self.tag, digest)

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """Raises Invalid where it is no name of an image in a registry. The host must be said: nothing is taken from a default one."""
    rest, at, digest = text.partition("@")
    host, slash, path = rest.partition("/")
    name, colon, tag = path.partition(":")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        raise refused(text, "it does not say which registry", "write HOST[:PORT]/NAME[:TAG][@DIGEST], for instance localhost:5000/photos:7")
    if not HOST.fullmatch(host):
        raise refused(text, f"{host!r} is no host", "write HOST[:PORT]")
    if not REPOSITORY.fullmatch(name) or len(name) > LONGEST:
        raise refused(text, f"{name!r} is no name", "use lower-case letters and digits, with . _ - and / between them")
    if colon and not TAG.fullmatch(tag):
        raise refused(text, f"{tag!r} is no tag", "use letters, digits, '_', '.' and '-', at most 128")
    if at and not DIGEST.fullmatch(digest):
        raise refused(text, f"{digest!r} is no digest", "write sha256: and 64 hex digits")
    return Reference(host, name, tag, digest)


def refused(text: str, why: str, remedy: str) -> Invalid:
    return Invalid([Problem(f"{text!r} names no image: {why}", field="image", value=text, remedy=remedy)])
