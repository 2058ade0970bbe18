"""Functions over numbers."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import BOOL, DATETIME, INT, LONG, REAL, TIMESPAN, KqlType


def _rounded(types: tuple[KqlType, ...]) -> KqlType:
    return types[0]


def _binned(types: tuple[KqlType, ...]) -> KqlType:
    """`bin(int, 2)` is long, `bin(long, 0.5)` real."""
    first, size = types[0], types[1]
    if first in (DATETIME, TIMESPAN):
        return first
    if REAL in (first, size):
        return REAL
    return (
        INT
        if first is INT and size is INT
        else max(first, size, key=[INT, LONG, REAL, KqlType.DECIMAL].index)
    )


_MATH = [
    "acos",
    "asin",
    "atan",
    "cos",
    "cot",
    "sin",
    "tan",
    "exp",
    "exp2",
    "exp10",
    "log",
    "log2",
    "log10",
    "sqrt",
    "degrees",
    "radians",
]

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("bin", "value:number|datetime|timespan, size:number|timespan", _binned, "The value rounded down to a multiple.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("floor", "value:number|datetime|timespan, size:number|timespan", _binned, "Another name of bin().",
           operation="bin", naming=Naming.FIRST_ARGUMENT),
    scalar("bin_at", "value:number|datetime|timespan, size:number|timespan, point:number|datetime|timespan", _binned,
           "The value rounded down to a multiple counted from a point.", naming=Naming.FIRST_ARGUMENT),
    scalar("round", "value:real|number, digits?:long", _rounded, "The value with so many digits, halves away from zero."),
    scalar("abs", "value:number|timespan", _rounded, "The value without its sign."),
    scalar("ceiling", "value:real|number", _rounded, "The least whole number not below."),
    scalar("sign", "value:real", REAL, "-1, 0 or 1."),
    scalar("pow", "base:real, exponent:real", REAL, "The base to the power of the exponent."),
    scalar("atan2", "y:real, x:real", REAL, "The angle of a point."),
    scalar("pi", "", REAL, "The ratio of a circle."),
    scalar("isnan", "value:real", BOOL, "Whether it is not a number."),
    scalar("isinf", "value:real", BOOL, "Whether it is infinite."),
    scalar("isfinite", "value:real", BOOL, "Whether it is neither infinite nor not a number."),
    scalar("binary_and", "a:long, b:long", LONG, "Bits set in both."),
    scalar("binary_or", "a:long, b:long", LONG, "Bits set in either."),
    scalar("binary_xor", "a:long, b:long", LONG, "Bits set in one."),
    scalar("binary_not", "a:long", LONG, "All bits turned."),
    scalar("binary_shift_left", "value:long, by:long", LONG, "Bits moved up."),
    scalar("binary_shift_right", "value:long, by:long", LONG, "Bits moved down."),
    *(scalar(name, "value:real", REAL, f"The {name} of the number.") for name in _MATH),
)  # fmt: skip
