"""What models and aliases may be called, and how a version of a model is asked for: "photos@stable", "photos@3", "photos@sha256:…"."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from lykeion.errors import Invalid, Problem

LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LONGEST = 63
RESERVED = frozenset({"journal"})  # lies beside the models
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Selector:
    """Which version is meant: exactly one of `alias`, `version` and `digest` is set."""

    model: str
    alias: str = ""
    version: int = 0
    digest: str = ""


def check_model(name: str) -> str:
    """Returns the name; raises Invalid where a model cannot be called so."""
    return check_label("model", name)


def check_alias(name: str) -> str:
    """Returns the name; raises Invalid where an alias cannot be called so."""
    return check_label("alias", name)


def is_label(name: str) -> bool:
    """Whether a model or an alias may be called so; other names in the repository are somebody else's."""
    return LABEL.fullmatch(name) is not None and len(name) <= LONGEST


def check_label(what: str, name: str) -> str:
    if not is_label(name):
        remedy = f"use lower-case letters, digits and '-', start with a letter, at most {LONGEST} characters"
        raise Invalid([Problem(f"{name!r} is no name", field=what, value=name, remedy=remedy)])
    if what == "model" and name in RESERVED:
        raise Invalid([Problem(f"{name!r} is a name that the repository keeps for itself", field=what, value=name, remedy="take another")])
    return name


def parse_selector(text: str) -> Selector:
    """Raises Invalid where `text` asks for no version."""
    model, at, wanted = text.partition("@")
    if not at or not wanted:
        remedy = "write MODEL@ALIAS, MODEL@NUMBER or MODEL@sha256:DIGEST"
        raise Invalid([Problem(f"{text!r} does not say which version", field="model", value=text, remedy=remedy)])
    check_model(model)
    if wanted.isdecimal() and wanted.isascii():
        if int(wanted) < 1:
            raise Invalid([Problem("versions are counted from 1", field="version", value=text)])
        return Selector(model, version=int(wanted))
    if wanted.startswith("sha256:"):
        if not DIGEST.fullmatch(wanted):
            raise Invalid([Problem("a digest is sha256: and 64 hex digits", field="version", value=text)])
        return Selector(model, digest=wanted)
    return Selector(model, alias=check_alias(wanted))


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """The end of a sentence that says what `wanted` is not among: its nearest names, or all of them where there are few."""
    there = sorted(names)
    near = get_close_matches(wanted, there, n=3)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are: {', '.join(there[:10])}{' …' if len(there) > 10 else ''}" if there else ""
