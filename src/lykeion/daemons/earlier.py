"""The runs of a pipeline that came before one: what a step that is run again is compared with."""

from collections.abc import Iterator

from lykeion.core.pipelines.reasons import comparable
from lykeion.core.resources.training import Training
from lykeion.daemons.lookup import Lookup
from lykeion.ports import Resources

FARTHEST = 20  # runs back: after so many that failed, what came before them explains little


def earlier(resources: Resources, training: Training) -> Lookup[Training]:
    """Step -> the earlier run to compare it with. Runs are read once each, when the first step asks that needs them."""
    known: list[Training] = []

    def newest_first() -> Iterator[Training]:
        yield from known
        while len(known) < FARTHEST and (before := resources.newest_before(known[-1] if known else training)):
            known.append(before)
            yield before

    return Lookup(lambda step: comparable(step, newest_first()))
