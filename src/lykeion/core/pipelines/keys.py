"""The cache key of a step: a function of what decides its result, and of nothing else.

    key = SHA-256 of the canonical JSON of
          contract version · component identity (code, lock, Python) · parameters, defaults filled in
          (not those that say where something outside is, if it has a fingerprint) · content digests of inputs · names of outputs
          · number of partitions · environment variables · window (if it reads one) · fingerprint (if it reads outside)

Never names of steps, pipelines or files (but that of the component's module, which pickles carry), URIs of inputs, tags, times of
modification, or how many workers share the work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from lykeion.core.content import canonical
from lykeion.core.pipelines.contract import CONTRACT_VERSION
from lykeion.core.pipelines.image_steps import IMAGE
from lykeion.core.pipelines.signature import Signature

NO_DETAILS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """Everything that decides a step's result. `inputs`: name -> content digest.

    `expires` is the end of the stretch of time in which a result with a time to live counts; `nonce` makes a key that nothing else has.
    """

    identity: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    partitions: int = 0
    env: Mapping[str, str] = field(default_factory=dict)
    window: tuple[str, str] | None = None
    fingerprint: str = ""
    expires: str = ""
    nonce: str = ""
    contract: int = CONTRACT_VERSION

    @property
    def key(self) -> str:
        """64 hex digits."""
        return sha256(canonical(self.to_dict())).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @staticmethod
    def of(stored: Mapping[str, Any]) -> "KeyMaterial":
        """From what a manifest keeps, also one that another version of Lykeion wrote: fields that this one has not are passed over."""
        known = {name: value for name, value in stored.items() if name in KeyMaterial.__slots__}
        window = known.get("window")
        return KeyMaterial(
            **{"identity": "", **known, "outputs": tuple(known.get("outputs", ())), "window": tuple(window) if window else None}
        )

    def differs_from(self, other: "KeyMaterial", details: Mapping[str, str] = NO_DETAILS) -> list[str]:
        """Which parts differ, as sentences, for `lykeion explain`; empty where the keys are the same.

        `details`: what is to be said of a part ("identity", "inputs.NAME", …) instead of that it changed.
        """
        sentences = [
            details.get(f"inputs.{name}") or f"input {name} {'changed' if name in other.inputs else 'was not there'}"
            for name in sorted(self.inputs)
            if self.inputs[name] != other.inputs.get(name)
        ]
        sentences += [f"input {name} is not there any more" for name in sorted(other.inputs.keys() - self.inputs.keys())]
        named = {"parameters": "parameter", "env": "environment variable"}
        for part, noun in named.items():
            mine, theirs = getattr(self, part), getattr(other, part)
            sentences += [
                f"{noun} {name}: {shown(theirs, name)} then, {shown(mine, name)} now"
                for name in sorted(mine.keys() | theirs.keys())
                if written(mine, name) != written(theirs, name)
            ]
        plain = {
            "identity": "the image or the command"
            if self.identity.startswith(IMAGE)
            else "the component's code, its requirements or the Python version",
            "fingerprint": "what the component reads outside its inputs",
            "window": "the window",
            "outputs": "the names of the outputs",
            "partitions": "the number of partitions",
            "expires": "its time to live passed: the end of its validity",
            "contract": "the version of the step contract",
        }
        sentences += [
            details.get(part) or f"{meaning} changed" for part, meaning in plain.items() if getattr(self, part) != getattr(other, part)
        ]
        if self.nonce != other.nonce:
            sentences.append("the step is not cached (cache: never, or it reads something outside and has no fingerprint)")
        return sentences


class Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()


def written(values: Mapping[str, Any], name: str) -> bytes | None:
    """A value as the key sees it: to Python, 1, 1.0 and true are equal."""
    return canonical(values[name]) if name in values else None


def shown(values: Mapping[str, Any], name: str) -> str:
    text = repr(values.get(name, MISSING))
    return text if len(text) <= 60 else f"{text[:40]}…{text[-16:]}"


def deciding_parameters(given: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """The parameters that decide the result: not those that only say where to look, since the fingerprint says what is there."""
    where = {name for name, declared in signature.parameters.items() if declared.type == "uri"} if signature.fingerprint else set()
    return {name: value for name, value in effective_parameters(given, signature).items() if name not in where}


def effective_parameters(given: Mapping[str, Any], signature: Signature, folder: str = "") -> dict[str, Any]:
    """What the component will really be called with: defaults filled in, whole numbers made floats where it takes floats.

    With `folder`, the pipeline's, relative paths in parameters of type `uri` are made absolute: they are relative to the pipeline's file.
    """
    merged = {name: declared.default for name, declared in signature.parameters.items() if not declared.required} | dict(given)
    for name, declared in signature.parameters.items():
        value = merged.get(name)
        if declared.type == "number" and isinstance(value, int) and not isinstance(value, bool):
            merged[name] = float(value)
        elif declared.type == "uri" and isinstance(value, str) and folder:
            merged[name] = located(value, folder)
    return merged


def located(uri: str, folder: str) -> str:
    """A URI or an absolute path as it is; a relative path from `folder`."""
    return uri if not uri or "://" in uri or uri.startswith(("/", "~")) else f"{folder}/{uri}"
