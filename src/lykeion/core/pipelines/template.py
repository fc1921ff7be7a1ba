"""`${…}` in a pipeline: the values that are put in when a run is planned.

    ${parameters.x}              a parameter; where it is the whole text it keeps its type (4 stays a number)
    ${window.start} ${window.end}  the window of the Training, ISO 8601 in UTC
    ${secrets.NAME.KEY}          only in `env`, as the whole value: the engine looks it up when the step starts, nobody writes it down
    $${                          the characters ${

They may stand in `with`, `env`, `image`, `command`, a model's name, alias or `otherwise`'s model, and in `publish`; nowhere else.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lykeion.core.models.names import check_alias, check_model
from lykeion.core.pipelines import requires
from lykeion.core.resources.pipeline import ModelInput, PipelineSpec, Publish, Step
from lykeion.core.resources.places import Place
from lykeion.core.resources.serving import check_family
from lykeion.core.resources.suggest import did_you_mean
from lykeion.errors import Invalid, Problem

REFERENCE = re.compile(r"\$?\$\{([^{}]*)\}?")
SECRET = re.compile(r"secrets\.([A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)\.([-._A-Za-z0-9]+)")
WINDOW = ("start", "end")
SPEC = Place(path=("spec",))


@dataclass(frozen=True, slots=True)
class Values:
    """What references stand for. `window`: start and end in ISO 8601, or None where the run has none."""

    parameters: Mapping[str, Any]
    window: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${…}`: `name` is what stands between the braces. `whole`: nothing stands beside it."""

    name: str
    whole: bool
    closed: bool = True


def references(text: str) -> Iterator[Reference]:
    """The references in a text, without those that `$${` makes plain text."""
    for found in REFERENCE.finditer(text):
        if not found[0].startswith("$$"):
            yield Reference(found[1].strip(), found[0] == text, found[0].endswith("}"))


