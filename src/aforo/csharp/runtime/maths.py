"""Math, and the rounding of numbers."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentException,
    ArgumentOutOfRangeException,
    OverflowException,
)
from aforo.csharp.runtime.numbers import divide_int
from aforo.csharp.types import Declared, TypeDecl, declare, enumeration, member


class MidpointRounding(IntEnum):
    ToEven = 0
    AwayFromZero = 1


def round_to(value: Any, digits: int = 0, mode: int = 0) -> Any:
    if not 0 <= digits <= 28:
        raise ArgumentOutOfRangeException(
            "Rounding digits must be between 0 and 15, inclusive.\r\nParameter name: digits"
        )
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value) or abs(value) >= 1e16):
        return value
    exact = value if isinstance(value, Decimal) else Decimal(value) if digits == 0 else Decimal(repr(value))
    rounded = exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP if mode else ROUND_HALF_EVEN)
    return rounded if isinstance(value, Decimal) else float(rounded)


def round_mode(value: Any, mode: int) -> Any:
    return round_to(value, 0, mode)


def ceiling(value: Any) -> Any:
    return Decimal(math.ceil(value)) if isinstance(value, Decimal) else _whole(value, math.ceil)


def floor(value: Any) -> Any:
    return Decimal(math.floor(value)) if isinstance(value, Decimal) else _whole(value, math.floor)


def truncate(value: Any) -> Any:
    return Decimal(int(value)) if isinstance(value, Decimal) else _whole(value, math.trunc)


def _whole(value: float, run: Any) -> float:
    return value if math.isnan(value) or math.isinf(value) else float(run(value))


def absolute_int(value: int) -> int:
    if value == -(2**31):
        raise OverflowException("Negating the minimum value of a twos complement number is invalid.")
    return abs(value)


def absolute(value: Any) -> Any:
    return abs(value)


def power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def square_root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan


def logarithm_10(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf if value == 0 else math.nan


def sign(value: Any) -> int:
    return int(value > 0) - int(value < 0)


def larger(left: Any, right: Any) -> Any:
    return max(left, right)


def smaller(left: Any, right: Any) -> Any:
    return min(left, right)


def _pairs(name: str, run: Any, *types: str) -> tuple[Declared, ...]:
    return tuple(member(f"static {t} {name}({t} val1, {t} val2)", run) for t in types)


def _singles(name: str, run: Any, *types: str) -> tuple[Declared, ...]:
    return tuple(member(f"static {t} {name}({t} value)", run) for t in types)


def _guarded(name: str, run: Any) -> Any:
    """A function of real numbers: outside of its domain NaN, beyond the largest number infinity."""

    def call(value: float) -> float:
        try:
            return float(run(value))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf if name != "Sinh" or value > 0 else -math.inf

    call.__qualname__ = f"math_{name}"
    return call


def arc_tangent_2(y: float, x: float) -> float:
    return math.atan2(y, x)


def logarithm_base(value: float, base: float) -> float:
    if math.isnan(value) or math.isnan(base) or base == 1 or value < 0 or base < 0:
        return math.nan
    if value != 1 and (base == 0 or base == math.inf):
        return math.nan
    if value == 0:
        return -math.inf if base > 1 else math.inf
    return math.log(value) / math.log(base)


def ieee_remainder(left: float, right: float) -> float:
    try:
        return math.remainder(left, right)
    except ValueError:
        return math.nan


def big_multiply(left: int, right: int) -> int:
    return left * right


def divide_remainder(left: int, right: int) -> tuple[int, int]:
    quotient = divide_int(left, right)
    return quotient, left - quotient * right


def clamp(value: Any, low: Any, high: Any) -> Any:
    if low > high:
        raise ArgumentException(f"'{low}' cannot be greater than {high}.")
    return max(low, min(value, high))


_REAL: Final = (
    ("Sin", math.sin), ("Cos", math.cos), ("Tan", math.tan), ("Asin", math.asin), ("Acos", math.acos),
    ("Atan", math.atan), ("Sinh", math.sinh), ("Cosh", math.cosh), ("Tanh", math.tanh), ("Exp", math.exp),
    ("Cbrt", math.cbrt),
)  # fmt: skip

_ALL: Final = ("int", "long", "double", "decimal", "uint", "ulong", "float")

TYPES: Final[tuple[TypeDecl, ...]] = (
    declare(
        "Math",
        member("static double PI", const=math.pi),
        member("static double E", const=math.e),
        *_pairs("Max", larger, *_ALL),
        *_pairs("Min", smaller, *_ALL),
        member("static int Abs(int value)", absolute_int),
        *_singles("Abs", absolute, "long", "double", "decimal"),
        *_singles("Ceiling", ceiling, "double", "decimal"),
        *_singles("Floor", floor, "double", "decimal"),
        *_singles("Truncate", truncate, "double", "decimal"),
        *(m for t in ("double", "decimal") for m in (
            member(f"static {t} Round({t} value)", round_to),
            member(f"static {t} Round({t} value, int digits)", round_to),
            member(f"static {t} Round({t} value, MidpointRounding mode)", round_mode),
            member(f"static {t} Round({t} value, int digits, MidpointRounding mode)", round_to),
            member(f"static int Sign({t} value)", sign),
        )),
        member("static int Sign(int value)", sign),
        member("static double Pow(double x, double y)", power),
        member("static double Sqrt(double d)", square_root),
        member("static double Log(double d)", logarithm),
        member("static double Log10(double d)", logarithm_10),
        member("static double Log(double a, double newBase)", logarithm_base),
        *(member(f"static double {name}(double d)", _guarded(name, run)) for name, run in _REAL),
        member("static double Atan2(double y, double x)", arc_tangent_2),
        member("static double IEEERemainder(double x, double y)", ieee_remainder),
        member("static long BigMul(int a, int b)", big_multiply),
        member("static int DivRem(int a, int b, out int result)", divide_remainder),
        member("static long DivRem(long a, long b, out long result)", divide_remainder),
        *(member(f"static {t} Clamp({t} value, {t} min, {t} max)", clamp) for t in _ALL),
        member("static float Abs(float value)", absolute),
        kind="static",
    ),
    enumeration("MidpointRounding", MidpointRounding),
)  # fmt: skip
