"""Whatever happens in whatever order: no proxy is ever pointed at an index that a worker has let go."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from lykeion.core.content import digest_of_value
from lykeion.core.resources import IndexServing, Metadata, SearchServing, Serving, ServingSpec
from lykeion.core.serving.search import decide
from lykeion.core.values import Child, Document, ModelVersion, Observed, Ref

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = ("photos-index", "photos")
WORKERS = 2
SERVINGS = {
    "photos": Serving(metadata=Metadata(name="photos"), spec=ServingSpec(search=SearchServing(family="photos"))),
    "photos-index": Serving(metadata=Metadata(name="photos-index"), spec=ServingSpec(index=IndexServing(family="photos"))),
}
FOLLOWED = {"photos": "photos-cover", "photos-index": "photos-index-load"}

steps = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 3)),
    st.tuples(st.just("decide"), st.sampled_from(NAMES)),
    st.tuples(st.just("decide"), st.sampled_from(NAMES)),
    st.tuples(st.just("apply"), st.sampled_from(NAMES), st.integers(0, WORKERS - 1)),
    st.tuples(st.just("die"), st.sampled_from(NAMES), st.integers(0, WORKERS - 1)),
)


class Model:
    """Documents, and what each worker has applied of them (None: it is not up)."""

    def __init__(self):
        self.stable = None
        self.documents = dict.fromkeys(NAMES)
        self.workers = {name: [None] * WORKERS for name in NAMES}

    def children(self, name):
        content = self.documents[name]
        found = {}
        if content is not None:
            found["document"] = Child(FOLLOWED[name], "Document", digest=digest_of_value(content), content=content)
            live = [digest_of_value(applied) for applied in self.workers[name] if applied is not None]
            acknowledged = {FOLLOWED[name]: live[0]} if live and len(set(live)) == 1 else {}
            up = tuple(f"unix:{place}" for place, applied in enumerate(self.workers[name]) if applied is not None)
            found["service"] = Child(name, "Service", "Running" if up else "Pending", addresses=up, acknowledged=acknowledged)
        return found

    def decide(self, name):
        other = next(one for one in NAMES if one != name)
        versions = {"photos-space@sha256:g": ModelVersion("photos-space", 1, "sha256:g")}
        if self.stable:
            versions["photos@stable"] = ModelVersion("photos", self.stable, f"sha256:{self.stable}", {"generation": "sha256:g"})
        related = {Ref("Serving", other): self.children(other)}
        decision = decide(Observed(SERVINGS[name], self.children(name), NOW, versions=versions, related=related))
        for applied in decision.apply:
            if isinstance(applied, Document):
                self.documents[name] = applied.content

    def calm_down(self):
        for _ in range(4):
            for name in NAMES:
                self.decide(name)
                self.workers[name] = [self.documents[name]] * WORKERS

    def check(self):
        """An index worker that is up holds all that any proxy worker asks for; one that comes up applies the document of then."""
        asked = {one["version"] for cover in self.workers["photos"] if cover for one in cover["indexes"]}
        for held in self.workers["photos-index"]:
            if held is not None:
                assert asked <= {one["version"] for one in held["load"]}

    def take(self, step):
        match step:
            case ("publish", version):
                self.stable = version
            case ("decide", which):
                self.decide(which)
            case ("apply", which, worker):
                self.workers[which][worker] = self.documents[which]
            case (_, which, worker):
                self.workers[which][worker] = None


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=15, max_size=60))
def test_no_proxy_worker_asks_for_what_an_index_worker_has_let_go(given_steps):
    model = Model()
    model.stable = 1
    model.calm_down()
    for step in given_steps:
        model.take(step)
        model.check()


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=40))
def test_when_things_calm_down_the_last_version_is_served_and_alone(given_steps):
    model = Model()
    model.stable = 1
    for step in [*given_steps, ("publish", 9)]:
        model.take(step)
    model.calm_down()
    assert [one["version"] for one in model.documents["photos"]["indexes"]] == [9]
    assert [one["version"] for one in model.documents["photos-index"]["load"]] == [9]