def split_env(env: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(plain variables, variable -> "NAME.KEY" of the secret that it gets) of a step's `env`."""
    secrets = {name: found for name, value in env.items() if (found := secret_of(value)) is not None}
    return {name: value for name, value in env.items() if name not in secrets}, secrets


def secret_of(value: str) -> str | None:
    """ "NAME.KEY" where the value is `${secrets.NAME.KEY}` and nothing else."""
    found = re.fullmatch(r"\$\{\s*" + SECRET.pattern + r"\s*\}", value)
    return f"{found[1]}.{found[2]}" if found else None


def fill(value: Any, values: Values) -> Any:
    """`value` with every reference replaced, in lists and mappings too. What `problems` would report is left as it stands."""
    if isinstance(value, str):
        return fill_text(value, values) if "${" in value else value
    if isinstance(value, list | tuple):
        return [fill(item, values) for item in value]
    if isinstance(value, Mapping):
        return {key: fill(item, values) for key, item in value.items()}
    return value


def fill_text(text: str, values: Values) -> Any:
    whole = next(references(text), None)
    if whole is not None and whole.whole:
        return look_up(whole.name, values, text)
    return REFERENCE.sub(lambda found: replaced(found, values), text)


def replaced(found: re.Match[str], values: Values) -> str:
    if found[0].startswith("$$"):
        return found[0][1:]
    value = look_up(found[1].strip(), values, found[0])
    return str(value).lower() if isinstance(value, bool) else str(value)


def look_up(name: str, values: Values, otherwise: str) -> Any:
    root, _, key = name.partition(".")
    if root == "parameters" and key in values.parameters:
        return values.parameters[key]
    if root == "window" and values.window is not None and key in WINDOW:
        return values.window[WINDOW.index(key)]
    return otherwise


def fill_spec(spec: PipelineSpec, values: Values, place: Place = SPEC) -> PipelineSpec:
    """The pipeline with all references replaced but those to secrets, which stay until an engine starts the step.

    Raises Invalid with every reference that stands for nothing, and, where those are right, with every name that no model, alias or
    Serving can have, every `requires` that cannot be read now, and every secret that a parameter would have named.
    """
    found = problems(spec, values.parameters, place, windowed=values.window is not None)
    steps = tuple(fill_step(step, values) for step in spec.steps)
    publish = tuple(fill_publish(one, values) for one in spec.publish)
    filled = spec.model_copy(update={"steps": steps, "publish": publish})
    found = found or [*bad_names(filled, place), *smuggled(spec, filled, place), *bad_gates(filled, place)]
    if found:
        raise Invalid(found)
    return filled


def fill_step(step: Step, values: Values) -> Step:
    changed: dict[str, Any] = {}
    if step.with_:
        changed["with_"] = fill(step.with_, values)
    if step.inputs:
        changed["inputs"] = {name: fill_source(source, values) for name, source in step.inputs.items()}
    if step.env:
        changed["env"] = {name: value if secret_of(value) else as_text(fill(value, values)) for name, value in step.env.items()}
    if step.image is not None:
        changed["image"] = as_text(fill(step.image, values))
        changed["command"] = tuple(as_text(fill(word, values)) for word in step.command)
    return step.model_copy(update=changed) if changed else step


def fill_source(source: str | ModelInput, values: Values) -> str | ModelInput:
    if isinstance(source, str):
        return as_text(fill(source, values))
    alias = None if source.alias is None else as_text(fill(source.alias, values))
    return source.model_copy(update={"model": as_text(fill(source.model, values)), "alias": alias})


def fill_publish(publish: Publish, values: Values) -> Publish:
    changed: dict[str, Any] = {"model": as_text(fill(publish.model, values))}
    if publish.requires is not None:
        changed["requires"] = as_text(fill(publish.requires, values))
    if publish.deploy is not None:
        texts = {"serving": publish.deploy.serving, "track": publish.deploy.track}
        changed["deploy"] = publish.deploy.model_copy(update={name: as_text(fill(text, values)) for name, text in texts.items()})
    return publish.model_copy(update=changed)


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def texts(spec: PipelineSpec, place: Place) -> Iterator[tuple[Place, str, bool]]:
    """(place, text, whether a secret may stand there) of every text with a reference in it, where references may stand."""
    for number, step in enumerate(spec.steps):
        yield from step_texts(step, place.at("steps", number))
    for number, one in enumerate(spec.publish):
        here = place.at("publish", number)
        for name, text in (("model", one.model), ("requires", one.requires or "")):
            yield from leaves(text, here.at(name))
        if one.deploy is not None:
            yield from leaves(one.deploy.serving, here.at("deploy", "serving"))
            yield from leaves(one.deploy.track, here.at("deploy", "track"))


def step_texts(step: Step, here: Place) -> Iterator[tuple[Place, str, bool]]:
    yield from leaves(step.with_, here.at("with"))
    for name, text in step.env.items():
        for where, found, _ in leaves(text, here.at("env", name)):
            yield where, found, True
    for name, source in step.inputs.items():
        if isinstance(source, str):
            yield from leaves(source, here.at("inputs", name))
        else:
            yield from leaves(source.model, here.at("inputs", name, "model"))
            yield from leaves(source.alias or "", here.at("inputs", name, "alias"))
    if step.image is not None:
        yield from leaves(step.image, here.at("image"))
        yield from leaves(list(step.command), here.at("command"))


def leaves(value: Any, here: Place) -> Iterator[tuple[Place, str, bool]]:
    if isinstance(value, str):
        if "${" in value:
            yield here, value, False
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from leaves(item, here.at(number))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, here.at(str(key)))


def problems(spec: PipelineSpec, declared: Mapping[str, Any], place: Place = SPEC, *, windowed: bool = True) -> list[Problem]:
    """Every reference that stands for nothing. `declared`: the parameters by name; `windowed`: whether the run has a window."""
    found: list[Problem] = []
    for where, text, may_be_secret in texts(spec, place):
        for reference in references(text):
            message, remedy = fault_of(reference, declared, windowed, may_be_secret)
            if message:
                found.append(where.problem(message, remedy, text))
    return found


