"""What pydantic found wrong, said so that whoever wrote the file can act on it: one problem for each mistake.

pydantic reports every arm of a union that did not fit; here the arm that the value was meant for is kept. It names fields by its own
types; here a path is what was written.
"""

import re
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any

from pydantic import BaseModel, ValidationError

from lykeion.core.resources.pipeline import INPUT_PATTERN, OUTPUT_PATTERN
from lykeion.core.resources.places import Path
from lykeion.core.resources.suggest import did_you_mean, nearest

WRONG_TYPE = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of less than 4000 digits",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping of fields",
    "dict_type": "a mapping of names to values",
    "tuple_type": "a list",
    "list_type": "a list",
    "datetime_type": "a time",
    "none_required": "left empty",
}
PATTERNS = {
    INPUT_PATTERN: ("is no input", "write STEP.OUTPUT, models:NAME@ALIAS or models:NAME@VERSION"),
    OUTPUT_PATTERN: ("is no output of a step", "write STEP.OUTPUT"),
}
MOST_FAULTS = 1000  # of one round: a file that has more is no resource
A_TIME = "write it with its zone, for instance 2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: `kind` in pydantic's word for it, `path` as written, and what to say. `meant`: the field that a misspelt one is."""

    kind: str
    path: Path
    message: str
    remedy: str = ""
    value: object = None
    meant: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One error of pydantic. `arms`: the arms of unions it is about, each with how much of the path lies before it."""

    kind: str
    path: Path
    arms: tuple[tuple[int, str], ...]
    value: Any
    message: str
    context: Mapping[str, Any]


def faults(error: ValidationError, data: Any, model: type[BaseModel]) -> list[Fault]:
    """The mistakes in `data`, which was to be a `model`, in the order of pydantic."""
    single: list[Fault] = []
    unions: dict[Path, dict[str, list[Found]]] = {}
    for raw in error.errors(include_url=False)[:MOST_FAULTS]:
        found = located(raw, data)
        if found.arms:
            length, arm = found.arms[0]
            unions.setdefault(found.path[:length], {}).setdefault(arm, []).append(found)
        elif not (found.kind == "too_short" and found.value):  # the list is short only because of what is wrong in it
            single.append(fault(found, model))
    for path, arms in unions.items():
        single.extend(of_a_union(path, arms, model))
    return single


def located(raw: Any, data: Any) -> Found:
    """`raw` with its place told apart into what was written and which arms of unions pydantic tried there."""
    path: list[str | int] = []
    arms: list[tuple[int, str]] = []
    here = data
    for number, part in enumerate(raw["loc"]):
        last = number == len(raw["loc"]) - 1
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int) and part < len(here)):
            here = here[part]
            path.append(part)
        elif last and raw["type"] == "missing":
            path.append(part)
        else:
            arms.append((len(path), str(part)))
    return Found(raw["type"], tuple(path), tuple(arms), raw["input"], raw["msg"], raw.get("ctx", {}))


def of_a_union(path: Path, arms: Mapping[str, list[Found]], model: type[BaseModel]) -> Iterator[Fault]:
    """The mistakes of the arm that the value was meant for; where it fits to none, one mistake that names them all."""
    fitting = [found for found in arms.values() if not any(one.path == path and one.kind in WRONG_TYPE for one in found)]
    if len(fitting) > 1 and any(one.kind == "value_error" for found in fitting for one in found):
        words = [one for found in fitting for one in found if one.kind == "literal_error"]
        why = [one for found in fitting for one in found if one.kind == "value_error"]
        also = f"{choices(words[0])}; or " if words else ""
        message, remedy = split_at_remedy(str(why[0].context["error"]))
        yield Fault("value_error", path, message, also + remedy, why[0].value)
    elif fitting and not all(one.kind == "literal_error" for one in fitting[0]):
        for one in fitting[0]:
            yield fault(one, model)
    else:
        every = [one for found in arms.values() for one in found]
        nouns = list(dict.fromkeys(WRONG_TYPE.get(one.kind) or choices(one) for one in every))
        yield Fault("wrong_type", path, f"must be {' or '.join(nouns)}, not {described(every[0].value)}", "", every[0].value)


def choices(found: Found) -> str:
    return str(found.context.get("expected", "something else"))


def fault(found: Found, model: type[BaseModel]) -> Fault:
    """What is wrong, in a sentence that goes on from the field's name."""
    kind, value, context = found.kind, found.value, found.context
    name = found.path[-1] if found.path else ""
    meant: str | None = None
    if kind == "missing":
        message, remedy = "is missing", f"add `{name}:`"
        value = None
    elif kind == "extra_forbidden":
        known = fields_at(model, found.path[:-1])
        meant = nearest(name, known)
        message, remedy = "there is no such field", did_you_mean(name, known, "the fields here are")
    elif kind in WRONG_TYPE:
        message, remedy = f"must be {WRONG_TYPE[kind]}, not {described(value)}", way_to(kind, value)
    elif kind == "literal_error":
        known = re.findall(r"'([^']*)'", choices(found))
        message, remedy = f"must be {choices(found)}, not {described(value)}", ""
        if nearest(value, known):
            remedy = did_you_mean(value, known)
    elif kind == "string_pattern_mismatch":
        ending, remedy = PATTERNS.get(context["pattern"], ("is not written as it must be", f"it must match {context['pattern']}"))
        message = f"{value!r} {ending}"
    elif kind == "value_error":
        message, remedy = split_at_remedy(str(context["error"]))
    elif kind.startswith(("datetime", "timezone")):
        message, remedy = f"{described(value)} is no time", A_TIME
    elif kind in ("too_short", "too_long"):
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        message, remedy = (
            f"must have {bound} {'entry' if bound.endswith(' 1') else 'entries'}, not {context.get('actual_length', 'as many')}",
            "",
        )
    else:
        message, remedy = re.sub(r"^(Input|String|Value)\b.*? should ", "must ", found.message), ""
        for symbol, words in (
            ("be greater than or equal to", "be at least"),
            ("be less than or equal to", "be at most"),
            ("be greater than", "be more than"),
        ):
            message = message.replace(symbol, words)
        message = f"{message}, not {described(value)}"
    return Fault(kind, found.path, message, remedy, value, meant)


