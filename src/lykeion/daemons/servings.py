"""The loop body that keeps Servings up, and that makes one for a version that was published with `deploy`."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from lykeion.core.resources import API_VERSION, IndexServing, Metadata, SearchServing, Serving, ServingSpec
from lykeion.core.serving.search import decide
from lykeion.core.values import Child, Decision, ModelVersion, Observed, Ref
from lykeion.daemons.lookup import Lookup
from lykeion.errors import Conflict, LykeionError, NotFound, Unavailable
from lykeion.ports import Children, Clock, Resources

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 1.0


class Servings:
    """Keeps every Serving of the install as it is wanted, by passes.

    `deployed` lists what versions ask for: (serving, track) of each version that an alias names and that was published with `deploy`.
    """

    def __init__(
        self,
        resources: Resources,
        children: Children,
        resolve: Callable[[str], ModelVersion | None],
        deployed: Callable[[], Mapping[str, str]],
        clock: Clock,
    ) -> None:
        self.resources, self.children, self.resolve, self.deployed, self.clock = resources, children, resolve, deployed, clock
        self.servings: dict[str, Serving] = {}
        self.seen = -1

    def pass_(self) -> float:
        """One pass over all; in how many seconds to look again at the latest (aliases move without telling us)."""
        self.ensure()
        self.take_in()
        settled = [self.keep(serving) for serving in list(self.servings.values())]
        return LONGEST_PAUSE if all(settled) else SHORTEST_PAUSE

    def settle(self) -> None:
        """Nothing is only in memory."""

    def ensure(self) -> None:
        """A version published with `deploy` makes its Servings, unless somebody has made them by hand."""
        try:
            asked = self.deployed()
        except LykeionError:  # the Servings that there are say what is wrong with the repository
            return
        for family, track in asked.items():
            for serving in wanted(family, track):
                if serving.name not in self.servings:
                    with suppress(Conflict, Unavailable):
                        self.resources.create(serving)

    def take_in(self) -> None:
        changes = self.resources.changes()
        if changes == self.seen:
            return
        self.seen = changes
        there = {serving.name: serving for serving in self.resources.list("Serving") if isinstance(serving, Serving)}
        for name in self.servings.keys() - there.keys():
            for child in self.children.observe(Ref("Serving", name)):
                self.children.delete(child)
        self.servings = there

    def keep(self, serving: Serving) -> bool:
        """One Serving, one pass; whether it is as it should be."""
        now = self.clock.now()
        observed = Observed(
            resource=serving,
            children=self.children.observe(Ref("Serving", serving.name)),
            now=now,
            versions=Lookup(self.resolve),
            related=self.related(serving),
        )
        try:
            decision = decide(observed)
        except LykeionError as wrong:
            decision = in_spite_of(wrong, decide(replace(observed, versions={})))
        for child in decision.apply:
            self.children.apply(child)
        for name in decision.delete:
            self.children.delete(name)
        with suppress(Unavailable):  # a full disk: an event is a remark
            for event in decision.events:
                self.resources.record(event, now)
        if decision.status != serving.status:
            self.write(serving.model_copy(update={"status": decision.status}))
        return decision.look_again is None

    def related(self, serving: Serving) -> Mapping[Ref, Mapping[str, Child]]:
        """The children of the other Servings of the same family."""
        return {
            Ref("Serving", other.name): self.children.observe(Ref("Serving", other.name))
            for other in self.servings.values()
            if other.name != serving.name and other.spec.family == serving.spec.family
        }

    def write(self, serving: Serving) -> None:
        try:
            stored = self.resources.write_status(serving)
        except (Conflict, NotFound):
            self.seen = -1
            return
        except Unavailable:  # a full disk: it is tried again on the next pass
            return
        assert isinstance(stored, Serving)
        self.servings[serving.name] = stored


def in_spite_of(wrong: LykeionError, decision: Decision) -> Decision:
    """What was decided from what is there already, saying that the repository could not be read: what answers goes on answering."""
    told = [
        one.model_copy(update={"message": f"{one.message}; what is new cannot be seen: {wrong}"})
        if one.status == "True"
        else one.model_copy(update={"reason": type(wrong).__name__, "message": str(wrong)})
        for one in decision.status.conditions
    ]
    return replace(decision, status=decision.status.model_copy(update={"conditions": tuple(told)}))


def wanted(family: str, track: str) -> tuple[Serving, Serving]:
    """The index servers of a family, and the search in front of them."""
    return (
        made(f"{family}-index", ServingSpec(index=IndexServing(family=family), track=track)),
        made(family, ServingSpec(search=SearchServing(family=family), track=track)),
    )


def made(name: str, spec: ServingSpec) -> Serving:
    return Serving(api_version=API_VERSION, metadata=Metadata(name=name), spec=spec)
