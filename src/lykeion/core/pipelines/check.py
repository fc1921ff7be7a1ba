"""What is wrong with a pipeline: what it shows by itself (`check_alone`), and beside what its components say of themselves (`check`).

`check` runs again on the pipeline that `template.fill_spec` made: then the values of parameters are known, and ranges are checked.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lykeion.core.pipelines import graph, template
from lykeion.core.pipelines.parameters import NOUNS, fits, read_parameters
from lykeion.core.pipelines.signature import ParameterSignature, ParameterType, Signature
from lykeion.core.resources.pipeline import ModelInput, PipelineSpec, Step
from lykeion.core.resources.places import Lines, Place
from lykeion.core.resources.sentences import described
from lykeion.core.resources.suggest import STAND_IN, did_you_mean
from lykeion.errors import Problem

SPEC = Place(path=("spec",))
COMPONENT = re.compile(r"(?![^:]*\.py:)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*|(\.{0,2}/)[^:\n]*\.py:[A-Za-z_]\w*")


def check(
    spec: PipelineSpec, signatures: Mapping[str, Signature], file: str = "", lines: Lines | None = None, *, filled: bool = False
) -> list[Problem]:
    """Everything that is wrong with a pipeline and its components, which `signatures` has by their references.

    A component that has no signature (it could not be found, say) is passed over: its own problem is reported by who looked for it.
    `lines`: of the whole document, for problems with line numbers. `filled`: `${…}` in it is text that was meant so.
    """
    place = Place(file, lines, ("spec",))
    return [*check_alone(spec, place, filled=filled), *check_components(spec, signatures, place, filled=filled)]


def check_alone(spec: PipelineSpec, place: Place = SPEC, *, filled: bool = False) -> list[Problem]:
    """What needs no component: the graph, references to parameters, defaults, names, and `requires`."""
    found = list(bad_parameters(spec, place.at("parameters")))
    for number, step in enumerate(spec.steps):
        if step.component is not None and not COMPONENT.fullmatch(step.component):
            found.append(bad_component(step.component, place.at("steps", number, "component")))
    found += graph.problems(spec, place)
    found += [] if filled else template.problems(spec, spec.parameters, place)
    found += bad_publishing(spec, place)
    found += template.bad_names(spec, place)
    found += template.bad_gates(spec, place)
    return found


def bad_component(reference: str, place: Place) -> Problem:
    if re.fullmatch(r"[^:\s]+\.py:[A-Za-z_]\w*", reference):
        return place.problem(f"{reference!r} is no component", f"a file is written ./{reference}", reference)
    return place.problem(f"{reference!r} is no component", "write package.module:function or ./file.py:function", reference)


def bad_parameters(spec: PipelineSpec, place: Place) -> Iterator[Problem]:
    for name, parameter in spec.parameters.items():
        if not re.fullmatch(r"[A-Za-z_][-\w]*", name):
            yield place.at(name).problem(
                f"{name!r} is no name of a parameter", "use letters, digits, '_' and '-', and begin with a letter", name
            )
        default = parameter.default
        if default is not None and not fits(parameter.type, default):
            message = f"must be {NOUNS[parameter.type]} like the parameter's type, not {described(default)}"
            yield place.at(name, "default").problem(message, "", default)


def bad_publishing(spec: PipelineSpec, place: Place) -> Iterator[Problem]:
    """Outputs of steps that there are not, expressions that cannot be read, two outputs for one model."""
    steps = {step.name: step for step in spec.steps}
    models: dict[str, int] = {}
    for number, one in enumerate(spec.publish):
        here = place.at("publish", number)
        source, _, output = one.output.partition(".")
        known = outputs_of(steps[source], {}) if source in steps else None
        if source not in steps:
            yield here.at("output").problem(f"there is no step {source!r}", did_you_mean(source, steps, "the steps are"), one.output)
        elif known is not None and output not in known:
            yield here.at("output").problem(*no_output(source, output, known), one.output)
        for reference in template.references(one.requires or ""):
            declared = spec.parameters.get(reference.name.removeprefix("parameters."))
            if declared is not None and declared.type not in ("integer", "number"):
                message = f"${{{reference.name}}} is {NOUNS[declared.type]}, and only numbers can be compared"
                yield here.at("requires").problem(message, "declare the parameter as number", one.requires)
        if models.setdefault(one.model, number) != number:
            message = f"the model {one.model!r} gets two versions from one run"
            yield here.at("model").problem(message, f"publish[{models[one.model]}] publishes it too; give one another name", one.model)


def check_given(spec: PipelineSpec, given: Mapping[str, Any], place: Place) -> list[Problem]:
    """What is wrong with the parameters that a Training gives."""
    return read_parameters(spec, given, place)[1]


def no_output(step: str, output: str, known: Any) -> tuple[str, str]:
    return f"step {step!r} has no output {output!r}", did_you_mean(output, known, "its outputs are")


def check_components(
    spec: PipelineSpec, signatures: Mapping[str, Signature], place: Place = SPEC, *, filled: bool = False
) -> list[Problem]:
    """Inputs, outputs and `with:` values against what the components say."""
    outputs = {step.name: outputs_of(step, signatures) for step in spec.steps}
    images = {step.name for step in spec.steps if step.image is not None}  # what they make, the pipeline alone says
    found: list[Problem] = []
    for number, step in enumerate(spec.steps):
        here = place.at("steps", number)
        signature = signatures.get(step.component or "")
        if signature is not None:
            found += bad_values(step, signature, None if filled else spec, here.at("with"))
            if step.parallelism > 1 and not signature.partitions:
                message = f"{step.component} has no partitions that {step.parallelism} workers could share"
                found.append(here.at("parallelism").problem(message, "take the line out, or @component(partitions=64)", step.parallelism))
            found += unwired(step, signature, here)
        elif step.image is not None and step.parallelism > 1:
            message = f"a step that runs an image has one worker, so there is nothing that {step.parallelism} could share"
            found.append(here.at("parallelism").problem(message, "take the line out, or make several steps", step.parallelism))
        found += bad_sources(step, signature, outputs, here.at("inputs"))
    for number, one in enumerate(spec.publish):
        source, _, output = one.output.partition(".")
        known = outputs.get(source)
        if known is not None and output not in known and source not in images:
            found.append(place.at("publish", number, "output").problem(*no_output(source, output, known), one.output))
    return found


def outputs_of(step: Step, signatures: Mapping[str, Signature]) -> Mapping[str, str] | None:
    """Output's name -> its type ("" where it says none); None where nothing is known of the step."""
    if step.component is None:
        return None if step.image == STAND_IN else dict.fromkeys(step.outputs, "")
    signature = signatures.get(step.component)
    return None if signature is None else signature.outputs


