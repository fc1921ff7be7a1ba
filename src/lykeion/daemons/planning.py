"""What a run is planned from: the pipeline with its parameters filled in, and what its components say of themselves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lykeion.core.pipelines.begin import Surroundings
from lykeion.core.pipelines.check import check
from lykeion.core.pipelines.parameters import given_parameters
from lykeion.core.pipelines.template import Values, fill_spec
from lykeion.core.resources.metadata import SOURCE_FILE
from lykeion.core.resources.parse import lines_of
from lykeion.core.resources.pipeline import Pipeline, PipelineSpec
from lykeion.core.resources.training import WindowSpec
from lykeion.errors import Invalid, Problem
from lykeion.ports import Components


def plan(pipeline: Pipeline, parameters: Mapping[str, Any], window: WindowSpec | None, components: Components) -> Surroundings:
    """Raises Invalid with everything that keeps the pipeline from being run: parameters, components, what does not fit together."""
    values = Values(given_parameters(pipeline.spec, parameters), (window.start.isoformat(), window.end.isoformat()) if window else None)
    source = pipeline.metadata.annotations.get(SOURCE_FILE, "")
    folder = str(Path(source).parent) if source else ""
    spec = fill_spec(pipeline.spec, values)
    refuse_images(spec, source)
    signatures = components.describe_all(folder, [step.component for step in spec.steps if step.component], lock_of(spec, folder))
    problems = check(spec, signatures, source, filled=True)
    if problems:  # once more with line numbers, which cost a parse
        path = Path(source)
        lines = lines_of(path.read_text(), source, pipeline) if path.is_file() else None
        raise Invalid(check(spec, signatures, source, lines, filled=True))
    return Surroundings(spec, folder, signatures)


def refuse_images(spec: PipelineSpec, source: str) -> None:
    """Steps that run an image wait for an engine that can; raises Invalid with each."""
    remedy = "use a component"
    images = [
        Problem(
            f"step {step.name} runs an image; this engine runs components only",
            f"spec.steps[{number}].image",
            step.image,
            source,
            0,
            remedy,
        )
        for number, step in enumerate(spec.steps)
        if step.image
    ]
    if images:
        raise Invalid(images)


def lock_of(spec: PipelineSpec, folder: str) -> Path | None:
    """The requirements file of the pipeline; raises Invalid where it is named but not there."""
    if spec.environment.requirements is None:
        return None
    path = Path(folder) / spec.environment.requirements
    if not path.is_file():
        remedy = "write its path relative to the pipeline's file"
        raise Invalid([Problem("no such file", field="spec.environment.requirements", value=str(path), remedy=remedy)])
    return path
