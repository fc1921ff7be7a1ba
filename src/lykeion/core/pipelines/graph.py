"""The graph of a pipeline's steps: what each needs, an order to run them in, and what is wrong with it."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from lykeion.core.resources.pipeline import ModelInput, PipelineSpec, Step
from lykeion.core.resources.places import Place
from lykeion.core.resources.suggest import SHOWN, did_you_mean
from lykeion.errors import Invalid, Problem

SUGGESTED = 50  # problems that get a "did you mean": finding it costs time, and nobody reads more of them

SPEC = Place(path=("spec",))


def needs(spec: PipelineSpec) -> dict[str, set[str]]:
    """Which steps each step needs, its `otherwise` included. A name may be one that no step has."""
    return {step.name: {output.partition(".")[0] for _, output in wanted_outputs(step)} for step in spec.steps}


def wanted_outputs(step: Step) -> list[tuple[str, str]]:
    """(input's name, "step.output") for each output of a step that `step` takes, or would take in a model's place."""
    found: list[tuple[str, str]] = []
    for name, source in step.inputs.items():
        if isinstance(source, ModelInput):
            if source.otherwise is not None:
                found.append((name, source.otherwise))
        elif not source.startswith("models:"):
            found.append((name, source))
    return found


def order(spec: PipelineSpec) -> tuple[Step, ...]:
    """The steps so that each comes after all that it needs; where that leaves a choice, in the order of the file.

    Raises Invalid with every cycle, every input that comes from no step, and every name that two steps have.
    """
    found = problems(spec)
    if found:
        raise Invalid(found)
    by_name = {step.name: step for step in spec.steps}
    return tuple(by_name[name] for name in sorted_names(needs(spec)))


def sorted_names(wanted: Mapping[str, Iterable[str]]) -> list[str]:
    """Every name after those that it wants; names on a cycle, and those behind one, are left out."""
    wanted_by: dict[str, list[str]] = {name: [] for name in wanted}
    missing: dict[str, int] = {}
    for name, others in wanted.items():
        known = [other for other in others if other in wanted]
        missing[name] = len(known)
        for other in known:
            wanted_by[other].append(name)
    ready = deque(name for name, count in missing.items() if count == 0)
    done: list[str] = []
    while ready:
        name = ready.popleft()
        done.append(name)
        for waiting in wanted_by[name]:
            missing[waiting] -= 1
            if missing[waiting] == 0:
                ready.append(waiting)
    return done


def closure(spec: PipelineSpec, names: Iterable[str]) -> set[str]:
    """`names` and every step that they need, directly or not."""
    wanted = needs(spec)
    found: set[str] = set()
    waiting = [name for name in names if name in wanted]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(other for other in wanted[name] if other in wanted)
    return found


def cycles(wanted: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """One cycle for each knot of steps that all need each other: ["a", "b"] where a needs b and b needs a.

    It is the shortest through the knot's first step. When it is cut, another may be left in the same knot.
    """
    sortable = set(sorted_names(wanted))
    stuck = {name: [other for other in others if other in wanted and other not in sortable] for name, others in wanted.items()}
    knots = strongly_connected({name: others for name, others in stuck.items() if name not in sortable})
    position = {name: number for number, name in enumerate(wanted)}
    found: list[list[str]] = []
    for knot in sorted((sorted(knot, key=position.__getitem__) for knot in knots), key=lambda knot: position[knot[0]]):
        members = set(knot)
        if len(knot) > 1 or knot[0] in stuck[knot[0]]:
            found.append(shortest_cycle(knot[0], {name: [other for other in stuck[name] if other in members] for name in knot}))
    return found


def shortest_cycle(first: str, wanted: Mapping[str, Iterable[str]]) -> list[str]:
    """From `first` by what each needs until back at `first`, which can be reached from all of them."""
    came_from: dict[str, str] = {}
    waiting = deque([first])
    while first not in came_from:
        name = waiting.popleft()
        for other in wanted[name]:
            if other not in came_from:
                came_from[other] = name
                waiting.append(other)
    cycle = [first]
    while (name := came_from[cycle[-1]]) != first:
        cycle.append(name)
    return [first, *reversed(cycle[1:])]


def strongly_connected(wanted: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Tarjan's algorithm with a stack of its own: a chain may be thousands of steps long."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_names: list[str] = []
    is_open: set[str] = set()
    found: list[list[str]] = []
    for root in wanted:
        work = [] if root in number else [(root, iter(wanted[root]))]
        while work:
            name, others = work[-1]
            if name not in number:
                number[name] = lowest[name] = len(number)
                open_names.append(name)
                is_open.add(name)
            other = next((other for other in others if other not in number or other in is_open), None)
            if other is not None and other not in number:
                work.append((other, iter(wanted[other])))
            elif other is not None:
                lowest[name] = min(lowest[name], number[other])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[name])
                if lowest[name] == number[name]:
                    at = len(open_names) - 1 - open_names[::-1].index(name)
                    found.append(open_names[at:])
                    is_open.difference_update(open_names[at:])
                    del open_names[at:]
    return found


def problems(spec: PipelineSpec, place: Place = SPEC) -> list[Problem]:
    """Steps of the same name, inputs that come from no step, and cycles, each named once."""
    found: list[Problem] = []
    first: dict[str, int] = {}
    for number, step in enumerate(spec.steps):
        if first.setdefault(step.name, number) != number:
            there = place.at("steps", first[step.name], "name").problem("").line
            other = f"the one on line {there}" if there else f"step number {first[step.name] + 1}"
            found.append(
                place.at("steps", number, "name").problem(
                    f"{step.name!r} is the name of another step too", f"rename this one or {other}", step.name
                )
            )
    for number, step in enumerate(spec.steps):
        for name, output in wanted_outputs(step):
            source = output.partition(".")[0]
            if source not in first:
                where = place.at("steps", number, "inputs", name, *(["otherwise"] if isinstance(step.inputs[name], ModelInput) else []))
                remedy = did_you_mean(source, first, "the steps are") if len(found) < SUGGESTED else ""
                found.append(where.problem(f"there is no step {source!r}", remedy, output))
    last = {step.name: number for number, step in enumerate(spec.steps)}  # as `needs` has it where a name is used twice
    found += [cycle_problem(spec.steps[last[cycle[0]]], place.at("steps", last[cycle[0]]), cycle) for cycle in cycles(needs(spec))]
    return found


def cycle_problem(step: Step, place: Place, cycle: list[str]) -> Problem:
    """`step`: the cycle's first, and its place."""
    needed = cycle[1 % len(cycle)]
    through = next(name for name, output in wanted_outputs(step) if output.partition(".")[0] == needed)
    if len(cycle) == 1:
        return place.at("inputs", through).problem(f"step {cycle[0]!r} needs its own output", "take the input from another step", needed)
    shown = cycle if len(cycle) <= SHOWN else [*cycle[: SHOWN - 2], "…", cycle[-1]]
    way = " -> ".join([*shown, cycle[0]])
    return place.at("inputs", through).problem(f"the steps need each other in a circle: {way}", "take one of these inputs out", needed)
