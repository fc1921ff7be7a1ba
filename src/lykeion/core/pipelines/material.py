"""What the key of a step is made of, in a run that is under way and, from its snapshot, in one that has ended."""

from lykeion.core.pipelines.image_steps import signature_of
from lykeion.core.pipelines.inputs import Inputs, gather
from lykeion.core.pipelines.keys import KeyMaterial, deciding_parameters
from lykeion.core.pipelines.signature import Signature
from lykeion.core.pipelines.template import split_env
from lykeion.core.resources.pipeline import Step
from lykeion.core.resources.training import StepStatus, Training


def window_of(training: Training) -> tuple[str, str] | None:
    given = training.spec.window
    return (given.start.isoformat(), given.end.isoformat()) if given else None


def material_of(step: Step, signature: Signature, inputs: Inputs, status: StepStatus, training: Training) -> KeyMaterial:
    """What the step's key is made of, once its inputs (and its fingerprint) are known."""
    uncached = step.cache == "never" or signature.reads_outside
    begun = training.status.started_at
    expires = ""
    if isinstance(step.cache, float) and step.cache > 0 and begun:  # aligned stretches of time: a result is never older than one
        expires = str(int((begun.timestamp() // step.cache + 1) * step.cache))
    return KeyMaterial(
        identity=signature.identity,
        parameters=deciding_parameters(step.with_, signature),
        inputs=inputs.digests,
        outputs=tuple(sorted(signature.outputs)),
        partitions=signature.partitions,
        env=split_env(step.env)[0],
        window=window_of(training) if signature.windowed else None,
        fingerprint=status.fingerprint,
        expires=expires,
        nonce=f"{training.metadata.uid}/{step.name}" if uncached else "",
    )


def material_in(training: Training, name: str) -> KeyMaterial | None:
    """What a step's key was made of in a run, whether or not the result is still there.

    None where its key is not known, or was made by a version of Lykeion that made keys otherwise.
    """
    spec, steps = training.status.pipeline, {status.name: status for status in training.status.steps}
    step = next((one for one in spec.steps if one.name == name), None) if spec else None
    if step is None or not steps[name].key:
        return None
    inputs = gather(step, steps, training.status.models)
    if not isinstance(inputs, Inputs):
        return None
    material = material_of(step, signature_of(step, training.status.components), inputs, steps[name], training)
    return material if material.key == steps[name].key else None
