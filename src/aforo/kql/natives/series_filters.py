"""Linear filters over an array of numbers: with a finite and with an infinite response."""

from __future__ import annotations

from aforo.kql.natives.series import added, finite, series
from aforo.kql.natives.spec import Native, UnansweredError, native
from aforo.kql.types import BOOL, DYNAMIC

# Elements times coefficients: what a filter may cost.
MOST_STEPS = 20_000_000


def _bounded(steps: int) -> None:
    if steps > MOST_STEPS:
        raise UnansweredError("the series and its filter are too long")


def fir(json: str | None, filter_: str | None, normalize: bool | None, center: bool | None) -> str | None:
    """Each element is the sum of those up to it, weighted by the filter; before the first one all is 0.

    Normalized, the coefficients are divided by their sum: so it is unless one of them is below 0. Centered, the sum
    reaches as far behind the element as before it.
    """
    values, weights = finite(json), finite(filter_)
    if values is None or weights is None:
        return None
    _bounded(len(values) * len(weights))
    if center and len(weights) % 2 == 0:
        raise UnansweredError("centering a filter with an even number of coefficients is not supported")
    negative = any(w < 0 for w in weights)
    if normalize is None:
        normalize = not negative
    if normalize:
        whole = added(weights)
        if negative or whole == 0:
            return None
        weights = [w / whole for w in weights]
    shift = (len(weights) - 1) // 2 if center else 0
    out: list[object] = []
    for i in range(len(values)):
        at = i + shift
        span = range(max(0, at - len(values) + 1), min(len(weights), at + 1))
        out.append(added(weights[k] * values[at - k] for k in span))
    return series(out)


def iir(json: str | None, numerators: str | None, denominators: str | None) -> str | None:
    """y[i] = (b0 x[i] + b1 x[i-1] + ... - a1 y[i-1] - a2 y[i-2] - ...) / a0; None for a0 = 0."""
    values, b, a = finite(json), finite(numerators), finite(denominators)
    if values is None or b is None or a is None or a[0] == 0:
        return None
    _bounded(len(values) * (len(a) + len(b)))
    out: list[float] = []
    for i in range(len(values)):
        total = sum(b[k] * values[i - k] for k in range(min(len(b), i + 1)))
        total -= sum(a[k] * out[i - k] for k in range(1, min(len(a), i + 1)))
        out.append(total / a[0])
    return series(out)


NATIVES: tuple[Native, ...] = (
    native("series_fir", fir, DYNAMIC, DYNAMIC, DYNAMIC, BOOL, BOOL),
    native("series_iir", iir, DYNAMIC, DYNAMIC, DYNAMIC, DYNAMIC),
)
