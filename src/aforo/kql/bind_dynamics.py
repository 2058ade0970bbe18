"""Arithmetic with dynamic values, as Kusto's own declarations have it: a dynamic value is read as the type of the other
side, which is that of the result; of two dynamic values the result is dynamic.
"""

from __future__ import annotations

from aforo.kql.bound import Apply, Expression
from aforo.kql.convert import apply, cast
from aforo.kql.time_rules import TIME_RULES
from aforo.kql.types import DATETIME, DYNAMIC, INT, LONG, NUMBERS, STRING, TIMESPAN, KqlType

# What a dynamic value is read as beside a moment or a duration.
_TIMES: dict[tuple[str, KqlType], KqlType] = {
    ("+", DATETIME): TIMESPAN,
    ("-", DATETIME): DATETIME,
    ("+", TIMESPAN): TIMESPAN,
    ("-", TIMESPAN): TIMESPAN,
}


def mixed(op: str, name: str, left: Expression, right: Expression) -> Expression | None:
    """`left op right` where one of them, or both, are dynamic; `name` is the operation of numbers. None where Kusto has
    no such operator."""
    if left.type is right.type is DYNAMIC:
        return Apply(f"dynamic_{name}", (left, right), DYNAMIC)
    other = right.type if left.type is DYNAMIC else left.type
    if DYNAMIC not in (left.type, right.type):
        return None
    if other in NUMBERS:
        number = LONG if other is INT else other
        return apply(name, (cast(left, number), cast(right, number)), number)
    if (wanted := _TIMES.get((op, other))) is None:
        return None
    one, another = (cast(e, wanted) if e.type is DYNAMIC else e for e in (left, right))
    return TIME_RULES[op, one.type, another.type](one, another)


def hints_of(op: str, left: KqlType, right: KqlType) -> tuple[str, ...]:
    """What helps where there is no such operator."""
    if DYNAMIC in (left, right):
        return ("a dynamic value is read with tolong(...), todouble(...) or their kin first",)
    return ("strcat(...) joins texts",) if op == "+" and STRING in (left, right) else ()
