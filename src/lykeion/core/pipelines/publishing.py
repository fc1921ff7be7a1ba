"""What a Training publishes once all its steps have succeeded: versions of models, and the aliases that move to them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lykeion.core.pipelines.contract import StepFile
from lykeion.core.pipelines.requires import evaluate
from lykeion.core.pipelines.signature import Signature
from lykeion.core.resources.pipeline import Deploy, PipelineSpec, Publish
from lykeion.core.resources.training import Published, StepStatus, Training
from lykeion.core.values import Child, Observed, Ref, Task

COMPONENT = "lykeion.components.publish:publish"
IMPORTS = ("obstore", "yaml")
TRIES = 3
BACKOFF = 2.0  # seconds before the second try; twice that before the third
DEFAULT_ALIAS = "stable"
SUMMED = ("quarantined",)  # each step counts what it set aside itself; of any other metric, the step that comes last has the word


def pending(spec: PipelineSpec, steps: Mapping[str, StepStatus], published: tuple[Published, ...]) -> Publish | None:
    """The next thing to publish, in the pipeline's order; None when all is. What skipped steps would have made is passed over."""
    done = {(one.output, one.model) for one in published}
    for publish in spec.publish:
        made = steps[publish.output.partition(".")[0]]
        if made.phase != "Skipped" and (publish.output, publish.model) not in done:
            return publish
    return None


def alias_of(publish: Publish) -> str:
    """The alias that moves to the new version."""
    return publish.deploy.track if publish.deploy else DEFAULT_ALIAS


def metrics_of(steps: Mapping[str, StepStatus]) -> dict[str, float]:
    """All metrics of a run, by name, and those that several steps report by "step.name" too: what is set aside is added up."""
    reported = Counter(name for status in steps.values() for name in status.metrics)
    metrics: dict[str, float] = {}
    for status in steps.values():
        for name, value in status.metrics.items():
            metrics[name] = value + metrics.get(name, 0) if name in SUMMED else value
            if reported[name] > 1:
                metrics[f"{status.name}.{name}"] = value
    return metrics


def attempt(publish: Publish, training: Training, observed: Observed) -> tuple[str, int]:
    """The name of the task that publishes this now, and how many attempts it makes that."""
    prefix = f"{training.name}.publish-{publish.output}-{publish.model}"
    failed = sum(child.phase == "Failed" for name, child in observed.children.items() if name.startswith(f"{prefix}."))
    return f"{prefix}.{failed + 1}", failed + 1


def attempt_before(name: str, number: int, observed: Observed) -> Child | None:
    """What became of the attempt before `number` (its task's `name`); None where there was none."""
    return observed.children.get(f"{name.rpartition('.')[0]}.{number - 1}")


def pause(name: str, number: int, observed: Observed) -> float:
    """Seconds until attempt `number` (its task's `name`) may begin: a store that does not answer gets a moment."""
    last = attempt_before(name, number, observed)
    if last is None or last.finished is None:
        return 0.0
    return BACKOFF * 2.0 ** (number - 2) - (observed.now - last.finished).total_seconds()


def policy(deploy: Deploy, holds: bool) -> dict[str, Any]:
    """The deploy policy as a version's manifest keeps it. Where an image is asked for, the builder must know whether the gate held."""
    told = deploy.model_dump(exclude={"image"})
    return {**told, "image": True, "holds": holds} if deploy.image else told


def publication(
    publish: Publish, name: str, training: Training, steps: Mapping[str, StepStatus], signatures: Mapping[str, Signature], repository: str
) -> Task:
    """The task that publishes one output. It may be run again: publishing is idempotent by model, content and window."""
    step, _, output = publish.output.partition(".")
    status = steps[step]
    metrics = metrics_of(steps)
    holds, why_not = evaluate(publish.requires, metrics) if publish.requires else (True, "")
    window = training.spec.window
    spec = training.status.pipeline
    component = next((one.component or "" for one in spec.steps if one.name == step), "") if spec else ""
    parameters = {
        "repository": repository,
        "model": publish.model,
        "metrics": metrics,
        "metadata": status.result,
        "lineage": {
            "training": training.name,
            "pipeline": training.spec.pipeline_ref.name if training.spec.pipeline_ref else "",
            "step": step,
            "component": component,
            "identity": signatures[component].identity if component in signatures else "",
            "key": status.key,
            "requires": publish.requires or "",
            "inputs": {selector: found["version"] for selector, found in training.status.models.items() if found},
        },
        "window": [window.start.isoformat(), window.end.isoformat()] if window else None,
        "alias": alias_of(publish),
        "deploy": policy(publish.deploy, holds) if publish.deploy else {},
        "requires_ok": holds,
        "why_not": why_not,
    }
    file = StepFile(
        step=f"publish-{publish.model}",
        component=COMPONENT,
        key="",
        parameters=parameters,
        inputs={"content": f"outputs/{status.key}/{output}"},
        digests={"content": status.outputs[output]},
    )
    return Task(name=name, owner=Ref("Training", training.name), steps=(file,), imports=IMPORTS)
