"""What the buttons do, as values: the Training that a run creates, the one that a rerun creates, the one that is cancelled."""

from collections.abc import Collection, Mapping
from typing import Any

from lykeion.core.pipelines.names import rerun_name, training_name
from lykeion.core.pipelines.parameters import given_parameters
from lykeion.core.resources import Metadata, Pipeline, PipelineRef, Training, TrainingSpec
from lykeion.core.resources.training import OVER
from lykeion.errors import Conflict


def run(pipeline: Pipeline, parameters: Mapping[str, Any], taken: Collection[str]) -> Training:
    """A Training of `pipeline` under the next free name. Raises Invalid with everything that is wrong with the parameters."""
    given_parameters(pipeline.spec, parameters)
    spec = TrainingSpec(pipeline_ref=PipelineRef(name=pipeline.name), parameters=dict(parameters))
    return Training(metadata=Metadata(name=training_name(pipeline.name, taken)), spec=spec)


def rerun(training: Training, taken: Collection[str]) -> Training:
    """The same once more, as `<name>-rN`; what is cached is not done again."""
    metadata = Metadata(name=rerun_name(training.name, taken), labels=training.metadata.labels, annotations=training.metadata.annotations)
    return Training(metadata=metadata, spec=training.spec.model_copy(update={"state": "Run"}))


def cancelled(training: Training) -> Training:
    """Raises Conflict where it has ended already."""
    if training.status.phase in OVER:
        raise Conflict(f"training {training.name} has ended already: {training.status.phase}")
    return training.model_copy(update={"spec": training.spec.model_copy(update={"state": "Cancelled"})})
