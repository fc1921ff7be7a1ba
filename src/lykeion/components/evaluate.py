"""How well an index answers: as it is shipped, against comparing with every row."""

import json
import time
from typing import Annotated, Any

import numpy as np

import lykeion.search
from lykeion.components.base import Input, Output, Range, Step, component
from lykeion.components.index import Index
from lykeion.search.tune import agreement, others, sample

SEED = 20260101  # not the rows that the index was tuned on


class Report:
    """`report.json` for programs, `report.md` for people."""


@component(role="evaluation")
def report(
    index: Input[Index],
    report: Output[Report],
    *,
    queries: Annotated[int, Range(1, 100_000)] = 1000,
    k: Annotated[int, Range(1, 100)] = 10,
    step: Step,
) -> None:
    """Measure recall: of the k pictures most like one of the catalogue's own (itself aside), how many the index finds.

    An index without rows has no recall, so that it does not pass a gate that asks for one.
    """
    opened = lykeion.search.open(index.path)
    vectors, own = sample(opened, queries, SEED)
    wanted = min(k + 1, max(1, opened.count))
    started = time.process_time()
    found = others(opened.search(vectors, wanted).rows, own) if len(vectors) else np.empty((0, 0), np.int64)
    spent = time.process_time() - started
    truth = others(opened.search(vectors, wanted, exact=True).rows, own) if len(vectors) else found
    recall = {f"recall_at_{k}": agreement(found, truth)} if len(vectors) else {}  # of no rows there is none: no gate on it holds then
    for name, value in recall.items():
        step.metric(name, value)
    step.metric("queries", len(vectors))
    step.metric("cpu_seconds_per_query", spent / max(1, len(vectors)))
    said: dict[str, Any] = {
        **{name: round(value, 4) for name, value in recall.items()},
        "queries": len(vectors),
        "rows": opened.count,
        "items": opened.manifest.items,
        "kind": opened.manifest.kind,
        "tuning": None if opened.manifest.tuning is None else opened.manifest.tuning.model_dump(),
    }
    (report.path / "report.json").write_text(json.dumps(said, indent=1) + "\n")
    (report.path / "report.md").write_text(markdown(opened.manifest.family, said))


def markdown(family: str, said: dict[str, Any]) -> str:
    """The report as a table for people."""
    lines = [f"| {name.replace('_', ' ')} | {value} |" for name, value in said.items() if not isinstance(value, dict)]
    return "\n".join([f"# Index of {family}", "", "| | |", "|---|---|", *lines, ""])
