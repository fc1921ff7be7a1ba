"""Prometheus metrics of many workers as if they were one process: counters and histograms add up, of gauges the largest counts.

Workers tell their supervisor their samples; what a worker counted before it ended is kept, so that no counter ever goes down.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

ADDED_UP = frozenset({"counter", "histogram", "summary"})

Key = tuple[str, tuple[tuple[str, str], ...]]  # a sample's name and labels


@dataclass(slots=True)
class Family:
    name: str
    type: str
    documentation: str
    samples: dict[Key, float] = field(default_factory=dict)


def taken(registry: CollectorRegistry) -> list[Any]:
    """The samples of a registry as JSON: [[name, type, documentation, [[sample, {label: value}, value], …]], …]."""
    families = []
    for metric in registry.collect():
        samples = [[sample.name, dict(sample.labels), sample.value] for sample in metric.samples if not sample.name.endswith("_created")]
        families.append([metric.name, metric.type, metric.documentation, samples])
    return families


def parsed(raw: Sequence[Any]) -> list[Family]:
    return [
        Family(name, kind, documentation, {(sample, tuple(sorted(labels.items()))): float(value) for sample, labels, value in samples})
        for name, kind, documentation, samples in raw
    ]


def combined(processes: Iterable[Sequence[Family]]) -> list[Family]:
    """One family of each name, in the order of their first appearance."""
    together: dict[str, Family] = {}
    for families in processes:
        for family in families:
            into = together.setdefault(family.name, Family(family.name, family.type, family.documentation))
            for key, value in family.samples.items():
                old = into.samples.get(key)
                into.samples[key] = value if old is None else old + value if family.type in ADDED_UP else max(old, value)
    return list(together.values())


def lasting(families: Iterable[Family]) -> list[Family]:
    """What stays of a worker that has ended: what it counted, not how it was."""
    return [family for family in families if family.type in ADDED_UP]


@dataclass(frozen=True, eq=False)  # a registry wants its collectors hashable
class Together(Collector):
    families: Sequence[Family]

    def collect(self) -> Iterator[Metric]:
        for family in self.families:
            metric = Metric(family.name, family.documentation, family.type)
            for (name, labels), value in family.samples.items():
                metric.add_sample(name, dict(labels), value)
            yield metric


def exposition(families: Sequence[Family]) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Together(families))
    return generate_latest(registry)
