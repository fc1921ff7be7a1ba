"""The resources that people write: Pipeline, Training, Serving. Kubernetes API conventions; typed values; errors with line numbers."""

from lykeion.core.resources.metadata import API_VERSION, Condition, Metadata, Resource
from lykeion.core.resources.pipeline import (
    Deploy,
    Environment,
    ModelInput,
    Parameter,
    Pipeline,
    PipelineSpec,
    PipelineStatus,
    Publish,
    Retry,
    Step,
    StepResources,
)
from lykeion.core.resources.serving import IndexServing, SearchServing, Serving, ServingSpec, ServingStatus
from lykeion.core.resources.training import (
    PipelineRef,
    Published,
    StepStatus,
    Training,
    TrainingSpec,
    TrainingStatus,
    WindowSpec,
)

KINDS: dict[str, type[Resource]] = {kind.__name__: kind for kind in (Pipeline, Training, Serving)}

__all__ = [
    "API_VERSION",
    "KINDS",
    "Condition",
    "Deploy",
    "Environment",
    "IndexServing",
    "Metadata",
    "ModelInput",
    "Parameter",
    "Pipeline",
    "PipelineRef",
    "PipelineSpec",
    "PipelineStatus",
    "Publish",
    "Published",
    "Resource",
    "Retry",
    "SearchServing",
    "Serving",
    "ServingSpec",
    "ServingStatus",
    "Step",
    "StepResources",
    "StepStatus",
    "Training",
    "TrainingSpec",
    "TrainingStatus",
    "WindowSpec",
]
