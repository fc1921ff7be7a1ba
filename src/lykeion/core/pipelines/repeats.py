"""What a run does otherwise than the one that it repeats: a rerun takes the pipeline, the code and the models as they are now."""

from collections.abc import Iterator, Mapping
from typing import Any

from lykeion.core.pipelines.keys import shown, written
from lykeion.core.pipelines.reasons import changes_of_code
from lykeion.core.resources.training import TrainingStatus


def differences(now: TrainingStatus, then: TrainingStatus) -> list[str]:
    """Sentences about the snapshots of two runs that have begun; none where one has not, or they are the same."""
    if now.pipeline is None or then.pipeline is None:
        return []
    new, old = (spec.model_dump(mode="json", by_alias=True) for spec in (now.pipeline, then.pipeline))
    return [*of_the_pipeline(new, old), *of_the_code(now, then), *of_the_models(now, then)]


def of_the_pipeline(new: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[str]:
    for part, noun, names in (("steps", "step", ("name",)), ("publish", "publish", ("output", "model"))):
        mine, theirs = ({" as ".join(one[name] for name in names): one for one in spec[part]} for spec in (new, old))
        for which in dict.fromkeys([*theirs, *mine]):
            if which not in theirs or which not in mine:
                yield f"{noun} {which} {'is new' if which in mine else 'is not there any more'}"
                continue
            yield from (f"{noun} {which}: {told}" for told in of_the_fields(mine[which], theirs[which]))
    rest = [{name: value for name, value in spec.items() if name not in ("steps", "publish", "parameters")} for spec in (new, old)]
    yield from of_the_fields(*rest)


def of_the_fields(new: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted(new.keys() | old.keys()):
        if written(new, field) != written(old, field):
            yield f"{field} was {shown(old, field)}, is {shown(new, field)}"


def of_the_code(now: TrainingStatus, then: TrainingStatus) -> Iterator[str]:
    for component, signature in now.components.items():
        before = then.components.get(component)
        if before is not None and before.identity != signature.identity:
            yield f"component {component}: {', '.join(changes_of_code(signature, before)) or 'its code or its requirements changed'}"


def of_the_models(now: TrainingStatus, then: TrainingStatus) -> Iterator[str]:
    for selector, version in now.models.items():
        before = then.models.get(selector)
        if before is not None and before != version:
            yield f"model {selector}: was version {before.get('version', 'none')}, is {version.get('version', 'none')}"
