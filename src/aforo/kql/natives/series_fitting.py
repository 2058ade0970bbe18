"""Lines and polynomials through an array of numbers, by least squares. The answer is a bag, null for what is no array
of finite numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from aforo.kql.natives.series import added, divide, finite, plain
from aforo.kql.natives.series_measures import variance
from aforo.kql.natives.spec import Native, UnansweredError, native, written
from aforo.kql.types import DYNAMIC, LONG

MOST_DEGREE = 16
# Elements times powers: what an exact fit may cost.
MOST_TERMS = 200_000


def line(values: list[float]) -> tuple[float, float]:
    """(slope, value at 0) of the line through the values at 1, 2, 3, ...; two values at least."""
    n = len(values)
    x0, y0 = (n + 1) / 2, added(values) / n
    slope = added((i + 1 - x0) * (y - y0) for i, y in enumerate(values)) / (n * (n * n - 1) / 12)
    return slope, y0 - slope * x0


def fit_line(json: str | None) -> str | None:
    values = finite(json)
    return None if values is None or len(values) < 2 else written(fitted_line(values))


def fitted_line(values: list[float]) -> dict[str, object]:
    """What `series_fit_line` tells of two values at least."""
    slope, start = line(values)
    fitted = [slope * (i + 1) + start for i in range(len(values))]
    spread, rest = variances(values, fitted)
    return {
        "rsquare": plain(1 - divide(rest, spread)),
        "slope": slope,
        "variance": spread,
        "rvariance": rest,
        "interception": start,
        "line_fit": fitted,
    }


def variances(values: list[float], fitted: list[float]) -> tuple[float, float]:
    """Of the values, and of what the fit leaves, both as of a sample."""
    rest = added((y - f) * (y - f) for y, f in zip(values, fitted, strict=True)) / (len(values) - 1)
    return variance(values), rest


def fit_poly(json: str | None, xs: str | None, degree: int | None) -> str | None:
    """The polynomial over `xs` (1, 2, 3, ... where there are none). It is found in exact fractions."""
    ys = finite(json)
    places = None if ys is None else [float(i + 1) for i in range(len(ys))] if xs is None else finite(xs)
    wanted = 1 if degree is None else degree
    if ys is None or places is None or len(places) != len(ys) or wanted < 1:
        return None
    if wanted > MOST_DEGREE or len(ys) * wanted > MOST_TERMS:
        raise UnansweredError("the series is too long, or the degree too high, for a polynomial")
    if len(ys) < 2:
        return None
    try:
        found = _polynomial(places, ys, wanted)
        fitted = [] if found is None else [found[1](x) for x in places]
    except OverflowError:
        return None
    if found is None:
        return None
    coefficients = found[0]
    spread, rest = variances(ys, fitted)
    return written(
        {
            "rsquare": plain(1 - divide(rest, spread)),
            "coefficients": coefficients,
            "variance": spread,
            "rvariance": rest,
            "poly_fit": fitted,
        }
    )


def _polynomial(
    xs: list[float], ys: list[float], degree: int
) -> tuple[list[float], Callable[[float], float]] | None:
    """Its coefficients, that of the highest power first, and itself; None when there are too few places."""
    if len(set(xs)) <= degree:
        return None
    powers = [Fraction(0)] * (2 * degree + 1)
    right = [Fraction(0)] * (degree + 1)
    for x, y in zip(map(Fraction, xs), map(Fraction, ys), strict=True):
        power = Fraction(1)
        for k in range(2 * degree + 1):
            powers[k] += power
            if k <= degree:
                right[k] += power * y
            power *= x
    exact = _solved([[powers[i + k] for k in range(degree + 1)] + [right[i]] for i in range(degree + 1)])

    def value(x: float) -> float:
        at, out = Fraction(x), Fraction(0)
        for coefficient in reversed(exact):
            out = out * at + coefficient
        return float(out)

    return [float(c) for c in reversed(exact)], value


def _solved(rows: list[list[Fraction]]) -> list[Fraction]:
    """A positive definite system of equations, its right side as the last column."""
    size = len(rows)
    for i in range(size):
        pivot = rows[i][i]
        rows[i] = [v / pivot for v in rows[i]]
        for j in range(size):
            if j != i and rows[j][i]:
                factor = rows[j][i]
                rows[j] = [a - factor * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[size] for row in rows]


NATIVES: tuple[Native, ...] = (
    native("series_fit_line_dynamic", fit_line, DYNAMIC, DYNAMIC),
    native("series_fit_poly_dynamic", fit_poly, DYNAMIC, DYNAMIC, DYNAMIC, LONG),
)