def unwired(step: Step, signature: Signature, here: Place) -> Iterator[Problem]:
    """Inputs that the component does not have, and those it needs that nothing feeds."""
    for name in step.inputs:
        if name not in signature.inputs:
            message = f"{signature.component} has no input {name!r}"
            yield here.at("inputs", name).problem(message, did_you_mean(name, signature.inputs, "its inputs are"), name)
    for name, kind in signature.inputs.items():
        if name not in step.inputs and name not in signature.optional:
            wanted = f" ({kind})" if kind else ""
            message = f"the input {name!r}{wanted} of {signature.component} is missing"
            yield here.at("inputs").problem(message, f"write inputs: {{{name}: STEP.OUTPUT}}")


def bad_sources(
    step: Step, signature: Signature | None, outputs: Mapping[str, Mapping[str, str] | None], place: Place
) -> Iterator[Problem]:
    """Outputs that their step does not have, or whose type is not the input's."""
    for name, output in graph.wanted_outputs(step):
        where = place.at(name, "otherwise") if isinstance(step.inputs[name], ModelInput) else place.at(name)
        source, _, key = output.partition(".")
        known = outputs.get(source)
        if known is None:
            continue
        if key not in known:
            yield where.problem(*no_output(source, key, known), output)
            continue
        wanted = signature.inputs.get(name, "") if signature else ""
        if wanted and known[key] and wanted != known[key]:
            fitting = [f"{at}.{one}" for at, has in outputs.items() for one, kind in (has or {}).items() if kind == wanted]
            remedy = f"{wanted} is what {', '.join(fitting[:3])} gives" if fitting else f"no step gives {wanted}"
            yield where.problem(f"the input takes {wanted}, but {output} is {known[key]}", remedy, output)


