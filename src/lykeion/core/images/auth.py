"""What a registry asks for with "401": reading `WWW-Authenticate` (RFC 9110, section 11.6.1; distribution's token specification)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
PARAMETER = re.compile(rf'({TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({TOKEN}))')
PIECE = re.compile(rf"\s*(?:{PARAMETER.pattern}|({TOKEN})(?=\s|,|$)|,|(\S))")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to say who one is: `scheme` in lower case ("basic", "bearer"), and what it is told with."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)


def challenges(header: str) -> list[Challenge]:
    """All of a header, in its order; what cannot be read is passed over."""
    found: list[Challenge] = []
    for piece in PIECE.finditer(header):
        name, quoted, plain, scheme, _ = piece.groups()
        if scheme:
            found.append(Challenge(scheme.lower(), {}))
        elif name and found:
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1] = Challenge(found[-1].scheme, {**found[-1].parameters, name.lower(): value})
    return found


def token_url(challenge: Challenge, scope: str) -> str:
    """Where a token for `scope` is to be had; "" where the challenge does not say. What it asks for itself counts before `scope`."""
    realm = challenge.parameters.get("realm", "")
    if not realm.startswith(("https://", "http://")):
        return ""
    asked = [("service", challenge.parameters.get("service", "")), ("scope", challenge.parameters.get("scope") or scope)]
    return realm + ("&" if "?" in realm else "?") + urlencode([pair for pair in asked if pair[1]])
