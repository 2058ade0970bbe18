"""Arrays of numbers element by element: arithmetic, comparisons, mathematical functions.

An element is int (long), float (real) or None: all that is no number. A number in place of an array counts for each
element of the other one. What an operation makes of a number and None, or beyond an array's end, is None.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence

from aforo.kql.natives.spec import Native, UnansweredError, native, parsed, written
from aforo.kql.types import DYNAMIC

Number = int | float
Element = Number | None
_LONG = 1 << 63
# JSON has no signs for these: as elements they are texts.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z|-?(\d+\.)?\d\d:\d\d:\d\d(\.\d{7})?")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def element(value: object) -> Element:
    """A JSON value as a number, None when it is none (a truth value is none)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    if _TIME.fullmatch(value):
        raise UnansweredError("counting with the datetimes and timespans of a series is not supported")
    return _SPECIAL.get(value)


def numbers(json: str | None) -> list[Element] | None:
    """The elements of an array, None for what is no array."""
    value = parsed(json)
    return [element(v) for v in value] if isinstance(value, list) else None


def finite(json: str | None) -> list[float] | None:
    """The elements of an array in which all are finite numbers, None for any other."""
    values = numbers(json)
    if not values or any(v is None or not math.isfinite(v) for v in values):
        return None
    return [float(v) for v in values if v is not None]


def added(values: Iterable[float]) -> float:
    """The sum without rounding on the way; of what is too great for that, with it."""
    kept = list(values)
    try:
        return math.fsum(kept)
    except (OverflowError, ValueError):
        return sum(kept)


def plain(value: object) -> object:
    """A value as JSON can have it: whole numbers beyond a long are nothing, NaN and infinities are texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not -_LONG <= value < _LONG:
        return None
    return value


def series(values: Sequence[object]) -> str | None:
    """The JSON text of an array of numbers or truth values."""
    return written([plain(v) for v in values])


def _elementwise(function: Callable[[Number], object]) -> Callable[[str | None], str | None]:
    def run(json: str | None) -> str | None:
        values = numbers(json)
        return None if values is None else series([None if v is None else function(v) for v in values])

    return run


def _pairwise(
    function: Callable[[Number, Number], object],
) -> Callable[[str | None, str | None], str | None]:
    def run(one: str | None, other: str | None) -> str | None:
        pairs = broadcast(parsed(one), parsed(other))
        if pairs is None:
            return None
        left, right = pairs
        common = min(len(left), len(right))
        out: list[object] = [None] * max(len(left), len(right))
        for i in range(common):
            a, b = left[i], right[i]
            if a is not None and b is not None:
                out[i] = function(a, b)
        return series(out)

    return run


def broadcast(one: object, other: object) -> tuple[list[Element], list[Element]] | None:
    """Two arrays, or an array and a number as often as the array has elements; None for anything else."""
    match one, other:
        case list(), list():
            return [element(v) for v in one], [element(v) for v in other]
        case list(), _ if (number := element(other)) is not None:
            return [element(v) for v in one], [number] * len(one)
        case _, list() if (number := element(one)) is not None:
            return [number] * len(other), [element(v) for v in other]
        case _:
            return None


# -- one number -------------------------------------------------------------------------------------------


def _real(function: Callable[[float], float]) -> Callable[[Number], float]:
    """A function of reals: NaN where it is not defined, infinity where it is too great."""

    def run(value: Number) -> float:
        try:
            return function(float(value))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return run


def _log(value: float) -> float:
    return math.log(value) if value != 0 else -math.inf


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceiling(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def _sign(value: Number) -> Number:
    if isinstance(value, int):
        return (value > 0) - (value < 0)
    return value if math.isnan(value) else float((value > 0) - (value < 0))


# -- two numbers ------------------------------------------------------------------------------------------


def divide(a: Number, b: Number) -> float:
    """Always real; by zero it is infinite, or NaN for zero by zero."""
    x, y = float(a), float(b)
    if y != 0:
        return x / y
    if x == 0 or math.isnan(x):
        return math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def power(a: Number, b: Number) -> float:
    x, y = float(a), float(b)
    try:
        return math.pow(x, y)
    except ValueError:
        return math.inf if x == 0 else math.nan
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf


def _arithmetic(function: Callable[[Number, Number], Number]) -> Callable[[Number, Number], Number]:
    """Longs stay longs; as soon as one is real both are."""

    def run(a: Number, b: Number) -> Number:
        return function(a, b) if isinstance(a, int) and isinstance(b, int) else function(float(a), float(b))

    return run


ONE: dict[str, Callable[[Number], object]] = {
    "abs": abs, "sign": _sign, "ceiling": _real(_ceiling), "floor": _real(_floor),
    "exp": _real(math.exp), "log": _real(_log), "sin": _real(math.sin), "cos": _real(math.cos),
    "tan": _real(math.tan), "asin": _real(math.asin), "acos": _real(math.acos), "atan": _real(math.atan),
}  # fmt: skip
TWO: dict[str, Callable[[Number, Number], object]] = {
    "add": _arithmetic(operator.add), "subtract": _arithmetic(operator.sub), "multiply": _arithmetic(operator.mul),
    "divide": divide, "pow": power,
    "less": operator.lt, "less_equals": operator.le, "greater": operator.gt, "greater_equals": operator.ge,
    "equals": operator.eq, "not_equals": operator.ne,
}  # fmt: skip

NATIVES: tuple[Native, ...] = (
    *(native(f"series_{name}", _elementwise(function), DYNAMIC, DYNAMIC) for name, function in ONE.items()),
    *(
        native(f"series_{name}", _pairwise(function), DYNAMIC, DYNAMIC, DYNAMIC)
        for name, function in TWO.items()
    ),
)
