"""Short ways to write resources and what is observed of them, for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lykeion.core.pipelines.begin import Surroundings, begin
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources import Metadata, Pipeline, PipelineSpec, Training, TrainingSpec
from lykeion.core.values import ModelVersion

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def pipeline(*steps: Mapping[str, Any], name: str = "p", **spec: Any) -> Pipeline:
    """A Pipeline from steps as they are written in YAML. A step without a component gets "work:" and its name."""
    written = [{"component": f"work:{step['name'].replace('-', '_')}", **step} for step in steps]
    return Pipeline.model_validate({"metadata": {"name": name}, "spec": {"steps": written, **spec}})


def signatures(spec: PipelineSpec, **changes: Any) -> dict[str, Signature]:
    """A signature for every component of a pipeline: it takes what it is given and has the output `out`."""
    found = {}
    for step in spec.steps:
        component = step.component or ""
        inputs = {name: "" for name, _ in step.sources()}
        found[component] = Signature(component, **{"inputs": inputs, "outputs": {"out": ""}, "identity": f"code of {component}", **changes})
    return found


def training(
    pipeline: Pipeline,
    name: str = "t",
    *,
    now: datetime = NOON,
    versions: Mapping[str, ModelVersion] | None = None,
    known: Mapping[str, Signature] | None = None,
    **spec: Any,
) -> Training:
    """A Training that has begun."""
    metadata = Metadata(name=name, uid=f"uid of {name}", generation=1)
    made = Training(metadata=metadata, spec=TrainingSpec.model_validate({"pipelineRef": {"name": pipeline.name}, **spec}))
    around = Surroundings(pipeline.spec, "/pipelines", known or signatures(pipeline.spec))
    return made.model_copy(update={"status": begin(around, made.spec.steps, versions or {}, 1, now)})