def bad_values(step: Step, signature: Signature, spec: PipelineSpec | None, place: Place) -> Iterator[Problem]:
    """`with:` against the parameters of the component. `spec`: where `${…}` in values are references still, None where they are text."""
    for name, value in step.with_.items():
        known = signature.parameters.get(name)
        if known is None:
            elsewhere = " (it is an input: write it under `inputs`)" if name in signature.inputs else ""
            remedy = did_you_mean(name, signature.parameters, "its parameters are")
            yield place.at(name).problem(f"{signature.component} has no parameter {name!r}{elsewhere}", remedy, value)
        else:
            message, remedy = fault_of_value(known, value, spec)
            if message:
                yield place.at(name).problem(message, remedy, value)
    for name, known in signature.parameters.items():
        if known.required and name not in step.with_:
            message = f"the parameter {name!r} of {signature.component} must be given, {NOUNS[known.type]}"
            yield place.problem(message, f"write with: {{{name}: …}}")


def fault_of_value(known: ParameterSignature, value: Any, spec: PipelineSpec | None) -> tuple[str, str]:
    """(what is wrong with a value of `with:`, the way out), or ("", "")."""
    if spec is not None and isinstance(value, str) and any(template.references(value)):
        return fault_of_reference(known, value, spec)
    if value is None and not known.required and known.default is None:
        return "", ""
    if not fits(known.type, value):
        return f"must be {NOUNS[known.type]}, not {described(value)}", ""
    if known.choices and value not in known.choices:
        shown = ", ".join(map(repr, known.choices))
        remedy = did_you_mean(value, [str(choice) for choice in known.choices], "the choices are")
        return f"must be one of {shown}, not {described(value)}", remedy
    if not isinstance(value, int | float):
        return "", ""
    if known.minimum is not None and value < known.minimum:
        return f"must be at least {known.minimum:g}, not {value}", within(known)
    if known.maximum is not None and value > known.maximum:
        return f"must be at most {known.maximum:g}, not {value}", within(known)
    return "", ""


def within(known: ParameterSignature) -> str:
    if known.minimum is not None and known.maximum is not None:
        return f"from {known.minimum:g} to {known.maximum:g}"
    return ""


def fault_of_reference(known: ParameterSignature, text: str, spec: PipelineSpec) -> tuple[str, str]:
    """As `fault_of_value`, for a text with `${…}` in it whose value is not known yet: its type is."""
    found = list(template.references(text))
    kind: ParameterType = "string"
    if len(found) == 1 and found[0].whole:
        root, _, key = found[0].name.partition(".")
        if root == "parameters":
            if key not in spec.parameters:
                return "", ""  # reported where references are
            kind = spec.parameters[key].type
    texts, numbers = ("string", "uri"), ("integer", "number")
    if known.type == kind or (known.type in texts and kind in texts) or (known.type == "number" and kind in numbers):
        return "", ""
    remedy = f"declare the parameter as {known.type}" if known.type in (*texts, *numbers, "boolean") and kind != "string" else ""
    return f"must be {NOUNS[known.type]}, but {text} is {NOUNS[kind]}", remedy
