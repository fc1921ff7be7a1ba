"""`requires` of a published output: a small expression over metrics that must hold before an alias moves to the new version.

    metrics.recall_at_10 >= 0.95 and (metrics.items > 1000 or not metrics.bad >= 10)

Numbers, `metrics.NAME`, comparisons (in chains too: 0.5 < metrics.x <= 1), `and`, `or`, `not`, brackets. Nothing is ever executed.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import NamedTuple

from lykeion.core.resources.suggest import did_you_mean
from lykeion.errors import Invalid

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, "<=": le, "==": eq, "!=": ne, ">": gt, "<": lt}
TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])|(?P<word>[A-Za-z_][\w.-]*)|(?P<sign>>=|<=|==|!=|[<>()]))"
)
LONGEST = 1000
DEEPEST = 20
EXAMPLE = "write for instance metrics.recall_at_10 >= 0.95 and metrics.items > 1000"


class Token(NamedTuple):
    kind: str
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Operand:
    """A number, or a metric by its name."""

    number: float = 0.0
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    operands: tuple[Operand, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    of: "Expression"


@dataclass(frozen=True, slots=True)
class Both:
    """`every`: all parts must hold (and); otherwise one of them (or)."""

    parts: "tuple[Expression, ...]"
    every: bool


Expression = Comparison | Not | Both


class Unreadable(ValueError):
    """What could not be read, with its column in the text."""


def parse(text: str) -> Expression:
    """The expression. Raises Invalid, with the column of what cannot be read."""
    try:
        return Reader(text).whole()
    except Unreadable as error:
        raise Invalid(str(error)) from None


def fault(text: str) -> str:
    """What is wrong with an expression, or ""."""
    try:
        Reader(text).whole()
    except Unreadable as error:
        return str(error)
    return ""


def metrics_of(expression: Expression) -> Iterator[str]:
    """The names of the metrics that an expression asks for."""
    if isinstance(expression, Comparison):
        yield from (operand.metric for operand in expression.operands if operand.metric)
    elif isinstance(expression, Not):
        yield from metrics_of(expression.of)
    else:
        for part in expression.parts:
            yield from metrics_of(part)


def evaluate(expression: Expression | str, metrics: Mapping[str, float]) -> tuple[bool, str]:
    """(whether it holds, if not, a sentence that says why). A metric that is not there, or is NaN, lets nothing hold, `not` included.

    Raises Invalid where `expression` is text that cannot be read.
    """
    read = parse(expression) if isinstance(expression, str) else expression
    for name in dict.fromkeys(metrics_of(read)):
        if name not in metrics:
            return False, f"no step reported the metric {name!r} ({did_you_mean(name, metrics, 'reported were')})"
        if math.isnan(metrics[name]):
            return False, f"{name} is not a number (NaN)"
    return judge(read, metrics)


def judge(expression: Expression, metrics: Mapping[str, float]) -> tuple[bool, str]:
    if isinstance(expression, Comparison):
        numbers = [metrics[operand.metric] if operand.metric else operand.number for operand in expression.operands]
        for at, sign in enumerate(expression.signs):
            if not COMPARISONS[sign](numbers[at], numbers[at + 1]):
                return False, f"{named(expression.operands[at], metrics)} is not {sign} {named(expression.operands[at + 1], metrics)}"
        return True, ""
    if isinstance(expression, Not):
        holds, _ = judge(expression.of, metrics)
        return not holds, f"{written(expression.of, metrics)} holds, and must not" if holds else ""
    judged = [judge(part, metrics) for part in expression.parts]
    if expression.every:
        return all(holds for holds, _ in judged), "; ".join(why for holds, why in judged if not holds)
    holds = any(holds for holds, _ in judged)
    return holds, "" if holds else " and ".join(why for _, why in judged)


def named(operand: Operand, metrics: Mapping[str, float]) -> str:
    return f"{operand.metric} ({metrics[operand.metric]:g})" if operand.metric else f"{operand.number:g}"


def written(expression: Expression, metrics: Mapping[str, float]) -> str:
    """The expression as text, with the values of the metrics."""
    if isinstance(expression, Comparison):
        words = [named(expression.operands[0], metrics)]
        for sign, operand in zip(expression.signs, expression.operands[1:], strict=True):
            words += [sign, named(operand, metrics)]
        return " ".join(words)
    if isinstance(expression, Not):
        return f"not ({written(expression.of, metrics)})"
    return (" and " if expression.every else " or ").join(f"({written(part, metrics)})" for part in expression.parts)


class Reader:
    """Recursive descent: or, and, not, comparison."""

    def __init__(self, text: str) -> None:
        self.tokens = list(tokens(text))
        self.at = 0
        self.depth = 0

    def whole(self) -> Expression:
        found = self.either()
        if self.token.kind != "end":
            raise self.expected("and, or, or nothing more")
        return found

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self, *words: str) -> bool:
        if self.token.text in words and self.token.kind != "end":
            self.at += 1
            return True
        return False

    def expected(self, what: str) -> Unreadable:
        found = "the end" if self.token.kind == "end" else repr(self.token.text)
        return Unreadable(f"column {self.token.column}: expected {what}, found {found}")

    def either(self) -> Expression:
        parts = [self.every()]
        while self.take("or"):
            parts.append(self.every())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), every=False)

    def every(self) -> Expression:
        parts = [self.single()]
        while self.take("and"):
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), every=True)

    def single(self) -> Expression:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"column {self.token.column}: more than {DEEPEST} brackets and nots in each other")
        if self.take("not"):
            found: Expression = Not(self.single())
        elif self.take("("):
            found = self.either()
            if not self.take(")"):
                raise self.expected("')'")
        else:
            found = self.comparison()
        self.depth -= 1
        return found

    def comparison(self) -> Expression:
        operands, signs = [self.operand()], []
        while self.token.text in COMPARISONS:
            signs.append(self.token.text)
            self.at += 1
            operands.append(self.operand())
        if not signs:
            raise self.expected("a comparison such as >= 0.95")
        return Comparison(tuple(operands), tuple(signs))

    def operand(self) -> Operand:
        token = self.token
        name = token.text.removeprefix("metrics.")
        if token.kind == "number":
            self.at += 1
            return Operand(number=float(token.text))
        if token.kind == "word" and name != token.text and name:
            self.at += 1
            return Operand(metric=name)
        if token.kind == "word" and token.text not in ("and", "or", "not"):
            raise Unreadable(f"column {token.column}: {token.text!r} is not known; write metrics.{token.text.rpartition('.')[2]}")
        raise self.expected("metrics.NAME or a number")


def tokens(text: str) -> Iterator[Token]:
    if len(text) > LONGEST:
        raise Unreadable(f"column {LONGEST}: the expression is longer than {LONGEST} characters")
    at, end = 0, len(text.rstrip())
    while at < end:
        found = TOKEN.match(text, at)
        if found is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            hint = "; write == to compare" if text[at] == "=" else ""
            raise Unreadable(f"column {at + 1}: {text[at]!r} cannot stand here{hint}")
        assert found.lastgroup is not None  # every alternative of TOKEN is named
        yield Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup) + 1)
        at = found.end()
    yield Token("end", "", end + 1)
