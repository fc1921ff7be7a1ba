"""Steps that run an image: what such a step says of itself, as a component does, and by which digest its image is known.

An image is named by its digest in a run's snapshot: a tag is resolved once, when the run is planned.
"""

from collections.abc import Mapping

from lykeion.core.content import digest_of_value
from lykeion.core.pipelines.contract import CONTRACT_VERSION
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources.pipeline import PipelineSpec, Step

IMAGE = "image "  # what the identity of such a step begins with


def signature_of(step: Step, signatures: Mapping[str, Signature]) -> Signature:
    """Of a component, as `signatures` has it; of a step whose image is pinned, what the pipeline says of it.

    It is told the window, so the window decides; with a network it may read anything, so it runs every time.
    """
    if step.image is None:
        return signatures[step.component or ""]
    return Signature(
        component="",
        inputs=dict.fromkeys(step.inputs, ""),
        outputs=dict.fromkeys(step.outputs, ""),
        windowed=True,
        reads_outside=step.network,
        identity=IMAGE + digest_of_value({"contract": CONTRACT_VERSION, "image": digest_in(step.image), "command": list(step.command)}),
    )


def digest_in(image: str) -> str:
    """Of "NAME@sha256:…"; "" where it is only a name."""
    return image.partition("@")[2]


def pinned(spec: PipelineSpec, images: Mapping[str, str]) -> PipelineSpec:
    """The pipeline with its images by digest. `images`: as they are written -> pinned."""
    steps = tuple(step.model_copy(update={"image": images.get(step.image, step.image)}) if step.image else step for step in spec.steps)
    return spec.model_copy(update={"steps": steps})
