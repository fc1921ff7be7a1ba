"""What a Serving of a family needs: index servers that hold its versions, or the proxy in front of them. Pure and level-triggered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lykeion.core.resources.metadata import Condition, set_condition
from lykeion.core.resources.serving import Serving, ServingStatus
from lykeion.core.serving import names
from lykeion.core.serving.take_over import Told, addresses, covered, entry, loaded, may_answer, to_load, told, versions_in
from lykeion.core.values import Applied, Child, Decision, Document, Event, ModelVersion, Observed, Ref, Route, Service, Target

SOON = 0.5  # seconds to the next look while something is under way
LATER = None  # nothing is under way: whoever asks looks for moved aliases in a time of his own
ENVIRONMENT = {  # one thread per worker, and none in the supervisor, which forks
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "MALLOC_ARENA_MAX": "2",  # not an arena per thread and worker
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # one more allocator would keep memory of its own in each worker
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # nobody forks who has used it
    "GRPC_POLL_STRATEGY": "poll",  # a tenth less CPU per call than epoll, with the few connections that there are
}


def environment(module: str) -> Mapping[str, str]:
    """Of a server. An index server allocates little at a time, and one arena keeps a worker small; decoding pictures is faster with two."""
    return {**ENVIRONMENT, "MALLOC_ARENA_MAX": "1"} if module == names.INDEX_MODULE else ENVIRONMENT


@dataclass(frozen=True, slots=True)
class State:
    """How far it is, for the condition Ready."""

    ready: Literal["True", "False"]
    reason: str
    message: str
    children: tuple[Applied, ...] = ()
    serving: tuple[ModelVersion, ...] = ()
    events: tuple[Event, ...] = ()
    under_way: bool = field(default=False)


def decide(observed: Observed) -> Decision:
    """For a Serving with `index` or `search`."""
    serving: Serving = observed.resource
    family = serving.spec.family
    proxy_children = observed.children if serving.spec.search else other(observed, names.search_serving(family))
    index_children = observed.children if serving.spec.index else other(observed, names.index_serving(family))
    proxy = told(proxy_children, names.search_serving(family), names.cover_document(family))
    index = told(index_children, names.index_serving(family), names.load_document(family))
    wanted = observed.versions.get(f"{family}@{serving.spec.track}")
    state = decide_index(serving, wanted, index, proxy) if serving.spec.index else decide_search(serving, observed, wanted, index, proxy)
    mine = index if serving.spec.index else proxy
    condition = Condition(type="Ready", status=state.ready, reason=state.reason, message=state.message)
    status = ServingStatus(
        observed_generation=serving.metadata.generation,
        conditions=set_condition(serving.status.conditions, condition, observed.now),
        url=names.route_prefix(family) if serving.spec.search and state.children else "",
        serving=tuple(f"{version.model}@{version.version}" for version in state.serving),
        ready_workers=len(mine.service.addresses) if mine.service else 0,
    )
    return Decision(status, state.children, events=state.events, look_again=SOON if state.under_way else LATER)


def other(observed: Observed, name: str) -> Mapping[str, Child]:
    return observed.related.get(Ref("Serving", name), {})


def no_version(serving: Serving) -> State:
    family, track = serving.spec.family, serving.spec.track
    remedy = f"run a pipeline that publishes {family!r}, or move the alias: lykeion models alias {family} {track} VERSION"
    return State("False", "NoVersion", f"no version of the model {family!r} has the alias {track!r}; {remedy}")


def decide_index(serving: Serving, wanted: ModelVersion | None, index: Told, proxy: Told) -> State:
    family = serving.spec.family
    hold = to_load(wanted, index, proxy)
    if not hold:
        return no_version(serving)
    service = server(serving, names.index_serving(family), names.INDEX_MODULE, names.load_document(family))
    content = {"family": family, "load": [entry(version) for version in hold]}
    document = Document(names.load_document(family), service.owner, content, models=hold)
    now = loaded(index) if index.settled else ()
    failing = trouble(index.service)
    if failing:
        return State("False", *failing, (service, document), now, under_way=True)
    if not index.service or not index.service.addresses:
        return State("False", "Starting", "the index servers are starting", (service, document), under_way=True)
    if {version.digest for version in now} != {version.digest for version in hold}:
        listed = ", ".join(f"{version.model}@{version.version}" for version in hold)
        return State("True" if now else "False", "Loading", f"loading {listed}", (service, document), now, under_way=True)
    return State("True", "Serving", "every worker holds what is asked for", (service, document), now)


def decide_search(serving: Serving, observed: Observed, wanted: ModelVersion | None, index: Told, proxy: Told) -> State:
    family = serving.spec.family
    before = covered(proxy)
    space_before = versions_in([proxy.content["space"]]) if "space" in proxy.content else ()
    if wanted is None and not before:
        return no_version(serving)
    target, space, waits = before, space_before, ""
    if wanted is not None and [version.digest for version in before] != [wanted.digest]:
        found = space_of(wanted, observed)
        if isinstance(found, State) and not before:
            return found
        if isinstance(found, State):
            waits = found.message
        elif may_answer(wanted, index):
            target, space = (wanted,), (found,)
        else:
            waits = f"the index servers are loading {wanted.model}@{wanted.version}"
    service = server(serving, names.search_serving(family), names.PROXY_MODULE, names.cover_document(family))
    route = Route(names.route_name(family), service.owner, names.route_prefix(family), (Target(service.name),))
    if not target:
        return State("False", "Loading", waits, (service, route), under_way=True)
    cover = Document(names.cover_document(family), service.owner, cover_content(family, target, space, index, proxy), models=space)
    children = (service, route, cover)
    events = took_over(service.owner, before, target)
    failing = trouble(proxy.service)
    if failing:
        return State("False", *failing, children, events=events, under_way=True)
    if not proxy.service or not proxy.service.addresses:
        return State("False", "Starting", "the proxy is starting", children, events=events, under_way=True)
    if index.service is None or not index.service.addresses:
        there = names.index_serving(family)
        reason = f"no index server answers; is there a Serving {there!r}? lykeion describe serving {there}"
        return State("False", "NoIndexServer", reason, children, events=events, under_way=True)
    moving = waits or ("" if proxy.settled and not events else "the proxy is taking a new cover")
    if moving:
        return State("True", "TakingOver", moving, children, before or target, events, under_way=True)
    return State("True", "Serving", f"answers at {names.route_prefix(family)}", children, target)


def server(serving: Serving, name: str, module: str, document: str) -> Service:
    argv = ("python", "-m", module, "--socket", "{socket}", "--documents", "{documents}", "--volume", "{volume}")
    mine = ("--document", document, "--family", serving.spec.family, "--workers", str(serving.spec.workers))
    return Service(name, Ref("Serving", serving.name), (*argv, *mine), env=environment(module))


def space_of(version: ModelVersion, observed: Observed) -> ModelVersion | State:
    """The space that an index was built in: by content, since its own alias may have moved on."""
    generation = version.metadata.get("generation", "")
    model = names.space_model(version.model)
    found = observed.versions.get(f"{model}@{generation}") if generation else None
    if found is None:
        named = f"{version.model}@{version.version}"
        remedy = f"publish the space of the same run as {model!r}"
        return State(
            "False",
            "NoSpace",
            f"{named} was built in the space {generation or '(it does not say)'}, which no version of {model!r} has; {remedy}",
        )
    return found


def cover_content(
    family: str, target: tuple[ModelVersion, ...], space: tuple[ModelVersion, ...], index: Told, proxy: Told
) -> dict[str, Any]:
    known = {one["digest"]: one.get("addresses", ()) for one in proxy.content.get("indexes", ())}
    where = [{**entry(version), "addresses": addresses(index, known.get(version.digest, ()))} for version in target]
    embedding = next((version.metadata["embedding"] for version in target if "embedding" in version.metadata), "")
    return {"family": family, "space": entry(space[0]) if space else None, "embedding": embedding, "indexes": where}


def took_over(owner: Ref, before: tuple[ModelVersion, ...], target: tuple[ModelVersion, ...]) -> tuple[Event, ...]:
    if [version.digest for version in before] == [version.digest for version in target]:
        return ()
    new = ", ".join(f"{version.model}@{version.version}" for version in target)
    old = ", ".join(f"{version.model}@{version.version}" for version in before)
    return (Event(owner, "Normal", "TookOver", f"{new} answers now" + (f" in place of {old}" if old else "")),)


def trouble(service: Child | None) -> tuple[str, str] | None:
    """Why a service cannot become ready by itself: it ends again and again."""
    if service is None or service.phase != "Failed" or service.addresses:
        return None
    last = service.log_tail.strip().splitlines()[-1:] if service.log_tail else []
    return service.reason or "CrashLoopBackOff", "; ".join([service.message or "the server ends again and again", *last])
