"""What MLflow and MLServer look for beside a model's files: `MLmodel` and `requirements.txt`.

Where the files are of a kind that MLflow has a loader for, the flavour says so; everything else has the flavour `lykeion`, so that
MLflow can list and read the model, but not load it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version as installed_version
from typing import Any

import yaml

from lykeion.core.models.manifest import MLMODEL, REQUIREMENTS


def flavors(paths: Iterable[str], digest: str) -> dict[str, Any]:
    """By what lies at the top of the folder: one ONNX file, or one scikit-learn model saved by skops."""
    top = [path for path in paths if "/" not in path]
    chosen: dict[str, Any] = {"lykeion": {"lykeion_version": installed_version("lykeion"), "data": ".", "digest": digest}}
    onnx = [path for path in top if path.endswith(".onnx")]
    skops = [path for path in top if path.endswith(".skops")]
    if len(onnx) == 1 and not skops:
        chosen["onnx"] = {"data": onnx[0], "providers": ["CPUExecutionProvider"]}
        chosen["python_function"] = {"loader_module": "mlflow.onnx", "data": onnx[0]}
    elif len(skops) == 1 and not onnx:
        chosen["sklearn"] = {"pickled_model": skops[0], "serialization_format": "skops"}
        chosen["python_function"] = {"loader_module": "mlflow.sklearn", "model_path": skops[0]}
    return chosen


def describe(
    model: str,
    version: int,
    digest: str,
    paths: Sequence[str],
    created: datetime,
    signature: Mapping[str, Any],
    requirements: Sequence[str],
) -> dict[str, bytes]:
    """The files to put beside `paths`; what the model brings itself is left as it is."""
    told: dict[str, Any] = {
        "artifact_path": ".",
        "flavors": flavors(paths, digest),
        "model_uuid": sha256(f"{model}/{version}/{digest}".encode()).hexdigest()[:32],
        "run_id": None,
        "utc_time_created": created.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    parts = {part: json.dumps(signature[part]) if signature.get(part) else None for part in ("inputs", "outputs", "params")}
    if any(parts.values()):  # MLflow keeps each part as JSON in a string
        told["signature"] = parts
    beside = {
        MLMODEL: yaml.safe_dump(told, sort_keys=False).encode(),
        REQUIREMENTS: "".join(f"{line}\n" for line in (requirements or [f"lykeion=={installed_version('lykeion')}"])).encode(),
    }
    return {path: data for path, data in beside.items() if path not in paths}
