"""What may be changed of a resource that is there already, and whether a change is one at all."""

from dataclasses import dataclass
from datetime import datetime

from lykeion.core.content import canonical
from lykeion.core.resources.metadata import Metadata, Resource
from lykeion.core.resources.training import Training
from lykeion.errors import Invalid, Problem


def check_change(old: Resource, new: Resource) -> None:
    """Raises Invalid where `new` may not take the place of `old`: a Training is immutable but for `state`, and stays cancelled."""
    if not isinstance(old, Training) or not isinstance(new, Training):
        return
    wanted, there = new.spec, old.spec
    before, after = there.model_dump(mode="json"), wanted.model_dump(mode="json")
    fields = [name for name in type(there).model_fields if name != "state" and canonical(before[name]) != canonical(after[name])]
    problems = [
        Problem(
            "a Training is what was run and never changes",
            field=f"spec.{type(there).model_fields[name].alias or name}",
            remedy=f"run it again under another name: lykeion rerun {old.name}",
        )
        for name in fields
    ]
    if there.state == "Cancelled" and wanted.state == "Run":
        problems.append(Problem("it was cancelled, which is for good", field="spec.state", value="Run", remedy=f"lykeion rerun {old.name}"))
    if problems:
        raise Invalid(problems)


def replaced(old: Resource, new: Resource) -> Resource:
    """`old` as `apply` of `new` leaves it: its spec, labels, annotations and owners; `generation` counts changes of the spec.

    It is `old` itself where nothing differs. Specs are compared as they are written: to Python, 1, 1.0 and true are equal.
    """
    changed = new.spec.model_dump_json() != old.spec.model_dump_json()
    metadata = old.metadata.model_copy(
        update={
            "labels": new.metadata.labels,
            "annotations": new.metadata.annotations,
            "owner_references": new.metadata.owner_references,
            "generation": old.metadata.generation + changed,
        }
    )
    return old.model_copy(update={"spec": new.spec, "metadata": metadata}) if metadata != old.metadata else old


def is_over(resource: Resource) -> bool:
    """Whether nothing will happen to it any more by itself: a Training that has ended."""
    return getattr(resource.status, "phase", "") in {"Succeeded", "Failed", "Cancelled"}


def plain_metadata(metadata: Metadata) -> Metadata:
    """Only what a person may say of a resource; the rest is the store's."""
    return Metadata(
        name=metadata.name, labels=metadata.labels, annotations=metadata.annotations, owner_references=metadata.owner_references
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """A resource in one line of a long list. `phase` of a resource that has none is its Ready condition's reason."""

    metadata: Metadata
    phase: str = ""
    pipeline: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.metadata.name

    @staticmethod
    def of(resource: Resource) -> "Summary":
        status, reference = resource.status, getattr(resource.spec, "pipeline_ref", None)
        ready = next((one.reason for one in getattr(status, "conditions", ()) if one.type == "Ready"), "")
        return Summary(
            metadata=resource.metadata,
            phase=getattr(status, "phase", "") or ready,
            pipeline=reference.name if reference else "",
            started_at=getattr(status, "started_at", None),
            finished_at=getattr(status, "finished_at", None),
        )
