"""Arithmetic of two dynamic values: whole numbers stay whole, as soon as one is real both are. What is no number makes
null, as does dividing a whole number by zero.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from aforo.kql.natives.series import Number, divide, plain
from aforo.kql.natives.spec import Native, native, parsed, written
from aforo.kql.types import DYNAMIC

_LONG = 1 << 63


def _number(text: str | None) -> Number | None:
    value = parsed(text)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _wrapped(value: int) -> int:
    """The 64 bits of it, as Kusto's longs have them."""
    return (value + _LONG) % (2 * _LONG) - _LONG


def _quotient(a: int, b: int) -> int | None:
    if b == 0:
        return None
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


def _rest(a: int, b: int) -> int | None:
    return None if b == 0 else a % abs(b)


def _real_rest(a: float, b: float) -> float | None:
    if b == 0:
        return None
    return a % abs(b) if math.isfinite(a) else math.nan


_OPERATIONS: dict[str, tuple[Callable[[int, int], int | None], Callable[[float, float], float | None]]] = {
    "add": (operator.add, operator.add),
    "subtract": (operator.sub, operator.sub),
    "multiply": (operator.mul, operator.mul),
    "divide": (_quotient, divide),
    "modulo": (_rest, _real_rest),
}


def _of(name: str) -> Callable[[str | None, str | None], str | None]:
    whole, real = _OPERATIONS[name]

    def run(one: str | None, other: str | None) -> str | None:
        a, b = _number(one), _number(other)
        if a is None or b is None:
            return None
        if isinstance(a, int) and isinstance(b, int):
            found = whole(a, b)
            return None if found is None else str(_wrapped(found))
        return written(plain(real(float(a), float(b))))

    return run


def negated(text: str | None) -> str | None:
    value = _number(text)
    if value is None:
        return None
    return str(_wrapped(-value)) if isinstance(value, int) else written(plain(-value))


NATIVES: tuple[Native, ...] = (
    *(native(f"dynamic_{name}", _of(name), DYNAMIC, DYNAMIC, DYNAMIC) for name in _OPERATIONS),
    native("dynamic_negate", negated, DYNAMIC, DYNAMIC),
)