def fault_of(reference: Reference, declared: Mapping[str, Any], windowed: bool, may_be_secret: bool) -> tuple[str, str]:
    """(what is wrong with a reference, the way out), or ("", "")."""
    shown = "${" + reference.name + "}"
    root, _, key = reference.name.partition(".")
    if not reference.closed:
        return "'${' is not closed", "write ${parameters.NAME}, or $${ for the characters themselves"
    if root == "parameters":
        if key in declared:
            return "", ""
        return f"{shown}: the pipeline has no parameter {key!r}", did_you_mean(key, declared, "its parameters are")
    if root == "window":
        if key not in WINDOW:
            return f"{shown} stands for nothing", did_you_mean(key, WINDOW, "a window has")
        return (
            ("", "")
            if windowed
            else (f"{shown}: this run has no window", "give one: lykeion run --window START/END, or window: in a Training")
        )
    if root == "secrets":
        if not may_be_secret:
            return f"{shown}: a secret may stand only in `env`", "move it there: parameters become part of keys, status and logs"
        if not SECRET.fullmatch(reference.name):
            return f"{shown} is no secret", "write ${secrets.NAME.KEY}"
        return ("", "") if reference.whole else (f"{shown} must be the whole value", "put what stands beside it into another variable")
    return f"{shown} stands for nothing", did_you_mean(root, ("parameters", "window", "secrets"), "there are")


def bad_names(spec: PipelineSpec, place: Place) -> Iterator[Problem]:
    """Names of models, aliases and Servings that cannot be names, where they are known: not while a `${…}` is in them."""
    for number, one in enumerate(spec.publish):
        here = place.at("publish", number)
        wrong = list(bad_name(check_model, one.model, here.at("model")))
        if one.deploy is not None:
            wrong += bad_name(check_serving, one.deploy.serving, here.at("deploy", "serving"))
            if not wrong and "${" not in one.model + one.deploy.serving and one.deploy.serving != one.model:
                message = f"a Serving answers for the model of its own name, and this one is {one.model!r}"
                wrong.append(here.at("deploy", "serving").problem(message, f"write serving: {one.model}", one.deploy.serving))
            wrong += bad_name(check_alias, one.deploy.track, here.at("deploy", "track"))
        yield from wrong
    for number, step in enumerate(spec.steps):
        for name, source in step.sources():
            if isinstance(source, ModelInput):
                here = place.at("steps", number, "inputs", name)
                yield from bad_name(check_model, source.model, here)
                if source.alias is not None:
                    yield from bad_name(check_alias, source.alias, here)


def check_serving(name: str) -> str:
    """As `check_model`, by the rule for the names of families."""
    try:
        return check_family(name)
    except ValueError as error:
        message, _, remedy = str(error).rpartition(": ")
        raise Invalid([Problem(message, remedy=remedy)]) from None


def bad_name(rule: Callable[[str], str], name: str, here: Place) -> Iterator[Problem]:
    if "${" not in name:
        try:
            rule(name)
        except Invalid as error:
            yield from (here.problem(problem.message, problem.remedy, name) for problem in error.problems)


def bad_gates(spec: PipelineSpec, place: Place) -> Iterator[Problem]:
    """`requires` that cannot be read. While a `${…}` is in one, a number stands in for it."""
    for number, one in enumerate(spec.publish):
        if one.requires is not None:
            fault = requires.fault(REFERENCE.sub(lambda found: "0".ljust(len(found[0])), one.requires))
            if fault:
                yield place.at("publish", number, "requires").problem(f"cannot be read: {fault}", requires.EXAMPLE, one.requires)


def smuggled(spec: PipelineSpec, filled: PipelineSpec, place: Place) -> Iterator[Problem]:
    """A secret is named by whoever writes the pipeline, never by a parameter's value: that one comes from whoever starts a run."""
    for number, (step, now) in enumerate(zip(spec.steps, filled.steps, strict=True)):
        for name, value in now.env.items():
            if secret_of(value) and not secret_of(step.env[name]):
                here = place.at("steps", number, "env", name)
                yield here.problem(
                    "a secret can only be named here, not by a parameter", "write ${secrets.NAME.KEY} itself", step.env[name]
                )