def split_at_remedy(text: str) -> tuple[str, str]:
    """The validators of the resources write "what is wrong: the way out"."""
    message, separator, remedy = text.rpartition(": ")
    return (message, remedy) if separator else (text, "")


def described(value: object) -> str:
    """A value of a file in a few words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value if len(value) <= 60 else value[:57] + '...'!r}"
    if isinstance(value, int | float):
        return f"the number {value}" if len(str(value)) <= 40 else "so long a number"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def way_to(kind: str, value: object) -> str:
    """How to make a value what it must be."""
    if value is None:
        return "write a value, or remove the line"
    if kind == "datetime_type":
        return A_TIME
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if kind in ("tuple_type", "list_type") and isinstance(value, str | int | float):
        return f"write [{value}]"
    if kind in ("int_type", "float_type", "bool_type") and isinstance(value, str):
        wanted = r"true|false" if kind == "bool_type" else r"[-+]?[0-9]+" if kind == "int_type" else r"[-+]?[0-9]+(\.[0-9]+)?"
        return f"write {value} without quotes" if re.fullmatch(wanted, value) else ""
    return ""


def fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """The fields, as they are written, of the model that stands at `path` below `model`."""
    here: Any = model
    for part in path:
        here = below(here, part)
    found = next(models_in(here), None)
    return [info.alias or name for name, info in found.model_fields.items()] if found else []


def below(annotation: Any, part: str | int) -> Any:
    """The annotation of a field, of a mapping's values, or of a list's entries."""
    for found in models_in(annotation):
        for name, info in found.model_fields.items():
            if part == (info.alias or name):
                return info.annotation
    arguments = [argument for argument in typing.get_args(strip(annotation)) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value of this annotation may be."""
    bare = strip(annotation)
    arms: Iterable[Any] = typing.get_args(bare) if typing.get_origin(bare) in (typing.Union, UnionType) else (bare,)
    yield from (arm for arm in map(strip, arms) if isinstance(arm, type) and issubclass(arm, BaseModel))


def strip(annotation: Any) -> Any:
    """Without `Annotated`, and without `None`."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        arms = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
        return strip(arms[0]) if len(arms) == 1 else annotation
    return annotation
