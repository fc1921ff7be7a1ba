"""What every resource has: apiVersion, kind, metadata, and the conditions of its status (Kubernetes API conventions)."""

import re
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION: Literal["lykeion.dev/v1alpha1"] = "lykeion.dev/v1alpha1"
LONGEST_NAME = 40
SOURCE_FILE = "lykeion.dev/source-file"  # annotation: the file that a resource was applied from; its folder holds the components


class Strict(BaseModel):
    """A value with camelCase fields, in which an unknown field is an error, that never changes."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
        ser_json_inf_nan="constants",  # a metric that is NaN is kept as it is, and can be read again
    )


def check_name(name: str) -> str:
    """A DNS-1035 label of at most 40 characters: it becomes part of names that may have 63."""
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > LONGEST_NAME:
        raise ValueError(
            f"{name!r} is no name: use lower-case letters, digits and '-', start with a letter, end with a letter or digit, "
            f"at most {LONGEST_NAME} characters"
        )
    return name


Name = Annotated[str, AfterValidator(check_name)]

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


LONGEST_DURATION = 100 * 365 * 86400.0
MOST_BYTES = 2**62


def parse_duration(given: object) -> object:
    """ "90s", "1h30m" or a number of seconds -> seconds."""
    if not isinstance(given, str):
        return given
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", given)
    if not parts or "".join(number + unit for number, unit in parts) != given:
        raise ValueError(f"{given!r} is no duration: write 30s, 10m, 1h30m or 2d")
    return sum(float(number) * SECONDS[unit] for number, unit in parts)


def parse_bytes(given: object) -> object:
    """A Kubernetes quantity of memory ("512Mi", "2G") or a number of bytes -> bytes."""
    if not isinstance(given, str):
        return given
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMGT]i?|Ki)?", given)
    if not found or (found[2] or "") not in BYTES:
        raise ValueError(f"{given!r} is no amount of memory: write 512Mi, 2Gi or 1500M")
    return int(Fraction(found[1]) * BYTES[found[2] or ""])


Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, le=LONGEST_DURATION)]
Memory = Annotated[int, BeforeValidator(parse_bytes), Field(ge=1, le=MOST_BYTES)]


class OwnerReference(Strict):
    kind: str
    name: str
    uid: str = ""


class Metadata(Strict):
    name: Name
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    owner_references: tuple[OwnerReference, ...] = ()


class Condition(Strict):
    """`type` is what is claimed, `reason` one CamelCase word for programs, `message` a sentence for people."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: datetime | None = None


def set_condition(conditions: Sequence[Condition], new: Condition, now: datetime) -> tuple[Condition, ...]:
    """`conditions` with `new` in place of the one of its type; the time moves only when the status does."""
    old = next((one for one in conditions if one.type == new.type), None)
    changed = old is None or old.status != new.status
    since = now if changed or old is None else old.last_transition_time
    kept = new.model_copy(update={"last_transition_time": since})
    return tuple(kept if one is old else one for one in conditions) if old else (*conditions, kept)


class Resource(Strict):
    """One resource: what is wanted (`spec`) and, in resources that have one, what is (`status`)."""

    plural: ClassVar[str] = ""

    api_version: Literal["lykeion.dev/v1alpha1"] = API_VERSION
    kind: str
    metadata: Metadata
    spec: Any
    status: Any = None

    @property
    def name(self) -> str:
        return self.metadata.name

    def to_dict(self) -> dict[str, Any]:
        """As written in YAML: camelCase, without what was not said."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"apiVersion": self.api_version, "kind": self.kind}
