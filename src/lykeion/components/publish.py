"""The step that a Training ends with: an output becomes a version of a model, and its alias moves there if `requires` holds.

It may run again after any crash: publishing is idempotent by model, content and window, and moving an alias to where it is does nothing.
"""

import math
from collections.abc import Mapping
from typing import Any

from lykeion.components.base import Input, Step, component
from lykeion.repository import open_repository


@component(role="publish", reads_outside=True)
def publish(
    content: Input[Any],
    step: Step,
    *,
    repository: str,
    model: str,
    metrics: dict[str, Any],
    metadata: dict[str, Any],
    lineage: dict[str, Any],
    window: list[str] | None,
    alias: str = "",
    deploy: dict[str, Any],
    requires_ok: bool = True,
    why_not: str = "",
) -> None:
    """Publish `content` as a version of `model` in the repository at a URL, then move `alias` ("" for none) to it.

    Where `requires_ok` is false the version is there, but the alias stays, and `why_not` is told. Where `deploy` asks for an image the
    alias is moved by the image builder, when it has built one.
    """
    models = open_repository(repository)
    manifest = models.publish(
        model,
        content.path,
        digest=content.digest or None,
        metrics=finite(metrics),
        metadata=metadata,
        lineage=lineage,
        window=(window[0], window[1]) if window else None,
        deploy=deploy,
    )
    waits = bool(deploy.get("image"))
    moves = bool(alias) and requires_ok and not waits
    if moves:
        models.move_alias(model, alias, manifest.version, reason=f"published by {lineage.get('training') or 'a step'}")
    reason = why_not if not requires_ok else f"{alias} waits for its image, which the image builder makes" if waits else ""
    step.result.update(version=manifest.version, digest=manifest.digest, moved=moves, why_not=reason)


def finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Without NaN and infinities, which JSON cannot keep; each is told in the log."""
    kept = {name: value for name, value in metrics.items() if math.isfinite(value)}
    for name in sorted(metrics.keys() - kept.keys()):
        print(f"metric {name} is {metrics[name]}: it is not kept with the version")
    return kept
