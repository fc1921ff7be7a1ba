"""What a component says of itself: inputs, outputs, parameters, and the identity of its code. Plain values that travel as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

ParameterType = Literal["string", "integer", "number", "boolean", "uri", "list", "map"]
LOCK = "requirements file"  # in `Signature.environment`; no distribution has a blank in its name


@dataclass(frozen=True, slots=True)
class ParameterSignature:
    """A keyword-only parameter of a component: what `with:` may say. `minimum`, `maximum` include their ends."""

    type: ParameterType
    required: bool = True
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """A component as planning and checking see it.

    `inputs` and `outputs`: name -> type name ("" fits everything). `identity` is the digest of the code that decides the result;
    `closure` the source files it covers, `sources` the SHA-256 of those that are not Lykeion's or a package's; `imports` the third-party
    packages they import, sorted.
    `environment`: distribution -> version of what the code reaches ("" is not installed); with a lock, LOCK -> its digest.
    `python`: "3.11".
    `optional` inputs may stay unwired. `partitions`: into how many parts its items fall (0: one worker).
    """

    component: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, ParameterSignature] = field(default_factory=dict)
    role: str = ""
    description: str = ""
    partitions: int = 0
    windowed: bool = False
    fingerprint: bool = False
    reads_outside: bool = False
    identity: str = ""
    imports: tuple[str, ...] = ()
    closure: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> "Signature":
        parameters = {
            name: ParameterSignature(**{**given, "choices": tuple(given["choices"])}) for name, given in raw["parameters"].items()
        }
        tuples = {name: tuple(raw[name]) for name in ("optional", "imports", "closure")}
        return Signature(**{**raw, **tuples, "parameters": parameters})
