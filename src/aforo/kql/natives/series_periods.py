"""Which periods an array of numbers has, by how like itself it is some places further on.

Kusto publishes what its search gives (periods of 4 elements to half of the series, scores of 0 to 1, one score to two
digits) and not how; what is done here in its place stands in decision 0157.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from operator import mul

from aforo.kql.natives.series import added, finite, numbers, plain
from aforo.kql.natives.series_fitting import line
from aforo.kql.natives.spec import Native, UnansweredError, native, parsed, written
from aforo.kql.types import DYNAMIC, LONG, REAL

LEAST = 4
PARTS = ("periods", "scores")
_MOST_PERIODS = 1_000
# Longer series are compared with themselves by way of their spectrum.
_DIRECTLY = 1_000
_LONGEST = 50_000
_NEXT = 8
# A period stands out of what is beside it by so much, and of chance by so many deviations.
_PROMINENCE = 0.1
_DEVIATIONS = 3.0
# Of a period and its multiples the shortest counts that is nearly as good as the best.
_NEARLY = 0.98


def likeness(values: Sequence[float]) -> list[float]:
    """By distance (from 0 to three quarters of the length) how far what stands out of the trend goes together: the sum of
    its products over its whole variance, 1 at distance 0."""
    n = len(values)
    slope, start = line(list(values))
    sloped = [v - (start + slope * (i + 1)) for i, v in enumerate(values)]
    whole = added(v * v for v in sloped)
    if whole <= n * (max(map(abs, values)) * 1e-12) ** 2:  # a line all along, but for rounding
        return [0.0] * (3 * n // 4 + 1)
    return [p / whole for p in _products(sloped, 3 * n // 4 + 1)]


def _products(values: list[float], count: int) -> list[float]:
    """The sums of the products of elements 0, 1, 2, ... places apart."""
    n = len(values)
    if n <= _DIRECTLY:
        return [sum(map(mul, values, values[k:])) for k in range(count)]
    size = 1 << (2 * n - 1).bit_length()
    spectrum = _transformed([complex(v) for v in values] + [0j] * (size - n))
    back = _transformed([complex(abs(v) ** 2) for v in spectrum])
    return [v.real / size for v in back[:count]]


def _transformed(values: list[complex]) -> list[complex]:
    """The discrete Fourier transform of as many values as some power of two."""
    size = len(values)
    if size == 1:
        return values
    half = size // 2
    even, odd = _transformed(values[::2]), _transformed(values[1::2])
    turned = [cmath.rect(1.0, -2 * math.pi * k / size) * v for k, v in enumerate(odd)]
    return list(map(complex.__add__, even, turned)) + list(map(complex.__sub__, even, turned[:half]))


def _peaks(values: Sequence[float]) -> dict[int, float]:
    """The distances at which a series is most like itself far around (a fifth of them), and their scores: how high they
    stand above where it is least so, as part of the way up to 1."""
    n = len(values)
    if n < 2 * LEAST:
        return {}
    if n > _LONGEST:
        raise UnansweredError(f"the periods of a series of more than {_LONGEST} elements are not looked for")
    alike = likeness(values)
    # Far apart fewer elements have a partner.
    heights = [a * math.sqrt(n / (n - k)) for k, a in enumerate(alike)]
    lowest, least = min(alike[: n // 2 + 1]), _DEVIATIONS / math.sqrt(n)
    found: dict[int, float] = {}
    for k in range(LEAST, n // 2 + 1):
        height = heights[k]
        if height < least or height <= heights[k - 1] or height < heights[k + 1]:
            continue
        width = max(2, k // 5)
        # What is next to it first: it is seldom the greatest even there.
        if any(height < max(heights[k - w : k + w + 1]) for w in (min(width, _NEXT), width)):
            continue
        before, behind = min(heights[k // 2 : k]), min(heights[k + 1 : k + k // 2 + 1])
        if height - max(before, behind) >= _PROMINENCE:
            found[k] = min((alike[k] - lowest) / (1 - lowest), 1.0)
    return found


def _is_multiple(k: int, of: int) -> bool:
    times = round(k / of)
    return times > 1 and abs(k - times * of) <= max(1, times // 2)


def periods(values: Sequence[float], least: float, most: float, count: int) -> list[tuple[int, float]]:
    """The periods within these bounds that count most, and their scores, the best first."""
    peaks = {k: s for k, s in _peaks(values).items() if least <= k <= most}
    chosen: list[tuple[int, float]] = []
    for k in sorted(peaks, key=lambda k: (-peaks[k], k)):
        shorter = [p for p in peaks if _is_multiple(k, p) and peaks[p] >= _NEARLY * peaks[k]]
        best = min(shorter, default=k)
        if all(best != p and not _is_multiple(best, p) for p, _ in chosen):
            chosen.append((best, peaks[best]))
        if len(chosen) == count:
            break
    return chosen


def season(values: Sequence[float], least_score: float) -> int:
    """The period that counts most; 0 where none has that score."""
    best = periods(values, LEAST, len(values) / 2, 1)
    return best[0][0] if best and best[0][1] >= least_score else 0


def detect(json: str | None, least: float | None, most: float | None, count: int | None) -> str | None:
    """A bag of `PARTS`, both filled up with zeros."""
    values = finite(json)
    if values is None or least is None or most is None or count is None or not 0 < count <= _MOST_PERIODS:
        return None
    found = periods(values, least, most, count)
    found += [(0, 0.0)] * (count - len(found))
    return written({"periods": [float(p) for p, _ in found], "scores": [s for _, s in found]})


def validate(texts: list[str | None]) -> str | None:
    """The array, then the periods in question."""
    values, wanted = finite(texts[0]), [_number(t) for t in texts[1:]]
    if values is None or None in wanted:
        return None
    peaks = _peaks(values)
    scores = [peaks.get(round(p), 0.0) if p is not None and math.isfinite(p) else 0.0 for p in wanted]
    return written({"periods": [plain(p) for p in wanted], "scores": scores})


def _number(text: str | None) -> float | None:
    value = (numbers(f"[{text}]") or [None])[0] if parsed(text) is not None else None
    return None if value is None else float(value)


NATIVES: tuple[Native, ...] = (
    native("series_periods_detect_dynamic", detect, DYNAMIC, DYNAMIC, REAL, REAL, LONG),
    native("series_periods_validate_dynamic", validate, DYNAMIC, spread=True),
)
