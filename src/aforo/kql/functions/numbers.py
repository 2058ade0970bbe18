"""Functions over numbers."""

from __future__ import annotations

from aforo.kql.functions.spec import Naming, Scalar, scalar
from aforo.kql.types import BOOL, DATETIME, INT, LONG, REAL, TIMESPAN, KqlType


def _rounded(types: tuple[KqlType, ...]) -> KqlType:
    return types[0]


def _unsigned(types: tuple[KqlType, ...]) -> KqlType:
    return LONG if types[0] is INT else types[0]


def _binned(types: tuple[KqlType, ...]) -> KqlType:
    """`bin(int, int)` is long, `bin(long, 0.5)` real; the point of `bin_at` counts too."""
    if types[0] in (DATETIME, TIMESPAN):
        return types[0]
    if REAL in types:
        return REAL
    return max(LONG, *types, key=[INT, LONG, REAL, KqlType.DECIMAL].index)


_MATH = {
    "acos": "The angle in radians that has this cosine.",
    "asin": "The angle in radians that has this sine.",
    "atan": "The angle in radians that has this tangent.",
    "cos": "The cosine of an angle in radians.",
    "cot": "The cotangent of an angle in radians.",
    "sin": "The sine of an angle in radians.",
    "tan": "The tangent of an angle in radians.",
    "exp": "e to the power of the number.",
    "exp2": "2 to the power of the number.",
    "exp10": "10 to the power of the number.",
    "log": "The natural logarithm of the number.",
    "log2": "The logarithm of the number to the base 2.",
    "log10": "The logarithm of the number to the base 10.",
    "sqrt": "The square root of the number.",
    "degrees": "An angle in radians as degrees.",
    "radians": "An angle in degrees as radians.",
}

FUNCTIONS: tuple[Scalar, ...] = (
    scalar("bin", "value:number|datetime|timespan, size:number|timespan", _binned, "The value rounded down to a multiple.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("floor", "value:number|datetime|timespan, size:number|timespan", _binned, "Another name of bin().",
           operation="bin", naming=Naming.FIRST_ARGUMENT),
    scalar("bin_at", "value:number|datetime|timespan, size:number|timespan, point:number|datetime|timespan", _binned,
           "The value rounded down to a multiple counted from a point.", naming=Naming.FIRST_ARGUMENT),
    scalar("round", "value:number, digits?:long", _rounded, "The value with so many digits, halves away from zero.",
           naming=Naming.FIRST_ARGUMENT),
    scalar("abs", "value:number|timespan", _unsigned, "The value without its sign.", naming=Naming.FIRST_ARGUMENT),
    scalar("ceiling", "value:number", _rounded, "The least whole number not below.", naming=Naming.FIRST_ARGUMENT),
    scalar("sign", "value:real|number", REAL, "-1, 0 or 1."),
    scalar("bitset_count_ones", "value:long", LONG, "How many bits are set.", naming=Naming.FIRST_ARGUMENT),
    scalar("pow", "base:real|number, exponent:real|number", REAL, "The base to the power of the exponent.", naming=Naming.FIRST_ARGUMENT),
    scalar("atan2", "y:real|number, x:real|number", REAL, "The angle of a point.", naming=Naming.FIRST_ARGUMENT),
    scalar("pi", "", REAL, "The ratio of a circle's circumference to its diameter."),
    scalar("isnan", "value:real", BOOL, "Whether it is not a number."),
    scalar("isinf", "value:real", BOOL, "Whether it is infinite."),
    scalar("isfinite", "value:real", BOOL, "Whether it is neither infinite nor not a number."),
    scalar("binary_and", "a:long, b:long", LONG, "Bits set in both.", naming=Naming.FIRST_ARGUMENT),
    scalar("binary_or", "a:long, b:long", LONG, "Bits set in either.", naming=Naming.FIRST_ARGUMENT),
    scalar("binary_xor", "a:long, b:long", LONG, "Bits set in just one.", naming=Naming.FIRST_ARGUMENT),
    scalar("binary_not", "a:long", LONG, "All bits turned round.", naming=Naming.FIRST_ARGUMENT),
    scalar("binary_shift_left", "value:long, by:long", LONG, "Bits moved up.", naming=Naming.FIRST_ARGUMENT),
    scalar("binary_shift_right", "value:long, by:long", LONG, "Bits moved down.", naming=Naming.FIRST_ARGUMENT),
    *(
        scalar(name, "value:real|number", REAL, doc,
               naming=Naming.NONE if name in ("cot", "degrees", "radians") else Naming.FIRST_ARGUMENT)
        for name, doc in _MATH.items()
    ),
)  # fmt: skip
