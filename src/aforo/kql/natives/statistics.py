"""Shifts of bits; special functions and distributions, by series and continued fractions. Outside its domain one is NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps

from aforo.kql.natives.spec import Native, native
from aforo.kql.types import LONG, REAL

_STEPS = 400
_TINY = 1e-300


def _guarded(function: Callable[..., float]) -> Callable[..., float | None]:
    """Null for null; NaN outside of the domain, infinity beyond the largest number."""

    # The engine counts the parameters of what is wrapped.
    @wraps(function)
    def call(*arguments: float | None) -> float | None:
        given = [a for a in arguments if a is not None]
        if len(given) < len(arguments):
            return None
        try:
            return function(*given)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return math.nan

    return call


def _continued(x: float, a: float, b: float) -> float:
    """Lentz's method for the continued fraction of the incomplete beta function."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    h = d
    for m in range(1, _STEPS):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            c = 1.0 + numerator / c
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = c if abs(c) > _TINY else _TINY
            h *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return h


# Kusto answers no greater parameter of the distribution.
_GREATEST = 10_000


def beta_cdf(x: float, a: float, b: float) -> float:
    """NaN outside of 0 to 1."""
    if not (0 < a <= _GREATEST and 0 < b <= _GREATEST and 0 <= x <= 1):
        return math.nan
    return _incomplete_beta(x, a, b)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued(x, a, b) / a
    return 1.0 - front * _continued(1.0 - x, b, a) / b


def beta_inv(p: float | None, a: float | None, b: float | None) -> float | None:
    """Where the distribution reaches a probability, by halving; null where there is no such probability."""
    if p is None or a is None or b is None:
        return None
    if not (a > 0 and b > 0):
        return math.nan
    if not 0 < p <= 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high) or p == 1:
            break
        if _incomplete_beta(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return 1.0 if p == 1 else (low + high) / 2


def beta_pdf(x: float, a: float, b: float) -> float:
    """NaN but between 0 and 1."""
    if not (a > 0 and b > 0 and 0 < x < 1):
        return math.nan
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))


def welch_test(
    mean1: float, variance1: float, count1: float, mean2: float, variance2: float, count2: float
) -> float:
    """The two-sided p-value that both means are equal."""
    one, two = variance1 / count1, variance2 / count2
    t = (mean1 - mean2) / math.sqrt(one + two)
    freedom = (one + two) ** 2 / (one**2 / (count1 - 1) + two**2 / (count2 - 1))
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def gamma(x: float) -> float:
    return math.inf if x == 0 else math.gamma(x)


def loggamma(x: float) -> float:
    """Infinite at the poles."""
    return math.inf if x <= 0 and x == math.floor(x) else math.lgamma(x)


def shift_left(value: int | None, by: int | None) -> int | None:
    """The bits that stay within 64; a shift counts modulo 64."""
    if value is None or by is None or by < 0:
        return None
    moved = value << by % 64 & (1 << 64) - 1
    return moved - (1 << 64) if moved >> 63 else moved


def shift_right(value: int | None, by: int | None) -> int | None:
    return None if value is None or by is None or by < 0 else value >> by % 64


def _native(name: str, function: Callable[..., float], count: int) -> Native:
    return native(name, _guarded(function), REAL, *[REAL] * count)


NATIVES: tuple[Native, ...] = (
    native("binary_shift_left", shift_left, LONG, LONG, LONG),
    native("binary_shift_right", shift_right, LONG, LONG, LONG),
    _native("gamma", gamma, 1),
    _native("loggamma", loggamma, 1),
    _native("erf", math.erf, 1),
    _native("erfc", math.erfc, 1),
    _native("beta_cdf", beta_cdf, 3),
    native("beta_inv", beta_inv, REAL, REAL, REAL, REAL),
    _native("beta_pdf", beta_pdf, 3),
    _native("welch_test", welch_test, 6),
)
