"""Arithmetic with times: which operation `+`, `-`, `*`, `/` and `%` are for each pair of types."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aforo.kql.bound import Constant, Expression
from aforo.kql.convert import apply
from aforo.kql.types import DATETIME, INT, LONG, REAL, TIMESPAN, KqlType

_Rule = Callable[[Expression, Expression], Expression]


def _simple(name: str, result: KqlType) -> _Rule:
    return lambda left, right: apply(name, (left, right), result)


def _scaled(name: str) -> _Rule:
    """A timespan times or through a number; the number is whole or real."""
    return lambda left, right: apply(name, (left, right), TIMESPAN)


TIME_RULES: Mapping[tuple[str, KqlType, KqlType], _Rule] = {
    ("+", DATETIME, TIMESPAN): _simple("add", DATETIME),
    ("+", TIMESPAN, DATETIME): _simple("add", DATETIME),
    ("-", DATETIME, TIMESPAN): _simple("subtract", DATETIME),
    ("-", DATETIME, DATETIME): _simple("subtract", TIMESPAN),
    ("+", TIMESPAN, TIMESPAN): _simple("add", TIMESPAN),
    ("-", TIMESPAN, TIMESPAN): _simple("subtract", TIMESPAN),
    ("%", TIMESPAN, TIMESPAN): _simple("modulo", TIMESPAN),
    ("/", TIMESPAN, TIMESPAN): lambda left, right: apply(
        "divide", (cast_ticks(left), cast_ticks(right)), REAL
    ),
    **{("*", TIMESPAN, n): _scaled("multiply_span") for n in (INT, LONG, REAL)},
    **{
        ("*", n, TIMESPAN): (lambda left, right: apply("multiply_span", (right, left), TIMESPAN))
        for n in (INT, LONG, REAL)
    },
    **{("/", TIMESPAN, n): _scaled("divide_span") for n in (INT, LONG, REAL)},
}


def cast_ticks(span: Expression) -> Expression:
    """The ticks of a timespan as a real number."""
    if isinstance(span, Constant) and isinstance(span.value, int):
        return Constant(float(span.value), REAL)
    return apply("ticks_as_real", (span,), REAL)
