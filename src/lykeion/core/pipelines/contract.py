"""The step contract: the one file (`LYKEION_STEP`) that a step gets, whatever starts it, and the files it leaves.

A step exits 0 or leaves `error.json`. Standard library only: the light parent that forks steps imports this and little more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CONTRACT_VERSION = 1  # part of every cache key: raise it when a step would see something else

RESULT_FILE = "result.json"  # {"metrics": {...}, "result": {...}, "uncached": "reason"}
ERROR_FILE = "error.json"  # {"type", "message", "traceback", "retryable"}
PROGRESS_FILE = "progress.json"  # {"done", "total", "unit"}


@dataclass(frozen=True, slots=True)
class StepFile:
    """One step as its worker sees it. Paths are relative to the volume until an engine makes them absolute (`on`).

    `component` is "package.module:function" or "/folder/file.py:function" (`folder`: the pipeline's, first on the import path).
    `inputs`: input's name -> directory, read-only; `digests`: its content.
    `outputs`: the names of the outputs; the worker makes `<staging>/<name>` for each.
    `mode` "fingerprint" asks what the component would read outside its inputs (its answer is `result["fingerprint"]`), without running it.
    `partitions` are those that this worker has, of `partition_count`; None where the step is not partitioned.
    """

    step: str
    component: str
    key: str
    mode: Literal["run", "fingerprint"] = "run"
    folder: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    staging: str = ""
    cache: str = "cache"
    window: tuple[str, str] | None = None  # ISO 8601, UTC, half-open
    partitions: tuple[int, ...] | None = None
    partition_count: int = 0
    attempt: int = 1
    deadline: float | None = None  # Unix time
    closure: tuple[str, ...] = ()  # source files that the identity covers; an import outside them is reported
    sources: Mapping[str, str] = field(default_factory=dict)  # of `closure`, the author's own: file -> SHA-256 as it was planned
    command: tuple[str, ...] = ()  # for `image:` steps
    material: Mapping[str, Any] = field(default_factory=dict)  # what the key was made of; kept in the manifest for `lykeion explain`

    def to_json(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, separators=(",", ":"))

    @staticmethod
    def from_json(text: str | bytes) -> "StepFile":
        raw = json.loads(text)
        for name in ("outputs", "closure", "command"):
            raw[name] = tuple(raw[name])
        for name in ("window", "partitions"):
            raw[name] = None if raw[name] is None else tuple(raw[name])
        return StepFile(**raw)
