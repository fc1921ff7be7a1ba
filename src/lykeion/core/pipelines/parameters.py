"""The parameters of a pipeline: what somebody gave, as the types that the pipeline declares."""

import math
import re
from collections.abc import Mapping
from typing import Any

from lykeion.core.pipelines.signature import ParameterType
from lykeion.core.resources.pipeline import PipelineSpec
from lykeion.core.resources.places import Place
from lykeion.core.resources.sentences import described
from lykeion.core.resources.suggest import did_you_mean
from lykeion.errors import Invalid, Problem

NOUNS: Mapping[ParameterType, str] = {
    "string": "text",
    "uri": "a path or URI",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "map": "a mapping",
}
GIVEN = Place(path=("parameters",))


def fits(kind: ParameterType, value: object) -> bool:
    """Whether a value, as YAML or JSON gave it, is of a parameter's type. A whole number is a number; true is not."""
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind == "list":
        return isinstance(value, list | tuple)
    if kind == "map":
        return isinstance(value, Mapping)
    return isinstance(value, str) and (kind != "uri" or value != "")


def from_text(kind: ParameterType, text: str) -> Any:
    """What `text`, from a command line, is as a value of a type; the text itself where it is none."""
    stripped = text.strip()
    if kind == "integer" and re.fullmatch(r"[-+]?[0-9]{1,400}", stripped):
        return int(stripped)
    if kind == "number" and re.fullmatch(r"[-+]?([0-9]{1,400}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", stripped):
        read = float(stripped)
        return int(stripped) if re.fullmatch(r"[-+]?[0-9]+", stripped) else read if math.isfinite(read) else text
    if kind == "boolean" and stripped.lower() in ("true", "false"):
        return stripped.lower() == "true"
    return text


def given_parameters(spec: PipelineSpec, given: Mapping[str, Any], place: Place = GIVEN) -> dict[str, Any]:
    """The value of every parameter of the pipeline: what was given (text is read as the declared type), else the default.

    Raises Invalid with every name that is not declared, every one that is missing, and every value that does not fit.
    """
    values, found = read_parameters(spec, given, place)
    if found:
        raise Invalid(found)
    return values


def read_parameters(spec: PipelineSpec, given: Mapping[str, Any], place: Place = GIVEN) -> tuple[dict[str, Any], list[Problem]]:
    """The values that could be read, and what is wrong with the others."""
    found: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in spec.parameters:
            remedy = did_you_mean(name, spec.parameters, "the pipeline's parameters are")
            found.append(place.at(name).problem("the pipeline has no such parameter", remedy, value))
    for name, declared in spec.parameters.items():
        if name in given:
            read = from_text(declared.type, given[name]) if isinstance(given[name], str) else given[name]
            if fits(declared.type, read):
                values[name] = read
            else:
                found.append(place.at(name).problem(f"must be {NOUNS[declared.type]}, not {described(given[name])}", "", given[name]))
        elif declared.default is not None:
            values[name] = declared.default
        else:
            what = f": {declared.description}" if declared.description else ""
            message = f"must be given, {NOUNS[declared.type]}{what}"
            found.append(place.at(name).problem(message, f"-p {name}=…, or parameters: {{{name}: …}} in a Training"))
    return values, found
