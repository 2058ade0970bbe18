"""Math, and the rounding of numbers."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import IntEnum
from typing import Any, Final

from aforo.csharp.runtime.exceptions import (
    ArgumentOutOfRangeException,
    OverflowException,
)
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
        kind="static",
    ),
    enumeration("MidpointRounding", MidpointRounding),
)  # fmt: skip
