"""Two lines through an array of numbers, and where the one ends and the other begins. The place is found in exact numbers, in
one pass over the array. The answer is a bag, null for what has fewer than four finite numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import accumulate

from aforo.kql.natives.series import divide, finite, plain
from aforo.kql.natives.series_fitting import fitted_line, variances
from aforo.kql.natives.spec import Native, native, written
from aforo.kql.types import DYNAMIC

# A line by itself has so many elements, as `series_fit_line` wants them.
_LEAST = 2
_SIDE = ("rsquare", "slope", "interception", "variance", "rvariance")


def fit_nested(json: str | None) -> str | None:
    """With the bags `right` and `left`."""
    found = _fitted(json)
    return None if found is None else written(found[0] | found[1])


def fit_flat(json: str | None) -> str | None:
    """With the properties of both sides beside the others: `right_slope`."""
    found = _fitted(json)
    if found is None:
        return None
    sides = {f"{side}_{name}": value for side, bag in found[1].items() for name, value in bag.items()}
    return written(found[0] | sides)


def _fitted(json: str | None) -> tuple[dict[str, object], dict[str, dict[str, object]]] | None:
    """What there is to tell of both lines together, and of each."""
    values = finite(json)
    if values is None or len(values) < 2 * _LEAST:
        return None
    at = split(values)
    left, right = fitted_line(values[:at]), fitted_line(values[at:])
    fit: list[float] = []
    for side in (left, right):
        numbers = side["line_fit"]
        assert isinstance(numbers, list)
        fit += numbers
    spread, rest = variances(values, fit)
    whole = {
        "rsquare": plain(1 - divide(rest, spread)),
        "split_idx": at,
        "variance": spread,
        "rvariance": rest,
        "line_fit": fit,
    }
    return whole, {"right": {n: right[n] for n in _SIDE}, "left": {n: left[n] for n in _SIDE}}


def split(values: list[float]) -> int:
    """The first index from which a second line gives the greatest r-square (as a double); four values at least."""
    ratios = [v.as_integer_ratio() for v in values]
    scale = max(d for _, d in ratios)  # a power of 2, as all of them are
    exact = [n * (scale // d) for n, d in ratios]
    lefts = _rests(exact)
    rights = _rests(reversed(exact))
    n = len(values)
    spread = sum(v * v for v in exact) - Fraction(sum(exact) ** 2, n)
    if not spread:
        return _LEAST
    places = range(_LEAST, n - _LEAST + 1)
    return max(places, key=lambda i: 1.0 - float((lefts[i] + rights[n - i]) / spread))


def _rests(values: Iterable[int]) -> list[Fraction]:
    """For each number of values from the first on, the sum of squares that their best line leaves of them."""
    kept = list(values)
    sums = accumulate(kept, initial=0)
    squares = accumulate((v * v for v in kept), initial=0)
    products = accumulate((i * v for i, v in enumerate(kept)), initial=0)
    out: list[Fraction] = []
    for n, (s, ss, sp) in enumerate(zip(sums, squares, products, strict=True)):
        if n < _LEAST:
            out.append(Fraction(0))
            continue
        slope = 2 * sp - (n - 1) * s  # twice the sum of the products of both distances from the middle
        out.append(ss - Fraction(s * s, n) - Fraction(3 * slope * slope, n * (n * n - 1)))
    return out


NATIVES: tuple[Native, ...] = (
    native("series_fit_2lines", fit_flat, DYNAMIC, DYNAMIC),
    native("series_fit_2lines_dynamic", fit_nested, DYNAMIC, DYNAMIC),
)
